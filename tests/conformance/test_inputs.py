"""Input that must not be altered silently, over every adapter and through batch writers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from influx_proto import SerializationError

from tests.conformance.drivers import Driver
from tests.servers.scripted import ScriptedServer, reply

POINT = {"measurement": "m", "fields": {"v": 1}, "time": 1}


@pytest.mark.parametrize(
    ("name", "right"),
    [("database", "db="), ("time_precision", "precision="), ("precison", "precision="), ("chunk_size", "queries")],
)
def test_options_do_not_become_tags(connect: Callable[..., Any], name: str, right: str) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        with pytest.raises(TypeError, match=rf"^{name}: .*{right}.*tags={{"):
            client.write(POINT, **{name: "s"})
        assert client.write(POINT, host="a", asset_class="equities", tags={name: "s"}) is True
        assert len(server.requests) == 1
        assert b"asset_class=equities" in server.requests[0].body
        assert f"{name}=s".encode() in server.requests[0].body


def test_arguments_for_points_are_rejected_with_raw_lines(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db", tags={"site": "lab"}, field_types={"v": "float"})
        for options in ({"tags": {"room": "hall"}}, {"room": "hall"}, {"field_types": {"v": "float"}}):
            with pytest.raises(SerializationError, match="no effect on raw line protocol"):
                client.write("m v=1 1", **options)
        with pytest.raises(SerializationError, match=r"^measurement: has no effect"):
            client.write("m v=1 1", "n")
        assert server.requests == []
        client.write("m v=1 1")  # the client's defaults apply only to points
        assert server.requests[0].body == b"m v=1 1"


@pytest.mark.needs("background")
def test_batch_writer_rejects_the_same_input(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        with client.batch_writer() as writer:
            for name in ("database", "time_precision", "precison", "max_lines", "max_lines"):
                with pytest.raises(TypeError, match=rf"^{name}: .*tags={{"):
                    writer.write(POINT, **{name: "s"})
            with pytest.raises(SerializationError, match=r"^tags: has no effect on raw line protocol"):
                writer.write("m v=1 1", room="hall")
            writer.write(POINT, room="hall")
        assert [request.body for request in server.requests] == [b"m,room=hall v=1i 1"]


INCOMPLETE = ["m,path=C:\\", 'log msg="cut 1', 'log msg="cut 1\n']


@pytest.mark.parametrize("text", INCOMPLETE)
def test_incomplete_raw_lines_do_not_swallow_others(client: Any, driver: Driver, text: str, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text(f"{text}\nm v=2 2\n")

    async def arriving() -> AsyncIterator[str]:
        yield text

    with file.open() as opened:
        several: list[Any] = [text, [text, POINT], (item for item in (text, POINT)), opened]
        if driver.backend is not None:
            several.append(arriving())
        for data in several:
            with pytest.raises(SerializationError, match="is incomplete"):
                client.write(data)
    assert client.write("m v=3 3") is True
    assert [row[1] for row in client.query("SELECT v FROM m").series[0].values] == [3.0]
    assert client.show_measurements().series[0].values == [["m"]]


@pytest.mark.needs("background")
@pytest.mark.parametrize("text", INCOMPLETE)
def test_lines_of_different_callers_do_not_merge(client: Any, text: str) -> None:
    with client.batch_writer() as writer:
        with pytest.raises(SerializationError, match="is incomplete"):
            writer.write(text)
        writer.write("m v=3 3")
        with pytest.raises(SerializationError, match="is incomplete"):
            writer.write(["m v=4 4", text])
    assert [row[1] for row in client.query("SELECT v FROM m").series[0].values] == [3.0, 4.0]


def test_ambiguous_times(client: Any) -> None:
    client.write("m v=1 1")
    for text in ("11.02.2024", "Sat Mar 30 2019 21:00:00 GMT+0100"):
        with pytest.raises(SerializationError, match="ambiguous timestamp"):
            client.write({**POINT, "time": text})
        with pytest.raises(ValueError, match=r"^end: .*ambiguous timestamp"):
            client.delete("m", end=text)
        with pytest.raises(ValueError, match=r"^start: .*ambiguous timestamp"):
            client.list_series(start=text)
    client.write([{**POINT, "time": "2017"}, {**POINT, "time": "2017-03"}])
    assert [row[0] for row in client.query("SELECT v FROM m").series[0].values] == [
        1, 1_483_228_800_000_000_000, 1_488_326_400_000_000_000
    ]  # fmt: skip
    client.delete("m", end="2017-03")
    assert len(client.query("SELECT v FROM m").series[0].values) == 1


def test_query_dataframe_rejects_several_statements(client: Any) -> None:
    client.write("m v=1 1")
    for q in ("SELECT v FROM m; DROP MEASUREMENT m", 'SELECT v FROM m WHERE p =~ /"/; DROP MEASUREMENT m --"'):
        with pytest.raises(ValueError, match=r"^q: must be one statement, not 2"):
            client.query_dataframe(q)
    assert len(client.query_dataframe("SELECT v FROM m WHERE p !~ /a;b/;")) == 1
