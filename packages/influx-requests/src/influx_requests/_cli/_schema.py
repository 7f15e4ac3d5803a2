"""Commands `databases`, `measurements` and `schema`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from influx_proto import QueryResult
from influx_proto.influxql import quote_identifier

from influx_requests import InfluxDBClient

from ._connection import create_client
from ._console import CommandError, Exit, to_printable, width


def run_databases(options: argparse.Namespace) -> Exit:
    """Print the names of the databases."""
    with create_client(options) as client:
        _print_names(client.show_databases())
    return Exit.OK


def run_measurements(options: argparse.Namespace) -> Exit:
    """Print the names of the measurements."""
    with create_client(options) as client:
        found = client.show_measurements()
        if not found.series:
            client.query("SHOW TAG KEYS")  # unlike SHOW MEASUREMENTS, it fails if the database does not exist
        _print_names(found)
    return Exit.OK


def run(options: argparse.Namespace) -> Exit:
    """Print the tags and fields of measurements."""
    with create_client(options) as client:
        text = format_schema(client, options.measurements)
    if not text:
        msg = "no such measurement" if options.measurements else "the database has no measurements"
        raise CommandError(msg)
    sys.stdout.write(text)
    return Exit.OK


def format_schema(client: InfluxDBClient, measurements: Iterable[str] = ()) -> str:
    """Return the tags and the fields with their types of measurements, or of all if none are named."""
    source = ", ".join(map(quote_identifier, measurements))
    suffix = f" FROM {source}" if source else ""
    tags: dict[str, list[str]] = {}
    for series in client.query(f"SHOW TAG KEYS{suffix}").series:
        tags[series.name] = [key for (key,) in series.values]
    blocks = []
    for name, types in field_types(client, suffix).items():
        lines = [to_printable(name)]
        rows = [(key, "tag") for key in tags.get(name, ())]
        rows += [(field, ", ".join(found)) for field, found in types.items()]
        keys = [to_printable(key) for key, _ in rows]
        wide = max(map(width, keys))
        lines += [f"  {key}{' ' * (wide - width(key))}  {kind}" for key, (_, kind) in zip(keys, rows, strict=True)]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def field_types(client: InfluxDBClient, from_clause: str) -> dict[str, dict[str, list[str]]]:
    """Return the types of each field, by measurement."""
    fields: dict[str, dict[str, list[str]]] = {}
    for series in client.query(f"SHOW FIELD KEYS{from_clause}").series:
        types = fields.setdefault(series.name, {})
        for name, field_type in series.values:
            types.setdefault(name, []).append(field_type)
    return fields


def names_of(result: QueryResult) -> list[str]:
    """Return the first column of a result, such as that of `SHOW DATABASES`."""
    return [row[0] for series in result.series for row in series.values]


def _print_names(result: QueryResult) -> None:
    for name in names_of(result):
        sys.stdout.write(f"{to_printable(name)}\n")
