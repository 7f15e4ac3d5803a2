"""The tables of statements say what is sent, and leave none out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from influx_proto import Op, admin, ops
from influx_proto.adapter import Client

PAGE = Path(__file__).parents[2] / "docs" / "administration.md"
ROWS: list[tuple[str, str, str]] = re.findall(r"^\| `(.*)` \| `(.*)` \| `(.*)` \|$", PAGE.read_text(), re.MULTILINE)
BUILDERS = {name: found for name in admin.__all__ if inspect.isfunction(found := getattr(admin, name))}
BUILDERS |= {name: getattr(ops, name) for name in ("create_database", "drop_database", "drop_measurement")}


@pytest.mark.parametrize(("call", "statement", "gives"), ROWS, ids=[call.partition("(")[0] for call, _, _ in ROWS])
def test_row(call: str, statement: str, gives: str) -> None:
    op = eval(call, {**BUILDERS, "re": re})
    assert isinstance(op, Op)
    assert isinstance(op.request.body, bytes)
    sent = parse_qs(urlsplit(op.request.target).query) | parse_qs(op.request.body.decode())
    assert sent["q"][0].split() == statement.split()
    builder = BUILDERS[call.partition("(")[0]]
    assert inspect.signature(builder).return_annotation == f"Op[{gives}]"
    assert hasattr(Client, builder.__name__)


def test_none_is_left_out() -> None:
    assert {call.partition("(")[0] for call, _, _ in ROWS} == BUILDERS.keys()
