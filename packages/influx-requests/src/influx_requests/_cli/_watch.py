"""Command `watch`: prints the points of a measurement as they are stored, like `tail -f`."""

from __future__ import annotations

import argparse
import re
import sys
import time
from typing import Final

from influx_proto import QueryResult
from influx_proto.influxql import quote_identifier

from ._connection import create_client
from ._console import PROGRAM, CommandError, Exit, print_stderr
from ._outputs import Output, create_output

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
    output = create_output(sys.stdout, options.format or ("table" if sys.stdout.isatty() else "csv"), options)
    with create_client(options) as client:
        if not client.db:
            msg = "database required; pass --database (or set INFLUXDB_DATABASE)"
            raise CommandError(msg, Exit.USAGE)
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
            last = _print(client.query(f"{select}time > {last} ORDER BY time", epoch=None), output) or last


def _print(found: QueryResult, output: Output) -> str | None:
    """Print the points and return the time of the last one as a literal of InfluxQL."""
    if not found.series:
        return None
    output.add(found)
    sys.stdout.flush()
    return f"'{found.series[-1].values[-1][0]}'"
