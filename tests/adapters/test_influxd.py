"""The real server of the tests, where it would not keep what it has acknowledged."""

from __future__ import annotations

import influx_requests

from tests.servers.influxd import Influxd


def test_killed_in_the_midst_of_an_entry_of_its_log() -> None:
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
