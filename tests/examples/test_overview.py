"""The overview lists every example, and every example shows how to run it."""

from __future__ import annotations

import pytest

from tests.examples.programs import ROOT, documented_arguments

PROGRAMS = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


def test_overview_is_complete() -> None:
    overview = (ROOT / "examples/README.md").read_text()
    assert [name for name in PROGRAMS if f"| [`{name}.py`]({name}.py) |" not in overview] == []


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in {"quickstart", "bring_your_own_http"}])
def test_docstring_shows_how_to_run_it(name: str) -> None:
    documented_arguments(name)
