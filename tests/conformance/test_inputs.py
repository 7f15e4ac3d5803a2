"""Input that must not be altered silently, over every adapter and the batch writers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from influx_proto import SerializationError

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


def test_arguments_are_not_ignored_beside_raw_lines(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db", tags={"site": "lab"}, field_types={"v": "float"})
        for options in ({"tags": {"room": "hall"}}, {"room": "hall"}, {"field_types": {"v": "float"}}):
            with pytest.raises(SerializationError, match="no effect on raw line protocol"):
                client.write("m v=1 1", **options)
        with pytest.raises(SerializationError, match=r"^measurement: has no effect"):
            client.write("m v=1 1", "n")
        assert server.requests == []
        client.write("m v=1 1")  # the client's defaults are for points
        assert server.requests[0].body == b"m v=1 1"


@pytest.mark.needs("background")
def test_a_batch_writer_refuses_the_same(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(server.url, database="db")
        with client.batch_writer() as writer:
            for name in ("database", "time_precision", "precison", "max_lines", "batch_lines"):
                with pytest.raises(TypeError, match=rf"^{name}: .*tags={{"):
                    writer.write(POINT, **{name: "s"})
            with pytest.raises(SerializationError, match=r"^tags: has no effect on raw line protocol"):
                writer.write("m v=1 1", room="hall")
            writer.write(POINT, room="hall")
        assert [request.body for request in server.requests] == [b"m,room=hall v=1i 1"]
