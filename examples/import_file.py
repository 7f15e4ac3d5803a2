"""Import a CSV or Parquet file of any size in constant memory, with a progress bar.

    python -m examples.import_file trips.csv --measurement trip --time started --tag vehicle --type fare=float

INFLUXDB_URL is the server. Each row is a point: the columns in --tag are tags, the column --time has the timestamps (or
integers in the unit of --precision), and all other columns are fields with the type of the column. The types of a CSV
file are detected from its first rows; --type overrides them. Empty cells are omitted.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow has no types
import pyarrow.csv as pc  # type: ignore[import-untyped]  # see above
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # see above
from influx_proto import InfluxDBError, PartialWriteError
from influx_requests import InfluxDBClient
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from influx_proto import BatchWriter

ROWS = 5_000  # rows that are read at a time, not counting pending ones

TYPES: dict[str, Any] = {
    "float": pa.float64(),
    "integer": pa.int64(),
    "unsigned": pa.uint64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
}


@contextmanager
def open_parquet(path: Path) -> Generator[tuple[int | None, Any, Iterable[Any]]]:
    """Yield the number of rows, the schema, and an iterable that reads batches."""
    with pq.ParquetFile(path) as file:
        yield file.metadata.num_rows, file.schema_arrow, file.iter_batches(ROWS)


@contextmanager
def open_csv(path: Path, time: str, types: dict[str, Any]) -> Generator[tuple[int | None, Any, Iterable[Any]]]:
    """Yield the same, with None as the number of rows, which is unknown before the whole file is read."""
    convert_options = pc.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    with pc.open_csv(path, convert_options=convert_options) as reader:
        time_type = reader.schema.field(time).type if time in reader.schema.names else None
    if time_type is not None and pa.types.is_timestamp(time_type):
        # The detected unit is that of the first rows; later timestamps may be more precise.
        convert_options.column_types = types | {time: pa.timestamp("ns", time_type.tz)}
    with pc.open_csv(path, convert_options=convert_options) as reader:
        yield None, reader.schema, reader


def parse_type(text: str) -> tuple[str, str]:
    """Parse `fare=float`."""
    column, _, type_name = text.rpartition("=")
    if not column or type_name not in TYPES:
        msg = f"got {text!r}; pass COLUMN=TYPE, where TYPE is one of {', '.join(TYPES)}"
        raise argparse.ArgumentTypeError(msg)
    return column, type_name


def import_file(client: InfluxDBClient, options: argparse.Namespace) -> int:
    """Write the points of the file; return the number of points that were stored."""
    if options.file.suffix == ".parquet":
        source = open_parquet(options.file)
    else:
        # Tags are read as strings, so that 007 does not become 7.
        types = dict.fromkeys(options.tag, pa.string()) | {column: TYPES[name] for column, name in options.type}
        source = open_csv(options.file, options.time, types)
    with source as (total, schema, batches), tqdm(total=total, unit=" points", unit_scale=True) as bar:

        def show(writer: BatchWriter) -> None:
            bar.update(writer.written - bar.n)

        with client.batch_writer(max_lines=ROWS, max_pending=2 * ROWS, on_progress=show) as writer:
            # One table for the whole file, so that errors have the row number. It is read lazily, and reading pauses
            # while `max_pending` lines are pending.
            table = pa.RecordBatchReader.from_batches(schema, batches)
            writer.write(
                table,
                options.measurement,
                tag_columns=options.tag,
                time_column=options.time,
                precision=options.precision,
            )
    return writer.written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="Parquet file with the suffix .parquet, otherwise CSV with a header")
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--measurement", help="default: the name of the file")
    parser.add_argument("--time", default="time", metavar="COLUMN", help="default: %(default)s")
    parser.add_argument("--precision", default="ns", choices=["ns", "u", "ms", "s", "m", "h"],
                        help="unit of integer timestamps (default: %(default)s)")  # fmt: skip
    parser.add_argument("--tag", action="append", default=[], metavar="COLUMN", help="tag column; can be repeated")
    parser.add_argument("--type", action="append", default=[], type=parse_type, metavar="COLUMN=TYPE",
                        help=f"type of a field: {', '.join(TYPES)}; can be repeated")  # fmt: skip
    options = parser.parse_args()
    options.measurement = options.measurement or options.file.stem
    with InfluxDBClient.from_env(database=options.database, field_types=dict(options.type)) as client:
        try:
            client.create_database(options.database)
            stored = import_file(client, options)
        except PartialWriteError as error:
            rows = "\n".join(f"{line}\n    {reason}" for line, reason in error.rejected[:10])
            sys.exit(f"{error}\nfirst rejected lines:\n{rows}")
        except (InfluxDBError, pa.ArrowInvalid, OSError) as error:
            sys.exit(f"{options.file}: {error}")
    print(f"{stored} points of {options.file} stored in {options.database} as {options.measurement}.")


if __name__ == "__main__":
    main()
