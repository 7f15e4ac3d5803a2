"""What only the blocking client has: threads, sessions of one's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests
from influx_requests import InfluxDBClient

from tests.servers.influxd import Server
from tests.servers.scripted import ScriptedServer, reply


def test_many_threads_share_a_client(influxd: Server, database: str) -> None:
    with InfluxDBClient.from_url(influxd.url, database=database) as client, ThreadPoolExecutor(8) as pool:

        def write(n: int) -> bool:
            return client.write({"measurement": "m", "fields": {"n": n}, "time": n})

        assert all(pool.map(write, range(200)))
        assert [point["n"] for point in client.query("SELECT n FROM m").points()] == list(range(200))


def test_a_session_of_ones_own_is_not_closed(influxd: Server) -> None:
    with requests.Session() as session:
        with InfluxDBClient.from_url(influxd.url, session=session) as client:
            client.ping()
        assert session.get(influxd.url + "/ping").status_code == 204


def test_a_session_of_ones_own_keeps_its_authentication() -> None:
    with ScriptedServer([reply(204)]) as server, requests.Session() as session:
        session.auth = ("somebody", "else")
        with InfluxDBClient.from_url(server.url, session=session) as client:
            client.ping()
    assert server.requests[0].headers["authorization"].startswith("Basic ")
