"""100 good lines and 1 bad line on every server: 100 lines are stored, and 1 is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from influx_proto import PartialWriteError, RetryPolicy, UndeliveredError, WriteError

from tests.servers.rejecting import REASON, RESPONSES, RejectingServer
from tests.servers.scripted import ScriptedServer, reply

EACH_SERVER = pytest.mark.parametrize("name", RESPONSES)
ONCE = RetryPolicy(attempts=1)
GOOD = [f"m v={n} {n}" for n in range(100)]
BAD = "bad v= 5"
LINES = [*GOOD[:50], BAD, *GOOD[50:]]


@EACH_SERVER
@pytest.mark.needs("background")
def test_batch_writer(connect: Callable[..., Any], name: str) -> None:
    serve = RejectingServer(name)
    with ScriptedServer([[serve]]) as server:
        client = connect(server.url, database="db")
        with client.batch_writer(max_delay=60) as writer:
            good = writer.write(GOOD[:50])
            bad = writer.write(BAD)
            writer.write(GOOD[50:])
            with pytest.raises(PartialWriteError) as caught:
                writer.flush()
        assert serve.stored == {line.encode() for line in GOOD}
        assert [one.line for one in caught.value.rejected] == [one.line for one in bad.rejected] == [BAD]
        assert (good.rejected, good.error) == ([], None)
        assert (writer.written, writer.rejected, writer.undelivered) == (100, 1, [])


@EACH_SERVER
def test_search_for_rejected_lines(connect: Callable[..., Any], name: str) -> None:
    serve = RejectingServer(name)
    with ScriptedServer([[serve]]) as server:
        with pytest.raises(PartialWriteError, match="1 line was rejected, and all others were stored") as caught:
            connect(server.url, bucket="b", org="o").write(LINES, find_rejected=True)
        assert [(one.line, one.number) for one in caught.value.rejected] == [(BAD, None)]
        assert serve.stored == {line.encode() for line in GOOD}
        assert {request.target for request in server.requests} == {"/api/v2/write?precision=ns&bucket=b&org=o"}


def test_error_of_a_plain_write(connect: Callable[..., Any]) -> None:
    serve = RejectingServer("3.x /write")
    with ScriptedServer([[serve]]) as server:
        with pytest.raises(WriteError, match=f"line 51, '{BAD}': {REASON}") as caught:
            connect(server.url, database="db").write(LINES)
        assert [(one.line, one.reason, one.number) for one in caught.value.rejected] == [(BAD, REASON, 51)]
        assert caught.value.__notes__[0].startswith("no line of this request was stored")
        assert serve.stored == set()
        assert len(server.requests) == 1


def test_bucket_of_a_call(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(204)]) as server:
        client = connect(f"{server.url}?bucket=b&org=o")
        client.write("m v=1 1", bucket="c/d", precision="us")
        client.write("m v=1 1", db="e", precision="us")
        client.write("m v=1 1")
        assert [request.target for request in server.requests] == [
            "/api/v2/write?bucket=c%2Fd&precision=us&org=o",
            "/write?db=e&precision=u",
            "/api/v2/write?precision=ns&bucket=b&org=o",
        ]
        with pytest.raises(ValueError, match=r"^precision: a bucket accepts ns, us, ms and s"):
            client.write("m v=1 1", precision="h")


@pytest.mark.needs("background")
def test_undelivered_lines_have_their_bucket(connect: Callable[..., Any]) -> None:
    with ScriptedServer([reply(401)]) as server:
        client = connect(server.url, bucket="b", org="o", retry=ONCE)
        with pytest.raises(UndeliveredError) as caught, client.batch_writer(exit_timeout=0.1) as writer:
            writer.write("m v=1 1")
            writer.write("m v=1 1", bucket="c")
            writer.write("m v=1 1", db="d")
            with pytest.raises(ValueError, match=r"^precision: a bucket accepts ns, us, ms and s"):
                writer.write("m v=1 1", precision="h")
        places = [(it.db, it.bucket, it.org) for it in caught.value.undelivered]
        assert places == [(None, "b", "o"), (None, "c", "o"), ("d", None, None)]
