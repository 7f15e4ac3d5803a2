"""Features that only the requests client has: threads, forks, caller's sessions."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from influx_proto import QueryError
from influx_requests import InfluxDBClient, _connection

from tests.servers.influxd import Server
from tests.servers.scripted import Behavior, Receive, ScriptedServer, Send, Stall, reply, respond


def test_many_threads_share_a_client(influxd: Server, database: str) -> None:
    with InfluxDBClient.from_url(influxd.url, database=database) as client, ThreadPoolExecutor(8) as pool:

        def write(n: int) -> bool:
            return client.write({"measurement": "m", "fields": {"n": n}, "time": n})

        assert all(pool.map(write, range(200)))
        assert [point["n"] for point in client.query("SELECT n FROM m").points()] == list(range(200))


def test_client_survives_a_fork(influxd: Server) -> None:
    """The child opens new connections; the parent's stay usable."""
    code = """
import os, sys
from influx_requests import InfluxDBClient
client = InfluxDBClient.from_url(sys.argv[1])
assert client.ping().version
child = os.fork()
for _ in range(20): assert client.ping().version
if child:
    assert os.waitpid(child, 0)[1] == 0
    for _ in range(20): assert client.ping().version
client.close()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, influxd.url], check=True, timeout=60)


def test_callers_session_does_not_survive_a_fork(influxd: Server) -> None:
    code = """
import os, sys, requests
from influx_requests import InfluxDBClient
with requests.Session() as session, InfluxDBClient.from_url(sys.argv[1], session=session) as client:
    client.ping()
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        client.ping()
    else:
        try: client.ping()
        except RuntimeError as error: assert "before a fork" in str(error)
        else: os._exit(1)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, influxd.url], check=True, timeout=60)


def test_callers_session_is_not_closed(influxd: Server) -> None:
    with requests.Session() as session:
        with InfluxDBClient.from_url(influxd.url, session=session) as client:
            client.ping()
        assert session.get(influxd.url + "/ping").status_code == 204


def test_callers_session_keeps_its_authentication() -> None:
    with ScriptedServer([reply(204)]) as server, requests.Session() as session:
        session.auth = ("other", "user")
        with InfluxDBClient.from_url(server.url, session=session) as client:
            client.ping()
    assert server.requests[0].headers["authorization"].startswith("Basic ")


def test_session_with_raise_for_status(influxd: Server, database: str) -> None:
    """The client still reads the server's error message."""
    with requests.Session() as session:
        session.hooks["response"].append(lambda response, **_: response.raise_for_status())
        with InfluxDBClient.from_url(influxd.url, database=database, session=session) as client:
            assert client.ping().version
            with pytest.raises(QueryError, match="found SELEC"):
                client.query("SELEC")


def test_connection_that_was_idle_for_long_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall may have dropped it, of which the client would learn only after the idle timeout."""
    behavior: Behavior = [Receive(), Send(respond(204)), Receive(), Stall(30)]
    with ScriptedServer([behavior, reply(204)]) as server, InfluxDBClient(port=server.port) as client:
        client.ping()
        monkeypatch.setattr(_connection, "_KEEP_ALIVE", -1)
        client.ping(timeout=5)
        assert (server.connections, len(server.requests)) == (2, 2)
