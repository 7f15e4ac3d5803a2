"""The live chart: its HTTP endpoints, requested as its page does."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from influx_requests import InfluxDBClient

from tests.examples.programs import start_example
from tests.servers.influxd import Influxd
from tests.servers.ports import reserve_port

if TYPE_CHECKING:
    from pathlib import Path


def get_json(port: int, path: str) -> tuple[int, Any]:
    """Return the status and decoded JSON of a response."""
    try:
        with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_live_chart(tmp_path: Path) -> None:
    with reserve_port("127.0.0.1") as reserved:
        check_live_chart(reserved.getsockname()[1], tmp_path)


def check_live_chart(port: int, tmp_path: Path) -> None:
    host = "a' OR host =~ /./ OR host = 'b"  # an injection attempt
    now = time.time_ns()
    points = [
        {
            "measurement": "machine",
            "tags": {"host": host},
            "fields": {"cpu": 10.0 + n, "load": 0.5, "memory_used": 2**30, "network_in": 1000 * n, "network_out": 0},
            "time": now - n * 2 * 10**9,
        }
        for n in range(10)
    ]
    with Influxd() as server, InfluxDBClient.from_url(server.url, database="d") as client:
        client.create_database("d")
        client.write(points)
        client.write(f"machine,host=other cpu=1,load=1,memory_used=1i,network_in=1i,network_out=1i {now}")
        with start_example("live_chart", "--port", str(port), url=server.url, database="d", folder=tmp_path) as program:
            program.wait_until(lambda: "Running on" in program.out)
            with urllib.request.urlopen(f"http://localhost:{port}/", timeout=30) as response:
                assert response.headers.get_content_type() == "text/html"
                page = response.read()
            assert b"canvas" in page
            assert b"://" not in page  # no external resources
            assert get_json(port, "/hosts") == (200, sorted([host, "other"]))

            status, found = get_json(port, "/data?" + urllib.parse.urlencode({"host": host, "seconds": 3600}))
            assert status == 200
            assert found["end"] - found["begin"] == 3600 * 1000
            assert all(found["begin"] <= row["time"] < found["end"] for row in found["rows"])
            assert {"time", "cpu", "load", "memory", "received", "sent"} == set(found["rows"][0])
            status, minute = get_json(port, "/data?" + urllib.parse.urlencode({"host": host, "seconds": 60}))
            assert [row["cpu"] for row in minute["rows"] if row["cpu"] is not None] == [19.0 - n for n in range(10)]
            assert get_json(port, "/data?host=unknown&seconds=60")[1]["rows"] == []
            for wrong in ("", "?host=a", "?host=a&seconds=-1", "?host=a&seconds=1e9", "?host=a&seconds=90000"):
                status, answered = get_json(port, f"/data{wrong}")
                assert (status, "request /data" in answered["error"]) == (400, True)

            server.kill()
            status, answered = get_json(port, "/hosts")
            assert (status, "cannot connect" in answered["error"]) == (503, True)
            server.start()
            assert get_json(port, "/hosts")[0] == 200
            program.wait_for_exit(signal.SIGINT)
