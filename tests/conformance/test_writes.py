"""Writes of many points: lazy, batched, from async sources, with and without timestamps."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from influx_proto import PartialWriteError, RetryPolicy, SerializationError, ServerUnavailable

from tests.conformance.drivers import Driver
from tests.servers.influxd import Server
from tests.servers.scripted import ScriptedServer, reply

SOON = RetryPolicy(attempts=3, backoff=0.001)


def points(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        yield {"measurement": "m", "fields": {"n": n}, "time": n}


def test_batches_are_bounded_by_lines_and_bytes(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        client.write(points(25), max_lines=10)
        client.write(points(25), max_bytes=50)
        bodies = [request.body for request in server.requests]
    assert [body.count(b"\n") + 1 for body in bodies[:3]] == [10, 10, 5]
    assert all(len(body) <= 50 for body in bodies[3:])
    assert b"\n".join(bodies[:3]) == b"\n".join(bodies[3:])


def test_generator_is_read_lazily(connect: Callable[..., Any]) -> None:
    """The second batch is complete once the first point of the third is read, and waits for the first batch."""

    def watched() -> Iterator[dict[str, Any]]:
        for number, point in enumerate(points(30)):
            if number == 21:
                server.wait_for(1)
            yield point

    with ScriptedServer([reply(204)]) as server:
        connect(server.url, database="db").write(watched(), max_lines=10)
        assert len(server.requests) == 3


def test_error_in_the_middle_reports_stored_lines(connect: Callable[..., Any]) -> None:
    def broken() -> Iterator[object]:
        yield from points(25)
        yield {"measurement": "m", "fields": {"n": object()}}

    with ScriptedServer([reply(204)]) as server:
        with pytest.raises(SerializationError, match=r"row 25: .*'m'.*'n'.*object") as caught:
            connect(server.url, database="db").write(broken(), max_lines=10)
        assert len(server.requests) == 2
    assert caught.value.__notes__ == ["20 other lines of this write were stored"]


def test_async_iterable(client: Any, driver: Driver) -> None:
    closed: list[bool] = []

    async def arriving() -> AsyncIterator[object]:
        try:
            yield from_line
            for point in points(5):
                yield point
            yield [{"measurement": "m", "fields": {"n": 5}, "time": 5}]
        finally:
            closed.append(True)

    from_line = "m n=-1i -1"
    if driver.backend is None:
        with pytest.raises(SerializationError, match="async client"):
            client.write(arriving())
        return
    assert client.write(arriving(), max_lines=2) is True
    assert [row[1] for row in client.query("SELECT n FROM m").series[0].values] == [-1, 0, 1, 2, 3, 4, 5]
    assert closed == [True]
    with pytest.raises(SerializationError, match="row 1: "):
        client.write(one_and_bad(closed))
    assert closed == [True, True]


async def one_and_bad(closed: list[bool]) -> AsyncIterator[object]:
    try:
        yield "m n=1i 1"
        yield object()
        yield "m n=2i 2"
    finally:
        closed.append(True)


def test_client_stamps_points_on_arrival(client: Any) -> None:
    """Each point gets a unique timestamp, so that none replaces another and a retry is safe."""
    before = time.time_ns()
    client.write([{"measurement": "m", "fields": {"n": n}} for n in range(100)], stamp=True)
    client.write("m n=100i\nm n=101i 5\nm n=102i", stamp=True, precision="s")
    after = time.time_ns()
    rows = client.query("SELECT n FROM m").series[0].values
    assert rows[0] == [5_000_000_000, 101]
    assert [n for _, n in rows[1:]] == [*range(101), 102]
    assert all(before <= time <= after for time, _ in rows[1:])


def test_stamped_points_are_retried(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(500), reply(204)]) as server:
        client = connect(server.url, database="db", retry=SOON)
        assert client.write({"measurement": "m", "fields": {"v": 1}}, stamp=True) is True
        first, second = server.requests
        assert first.body == second.body
    with ScriptedServer([reply(500), reply(204)]) as server:
        with pytest.raises(ServerUnavailable):
            connect(server.url, database="db", retry=SOON).write({"measurement": "m", "fields": {"v": 1}})
        assert len(server.requests) == 1


def test_type_policy(client: Any) -> None:
    client.write({"measurement": "m", "fields": {"a": 1, "b": 2, "c": float("inf")}, "time": 1}, nonfinite="omit",
                 field_types={"a": "float"})  # fmt: skip
    client.write({"measurement": "m", "fields": {"a": 1.5, "b": 3}, "time": 2})
    client.write({"measurement": "n", "fields": {"a": 1, "b": 2}, "time": 2}, integers_as_floats=True)
    assert list(client.select_all("m").points()) == [{"time": 1, "a": 1.0, "b": 2}, {"time": 2, "a": 1.5, "b": 3}]
    [point] = client.select_all("n").points()
    assert [type(point["a"]), type(point["b"])] == [float, float]


def test_client_defaults_apply_to_all_writes(
    driver: Driver, influxd: Server, database: str, connect: Callable[..., Any]
) -> None:
    client = connect(
        influxd.url, database=database, tags={"site": "lab", "rack": 1}, field_types={"n": "float", "s": "string"},
        nonfinite="omit",
    )  # fmt: skip
    client.write({"measurement": "a", "fields": {"n": 1, "s": True, "x": float("inf")}, "time": 1})
    client.write({"measurement": "a", "tags": {"rack": "2"}, "fields": {"n": 2}, "time": 2}, site="home")
    client.write({"measurement": "a", "fields": {"m": 3}, "time": 3}, field_types={"m": "float"})
    client.write("a n=4 4")
    series = client.query("SELECT m, n, s, x, rack, site FROM a").series
    assert [one.columns for one in series] == [("time", "m", "n", "s", "x", "rack", "site")]
    assert repr(series[0].values) == repr([
        [1, None, 1.0, "true", None, "1", "lab"],
        [2, None, 2.0, None, None, "2", "home"],
        [3, 3.0, None, None, None, "1", "lab"],
        [4, None, 4.0, None, None, None, None],
    ])
    with pytest.raises(SerializationError, match="infinite"):
        client.write({"measurement": "a", "fields": {"n": 1, "x": float("inf")}}, nonfinite="raise")
    client = connect(influxd.url, database=database, integers_as_floats=True)
    client.write({"measurement": "b", "fields": {"n": 1}})
    with pytest.raises(PartialWriteError, match="field type conflict"):
        client.write({"measurement": "b", "fields": {"n": 1}}, integers_as_floats=False)


@pytest.mark.parametrize("argument", [{"field_types": {"a": "int"}}, {"integers_as_floats": 1}, {"nonfinite": "keep"}])
def test_invalid_client_defaults(driver: Driver, argument: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{next(iter(argument))}: "):
        driver.client_class(**argument)


WEEK = 7 * 86400 * 10**9  # each week has its own shard
NOW = time.time_ns()


@pytest.mark.needs("retention_policies")
@pytest.mark.parametrize(
    ("before", "lines"),
    [
        (["m v=1.0,w=1i 1"], ["m new=t 11", "m w=3.5 12", "m new=1 15", "m v=4.5 16"]),
        ([f"m v=1.0 {NOW}"], [f"m v=5i {NOW + 1}", f"m v=3.0 {NOW - 30 * WEEK}", f"m v=4.0 {NOW + 2}", "m v= 5"]),
        (["m v=1.0,w=1.0 1", f"m v=1.0,w=1.0 {2 * WEEK}"], ["m v=5i 10", f"m w=5i {2 * WEEK + 10}", "m v=7.0 11"]),
        (["m v=1.0,w=1.0 1", f"m v=1i {4 * WEEK}"], ["m v=5i 10", "m w=5i 11", f"m v=6i {4 * WEEK + 1}", "m v=7.0 12"]),
        (["m v=2.0 1"], ["m v=2.5 2", 'm v=,s=" dropped=2" 3']),
    ],
    ids=["two conflicts", "conflict and too old", "two shards", "stored in another shard", "a count in the data"],
)
def test_lines_are_not_lost_silently(client: Any, before: list[str], lines: list[str]) -> None:
    """The server reports one reason, of one shard, and how many points it dropped for that reason."""
    client.create_retention_policy("rp", client.db, duration="2d" if before[0].endswith(str(NOW)) else "INF")
    client.write(before, rp="rp")
    with pytest.raises(PartialWriteError) as caught:
        client.write(lines, rp="rp", find_rejected=True)
    rejected = [line for line, _ in caught.value.rejected]
    times = {point["time"] for point in client.query("SELECT * FROM rp.m").points()}
    assert rejected == [line for line in lines if int(line.split(" ")[-1]) not in times]
    assert caught.value.dropped == len(rejected)


def test_hinted_handoff_is_not_retried(connect: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    headers = {"Content-Type": "application/json"}
    queued = b'{"error":"write failed: hinted handoff queue not empty"}'
    full = b'{"error":"write failed: queue is full"}'
    with ScriptedServer([reply(500, headers, queued), reply(500, headers, full), reply(204)]) as server:
        client = connect(server.url, database="db", retry=SOON)
        with caplog.at_level("WARNING", "influx_proto"):
            client.write("m v=1 1")
        assert len(server.requests) == 1
        assert "hinted handoff queue not empty" in caplog.text
        client.write("m v=2 2")  # which the other node cannot store
        assert len(server.requests) == 3


def test_an_exception_of_the_iterable_reports_the_stored_lines(client: Any) -> None:
    error = LookupError("no more")

    def lines() -> Iterator[str]:
        yield from ("stored v=1 1", "stored v=2 2", "lost v=3 3")
        raise error

    with pytest.raises(LookupError) as caught:
        client.write(lines(), max_lines=1)
    assert caught.value is error
    assert [note for note in error.__notes__ if "stored" in note] == ["2 other lines of this write were stored"]
    assert len(list(client.query("SELECT * FROM stored").points())) == 2
