"""Command `watch`: prints the points of a measurement as they are stored, like `tail -f`."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from typing import Final

from influx_proto import InfluxDBError, QueryResult
from influx_proto.influxql import quote_identifier

from influx_requests import InfluxDBClient

from ._connection import create_client
from ._console import PROGRAM, CommandError, Exit, print_stderr
from ._outputs import Output, create_output
from ._terminal import columns

_QUERY: Final = re.compile(r"\s*(SELECT|SHOW)\s", re.IGNORECASE)


def run(options: argparse.Namespace) -> Exit:
    """Print the last points, and then new ones until the program is interrupted."""
    if _QUERY.match(options.measurement):
        msg = f"watch requires the name of a measurement, got a query; run it with `{PROGRAM} query`, or pass --where"
        raise CommandError(msg, Exit.USAGE)
    source = quote_identifier(options.measurement)
    if options.rp:
        source = f"{quote_identifier(options.rp)}.{source}"
    where = f"({options.where}) AND " if options.where else ""
    select = f"SELECT * FROM {source} WHERE {where}"  # noqa: S608 - the user's own condition
    output_format = options.format or ("table" if sys.stdout.isatty() else "csv")
    output = create_output(sys.stdout, output_format, options, max_width=columns() if sys.stdout.isatty() else None)
    if output_format == "csv":
        output = _SameColumns(output)
    with create_client(options) as client:
        if not client.db:
            raise CommandError("database required; pass --database (or set INFLUXDB_DATABASE)", Exit.USAGE)
        last = str(time.time_ns())
        if options.lines:
            found = client.query(f"{select}time <= {last} ORDER BY time DESC LIMIT {options.lines}", epoch=None)
            for series in found.series:
                series.values.reverse()
            if not found.series:
                print_stderr(f"no points of {options.measurement!r} in {client.db!r} yet; waiting for new ones")
            last = _print(found, output) or last
        while True:
            time.sleep(options.interval)
            found = _query(client, f"{select}time > {last} ORDER BY time", options.interval)
            last = _print(found, output) or last


def _query(client: InfluxDBClient, query: str, interval: float) -> QueryResult:
    """Run a query, and repeat it while the server is unreachable or overloaded."""
    is_reported = False
    while True:
        try:
            return client.query(query, epoch=None)
        except InfluxDBError as error:
            if not error.retryable:
                raise
            if not is_reported:
                print_stderr(f"warning: {error}; retrying")
            is_reported = True
        time.sleep(interval)


class _SameColumns:
    """CSV output with the columns of the first result: those of `SELECT *` differ between shards."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._columns: Sequence[str] = ()
        self._omitted: set[str] = set()

    def add(self, chunk: QueryResult) -> None:
        """Write a result with the columns of the first one; warn of others."""
        for series in chunk.series:
            self._columns = self._columns or series.columns
            omitted = set(series.columns) - set(self._columns) - self._omitted
            for name in sorted(omitted):
                print_stderr(f"warning: the new column {name!r} is omitted; pass --format json, or start again")
            self._omitted |= omitted
            rows = [dict(zip(series.columns, row, strict=True)) for row in series.values]
            values = [[row.get(name) for name in self._columns] for row in rows]
            self._output.add(
                QueryResult([{"series": [{"name": series.name, "columns": [*self._columns], "values": values}]}])
            )


def _print(found: QueryResult, output: Output) -> str | None:
    """Print the points and return the time of the last one as a literal of InfluxQL."""
    if not found.series:
        return None
    output.add(found)
    sys.stdout.flush()
    return f"'{found.series[-1].values[-1][0]}'"
