"""Queries that return a DataFrame, compared with downloading the same rows and with other clients.

    python -m benchmarks.queries [--rows 500000] [--rounds 7] [--peer PYTHON]

`--peer` is the Python of a virtual environment with the package `influxdb`, for its DataFrameClient. The variants are
interleaved, so that other load affects all of them equally; compare the ratios of the medians.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator

import influx_requests
import numpy as np
import pandas as pd
from influx_proto import QueryResult

from tests.servers.running import running_server

Variant = Callable[[], object]
DATABASE = "benchmark"
ONE = "SELECT a, b, n, ok, s FROM one"
MANY = "SELECT a, b, n, ok FROM many GROUP BY host"
SERIES_ROWS = 50

PEER = """
import sys, time, influxdb, pandas
client = influxdb.DataFrameClient(sys.argv[1], int(sys.argv[2]), database=sys.argv[3])
print(f"influxdb {influxdb.__version__}, pandas {pandas.__version__}", flush=True)
for line in sys.stdin:
    begin = time.perf_counter()
    frames = client.query(line.strip(), chunked=False)
    print(time.perf_counter() - begin, flush=True)
"""


def lines(rows: int) -> Iterator[str]:
    """Yield lines of five fields, the same rows for one series and for many."""
    rng = random.Random(1)
    for number in range(rows):
        fields = f"a={rng.random()},b={rng.gauss(20, 5):.2f},n={rng.randrange(10**6)}i,ok={number % 3 == 0}"
        moment = 1_600_000_000_000_000_000 + number * 1_000_000_000
        yield f'one {fields},s="h{number % 10}" {moment}'
        yield f"many,host=h{number // SERIES_ROWS:05} {fields} {moment}"


def curl(url: str, q: str, accept: str) -> None:
    """Download the response and discard it."""
    target = f"{url}/query?" + urllib.parse.urlencode({
        "db": DATABASE,
        "q": q,
        "epoch": "ns",
        "chunked": "true",
        "chunk_size": "10000",
    })
    subprocess.run(["curl", "-sf", "-o", "/dev/null", "-H", f"Accept: {accept}", target], check=True)


def json_loads(url: str, q: str) -> pd.DataFrame:
    """Parse one JSON document, create a DataFrame of its values, and convert the timestamps."""
    target = f"{url}/query?" + urllib.parse.urlencode({"db": DATABASE, "q": q})
    with urllib.request.urlopen(target) as response:
        series = json.load(response)["results"][0]["series"][0]
    frame = pd.DataFrame(series["values"], columns=series["columns"])
    return frame.set_index(pd.to_datetime(frame.pop("time"), utc=True))


def without_a_server(rows: int) -> dict[str, Variant]:
    """Return variants that convert results in memory: one series, and many series with the same rows."""
    columns = ["time", "a", "b", "n", "s", "ok"]

    def values(count: int) -> list[list[object]]:
        return [[number, number * 0.1, number * 0.7, number, f"h{number % 10}", True] for number in range(count)]

    one = QueryResult([{"statement_id": 0, "series": [{"name": "m", "columns": columns, "values": values(rows)}]}])
    parts = [
        {"name": "m", "tags": {"host": f"h{number}"}, "columns": columns, "values": values(SERIES_ROWS)}
        for number in range(rows // SERIES_ROWS)
    ]
    many = QueryResult([{"statement_id": 0, "series": parts}])
    return {
        "to_pandas, one series": one.to_pandas,
        f"to_pandas, series of {SERIES_ROWS} rows": many.to_pandas,
        "to_arrow, one series": one.to_arrow,
        "to_polars, one series": one.to_polars,
    }


def compare(title: str, variants: dict[str, Variant], rounds: int, rows: int) -> None:
    """Measure the variants, interleaved, and print their times relative to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, variant in variants.items():
            begin = time.perf_counter()
            took = variant()
            elapsed = took if isinstance(took, float) else time.perf_counter() - begin
            if turn:  # the first round is a warm-up
                seconds[name].append(elapsed)
            del took
    print(f"\n{title}\n{'':44}{'seconds':>9}{'ns/row':>9}{'ratio':>8}")
    first = statistics.median(next(iter(seconds.values())))
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:44}{median:9.3f}{median / rows * 1e9:9.0f}{median / first:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer", help="Python of an environment with the package influxdb")
    options = parser.parse_args()
    rows = options.rows
    print(f"Python {platform.python_version()}, numpy {np.__version__}, pandas {pd.__version__}, {rows} rows")
    compare("Results in memory", without_a_server(rows), options.rounds, rows)
    with running_server() as server, influx_requests.InfluxDBClient.from_url(server.url, database=DATABASE) as client:
        client.create_database(DATABASE)
        try:
            client.write("\n".join(lines(rows)))
            print(f"\nInfluxDB {client.ping().version}; influx-requests")
            over_http(server.url, client, options)
        finally:
            client.drop_database(DATABASE)


def over_http(url: str, client: influx_requests.InfluxDBClient, options: argparse.Namespace) -> None:
    variants: dict[str, Variant] = {
        "curl, MessagePack": lambda: curl(url, ONE, "application/x-msgpack"),
        "curl, CSV": lambda: curl(url, ONE, "text/csv"),
        "query, then to_pandas": lambda: client.query(ONE).to_pandas(),
        "query_dataframe": lambda: client.query_dataframe(ONE),
        "json.loads, DataFrame(values), to_datetime": lambda: json_loads(url, ONE),
    }
    many: dict[str, Variant] = {
        "curl, MessagePack": lambda: curl(url, MANY, "application/x-msgpack"),
        "query, then to_pandas": lambda: client.query(MANY).to_pandas(),
        "query_dataframe": lambda: client.query_dataframe(MANY),
    }
    if options.peer is None:
        return compare_all(variants, many, options)
    parts = urllib.parse.urlsplit(url)
    command = [options.peer, "-c", PEER, str(parts.hostname), str(parts.port), DATABASE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        stdin, stdout = peer.stdin, peer.stdout
        print(stdout.readline().strip())

        def ask(q: str) -> float:
            print(q, file=stdin, flush=True)
            return float(stdout.readline())

        variants["influxdb's DataFrameClient"] = lambda: ask(ONE)
        many["influxdb's DataFrameClient"] = lambda: ask(MANY)
        compare_all(variants, many, options)
        stdin.close()
    return None


def compare_all(variants: dict[str, Variant], many: dict[str, Variant], options: argparse.Namespace) -> None:
    compare(f"{ONE}", variants, options.rounds, options.rows)
    compare(f"{MANY}: {options.rows // SERIES_ROWS} series", many, options.rounds, options.rows)


if __name__ == "__main__":
    main()
