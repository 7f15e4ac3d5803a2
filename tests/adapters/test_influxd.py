"""Test server: it keeps its port, its cleanup, and its acknowledged writes across kills."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import influx_requests
import pytest

from tests.servers.influxd import Influxd

ROOT = Path(__file__).parents[2]


def test_port_is_kept_while_no_influxd_runs() -> None:
    with Influxd() as server:
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port), timeout=5)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((server.host, server.port))
        before = server.url
        server.start()
        assert server.url == before


def test_server_and_folder_are_removed_when_the_tests_are_killed() -> None:
    code = (
        "from tests.servers.influxd import Influxd\n"
        "with Influxd() as server: print(server.folder, server.port, flush=True); input()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder, port = process.stdout.readline().split()
        assert Path(folder).is_dir()
        process.kill()
    deadline = time.monotonic() + 20
    while Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), timeout=5)


def test_restart_after_a_kill_within_a_wal_entry() -> None:
    with Influxd() as server, influx_requests.InfluxDBClient.from_url(server.url, database="db") as client:
        client.create_database("db")
        client.write("\n".join(f"m n={n}i {n}" for n in range(1000)))
        server.kill()
        [log] = server.folder.glob("wal/db/**/*.wal")
        data = log.read_bytes()
        for cut in (len(data) // 2, 3):
            log.write_bytes(data + data[:cut])
            server.start()
            client.write("\n".join(f"m n={n}i {n}" for n in range(1000, 2000)))
            server.kill()
            server.start()
            assert client.query("SELECT count(n) FROM m").series[0].values == [[0, 2000]]
            server.kill()
            data = log.read_bytes()
