"""Facts in the prose of the docs that change with the code: default values, limits, options, names and speeds."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from influx_aiohttp import _transport as aiohttp_transport
from influx_proto import RetryPolicy, Spool, Timeout
from influx_proto._batch import receipt
from influx_proto._client import config
from influx_proto._encode import batch
from influx_proto._encode.frames import encoder
from influx_proto._http import compression
from influx_proto._line_protocol import escape
from influx_proto._query import request
from influx_proto.adapter import MAX_CONNECTIONS, Client
from influx_requests._cli._arguments import create_parser
from influx_requests._cli._console import Exit
from influx_trio import _pool as trio_pool

from tests.conformance.drivers import Feature

ROOT = Path(__file__).parents[2]
CORE = ROOT / "packages" / "influx-proto" / "src" / "influx_proto"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def constant(module: ModuleType, name: str) -> Any:
    return vars(module)[name]


WRITER = {name: each.default for name, each in inspect.signature(Client.batch_writer).parameters.items()}
WRITE = create_parser().commands["write"]
WATCH = create_parser().commands["watch"]

#: A page, text of it with the value as `{}`, and the value. Runs of whitespace are equal.
FACTS: list[tuple[str, str, object]] = [
    ("batching", "`max_lines` (default: {})", WRITER["max_lines"]),
    ("batching", "`max_bytes` ({} MB)", WRITER["max_bytes"] // 1_000_000),
    ("batching", "`max_delay` seconds ({})", WRITER["max_delay"]),
    ("batching", "`max_pending` lines ({})", WRITER["max_pending"]),
    ("batching", "`max_pending_bytes` ({} MB)", WRITER["max_pending_bytes"] // 1_000_000),
    ("batching", "`exit_timeout` seconds ({})", WRITER["exit_timeout"]),
    ("batching", "the last {} lines,", receipt.KEPT_LINES),
    ("batching", "or {} MB of them", receipt.KEPT_SIZE // 1_000_000),
    ("command-line", "prints the last {} points", WATCH.get_default("lines")),
    ("concurrency", "at most {} connections", MAX_CONNECTIONS),
    ("debugging", "are logged, up to {} characters", constant(request, "_MAX_URL")),
    ("faq", "`RetryPolicy(attempts={}, ", RetryPolicy().attempts),
    ("faq", "max_total={})`", RetryPolicy().max_total),
    ("importing", "`--max-delay` seconds (default: {})", WRITE.get_default("max_delay")),
    ("importing", "`--retry-for` seconds (default: {})", WRITE.get_default("retry_for")),
    ("migrating/influxdb-client", "default: {} instead of 1000", WRITER["max_lines"]),
    ("migrating/influxdb-python", "default: {} s to connect", Timeout().connect),
    ("migrating/influxdb-python", "to connect and {} s idle", Timeout().idle),
    ("spool", "by default to {} GB", Spool("spool").max_bytes // 1_000_000_000),
    ("transports", "The default timeouts are {} seconds to connect", Timeout().connect),
    ("transports", "and {} seconds before the first chunk", Timeout().idle),
    ("transports", "this wait, by default to {} seconds", Timeout().pool),
    ("transports", "A client opens at most {} connections", MAX_CONNECTIONS),
    ("transports", "idle connections are closed after | {} s |", constant(aiohttp_transport, "_KEEP_ALIVE")),
    ("transports", "s | {} s, by the next request", constant(trio_pool, "_KEEP_ALIVE")),
    ("transports", "bodies of {} KiB and more", compression.THRESHOLD // 1024),
    ("transports", "more than {} MiB", constant(compression, "_UNLIMITED_SIZE") // 1024**2),
    ("transports", "more than {} times its compressed size", constant(compression, "_MAX_GROWTH")),
    ("types", "one field key together | {} bytes", escape.MAX_KEY_SIZE),
    ("types", "batches of at most {} lines", batch.BATCH_LINES),
    ("types", "lines and {} MB", batch.BATCH_BYTES // 1_000_000),
    ("dataframes", "in slices of at most {} rows", constant(encoder, "_SLICE")),
]


def text_of(page: str) -> str:
    return " ".join((ROOT / "docs" / f"{page}.md").read_text().split())


@pytest.mark.parametrize(("page", "text", "value"), FACTS, ids=[f"{page}: {text}" for page, text, _ in FACTS])
def test_value(page: str, text: str, value: object) -> None:
    before, after = map(re.escape, text.split("{}"))
    [shown] = re.findall(rf"{before}([\d ]+){after}", text_of(page))
    assert int(shown.replace(" ", "")) == value


def test_options_of_the_retry_policy() -> None:
    rows = dict(re.findall(r"\| `(\w+)` \| ([\d.]+)(?: s)? \|", text_of("failures")))
    defaults = {each.name: each.default for each in dataclasses.fields(RetryPolicy)}
    assert rows.keys() == defaults.keys() - {"on_retry", "random"}
    assert all(float(shown) == defaults[name] for name, shown in rows.items())


def test_every_option_of_the_command_line_is_described() -> None:
    text = text_of("command-line") + text_of("importing")
    options = {name for command in create_parser().commands.values() for name in command.option_names}
    missing = {name for name in options if name.startswith("--") and f"{name}" not in text}
    assert missing <= {"--help", "--verbose"}  # the page has -v


@pytest.mark.parametrize("where", ["page", "help"])
def test_environment_variables_and_exit_codes_of_the_command_line(where: str) -> None:
    text = text_of("command-line") if where == "page" else create_parser().format_help()
    for prefix, names in (
        ("INFLUXDB_", constant(config, "_VARIABLES")),
        ("INFLUX_", constant(config, "_OFFICIAL_VARIABLES")),
    ):
        assert {name for name in names if f"{prefix}{name.upper()}" not in text} == set()
    text = text[text.lower().index("exit codes") :]
    codes = {*Exit, 129, 143}  # the shell's codes for SIGHUP and SIGTERM
    assert {int(code) for code in re.findall(r"\b\d+\b", text)} == codes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_targets_of_make_and_modules_exist(page: Path) -> None:
    text = page.read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^make (\w+)|`make (\w+)[^`]*`", text, re.MULTILINE)
    assert [name for name in map("".join, targets) if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
    modules = re.findall(r"`(_\w+/[\w/]+\.py)`", text)
    assert [name for name in modules if not (CORE / name).exists()] == []


def test_features_of_adapters() -> None:
    section = (ROOT / "docs" / "adapter.md").read_text().partition("| feature | meaning |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(get_args(Feature))


#: A page, text of it with the value as `{}`, and the section, variant and column of the benchmarks that measure it.
SPEEDS = [
    ("comparison", "tags and 4 fields | 1 ({} ", "DataFrame to line protocol: 2", "influx-proto", 1),
    ("comparison", "of numbers to line protocol | 1 ({} ", "DataFrame of numbers", "influx-proto", 1),
    ("comparison", "objects to line protocol | 1 ({} ", "Objects of a class", "serialize, Weather", 1),
    ("comparison", "mappings to line protocol | 1 ({} ", "Mappings", "influx_proto.serialize", 1),
    ("comparison", "DataFrame, one series | 1 ({} ", "query_dataframe, one series", "influx-requests", 1),
    ("comparison", "DataFrame, 10 000 series | 1 ({} ", "query_dataframe, 10 000 series", "influx-requests", 1),
    ("comparison", "DataFrame to the server | 1 ({} ", "A DataFrame to a server", "influx-requests, 1 in flight", 1),
    ("comparison", "one point takes aioinflux {} of", "Writes of one mapping", "aioinflux", 3),
    ("comparison", "a query of 10 rows {}.", "Queries of 10 rows, sequential", "aioinflux", 3),
    ("comparison", "query to a DataFrame: {} MB here", "query_dataframe, one series", "influx-requests", 4),
    ("comparison", "MB here, {} MB with influxdb", "query_dataframe, one series", "influxdb", 4),
    ("performance", "A row takes about {} ", "DataFrame to line protocol: 2", "influx-proto", 1),
    ("performance", "`@lineprotocol` class {} ", "Objects of a class", "serialize, Weather", 1),
    ("performance", "a mapping {} ", "Mappings", "influx_proto.serialize", 1),
    ("performance", "DataFrames take {} times", "DataFrame to line protocol: 2", "influx-proto, no extra", 3),
]


def measured(section: str, variant: str, column: int) -> float:
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    table = results.partition(f"\n## {section}")[2].partition("\n## ")[0]
    [row] = re.findall(rf"^\| {re.escape(variant)} \|.*$", table, re.MULTILINE)
    return float(row.split("|")[1 + column])


@pytest.mark.parametrize(("page", "text", "section", "variant", "column"), SPEEDS, ids=[each[1] for each in SPEEDS])
def test_speed(page: str, text: str, section: str, variant: str, column: int) -> None:
    """Rounded, and perhaps of an earlier run of the benchmarks, but not far off."""
    before, after = map(re.escape, text.split("{}"))
    [shown] = re.findall(rf"{before}([\d.]+){after}", text_of(page))
    assert float(shown) == pytest.approx(measured(section, variant, column), rel=0.3)


def test_speed_of_concurrent_writes() -> None:
    [shown] = re.findall(r"32 concurrent small writes takes ([\d.]+) of", text_of("performance"))
    concurrent, sequential = (
        measured(f"Small writes, {how}", "aiohttp, ours", 1) for how in ("32 concurrent", "sequential")
    )
    assert float(shown) == pytest.approx(concurrent / sequential, rel=0.3)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "comparison.md"], ids=lambda page: page.name)
def test_speed_of_other_clients(page: Path) -> None:
    [row] = re.findall(r"^\| DataFrame to line protocol, [^|]*\|(.*)\|$", page.read_text(), re.MULTILINE)
    shown = [float(number) for cell in row.split("|")[1:] for number in re.findall(r"^ ([\d.]+) ?$", cell)]
    names = ("influxdb", "influxdb-client", "influxdb3-python", "questdb")
    assert shown == pytest.approx([measured("DataFrame to line protocol: 2", name, 3) for name in names], rel=0.3)
