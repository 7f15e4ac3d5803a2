"""Import a CSV or Parquet file of any size, with a progress bar, in little memory.

    python -m examples.import_file trips.csv --measurement trip --time started --tag vehicle --type fare=float

The server is that of INFLUXDB_URL. Each row is a point: the columns named by --tag are tags, the one named by --time is
its time (a timestamp, or an integer in the unit of --precision), all others are fields of the type that they have in
the file. A CSV file has no types: where its first rows mislead, --type says. Cells that are empty are left out.
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
    from collections.abc import Generator, Iterable, Iterator

    from influx_proto import BatchWriter

ROWS = 5_000  # in memory at a time, besides those that wait to be sent

TYPES: dict[str, Any] = {
    "float": pa.float64(),
    "integer": pa.int64(),
    "unsigned": pa.uint64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
}


@contextmanager
def open_parquet(path: Path) -> Generator[tuple[int | None, Any, Iterable[Any]]]:
    """Give how many rows there are, their schema, and batches of them as they are read."""
    with pq.ParquetFile(path) as file:
        yield file.metadata.num_rows, file.schema_arrow, file.iter_batches(ROWS)


@contextmanager
def open_csv(path: Path, time: str, types: dict[str, Any]) -> Generator[tuple[int | None, Any, Iterable[Any]]]:
    """Give the same; but None for how many rows there are, since that is not known before all are read."""
    choices = pc.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    with pc.open_csv(path, convert_options=choices) as reader:
        found = reader.schema.field(time).type if time in reader.schema.names else None
    if found is not None and pa.types.is_timestamp(found):
        # It is as fine as the times of the first rows, and others may be finer.
        choices.column_types = types | {time: pa.timestamp("ns", found.tz)}
    with pc.open_csv(path, convert_options=choices) as reader:
        yield None, reader.schema, reader


def renamed(schema: Any, batches: Iterable[Any], time: str) -> tuple[Any, Iterator[Any]]:
    """Call the column with the times `time`, which is what the library looks for."""
    names = ["time" if name == time else name for name in schema.names]
    fields = [field.with_name(name) for name, field in zip(names, schema, strict=True)]
    return pa.schema(fields), (batch.rename_columns(names) for batch in batches)


def parse_type(text: str) -> tuple[str, str]:
    """Take `fare=float` apart."""
    column, _, kind = text.rpartition("=")
    if not column or kind not in TYPES:
        msg = f"{text!r} is not COLUMN=TYPE with one of the types {', '.join(TYPES)}"
        raise argparse.ArgumentTypeError(msg)
    return column, kind


def import_file(client: InfluxDBClient, options: argparse.Namespace) -> int:
    """Write what is in the file; give how many points were stored."""
    if options.file.suffix == ".parquet":
        opened = open_parquet(options.file)
    else:
        # A number may well be a tag, and 007 is not 7.
        types = dict.fromkeys(options.tag, pa.string()) | {column: TYPES[kind] for column, kind in options.type}
        opened = open_csv(options.file, options.time, types)
    with opened as (total, schema, batches), tqdm(total=total, unit=" points", unit_scale=True) as bar:

        def show(writer: BatchWriter) -> None:
            bar.update(writer.written - bar.n)

        with client.batch_writer(max_lines=ROWS, max_pending=2 * ROWS, on_progress=show) as writer:
            # One table for the whole file, so that errors tell the number of a row. It is read while it is written, and
            # while many lines wait to be sent, no further ones are read.
            table = pa.RecordBatchReader.from_batches(*renamed(schema, batches, options.time))
            writer.write(table, options.measurement, tag_columns=options.tag, precision=options.precision)
    return writer.written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a Parquet file if it is called .parquet, otherwise CSV with a heading")
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--measurement", help="default: the name of the file")
    parser.add_argument("--time", default="time", metavar="COLUMN", help="default: %(default)s")
    parser.add_argument("--precision", default="ns", choices=["ns", "u", "ms", "s", "m", "h"],
                        help="the unit of times that are integers (default: %(default)s)")  # fmt: skip
    parser.add_argument("--tag", action="append", default=[], metavar="COLUMN", help="may be given several times")
    parser.add_argument("--type", action="append", default=[], type=parse_type, metavar="COLUMN=TYPE",
                        help=f"as what a field is written: {', '.join(TYPES)}; may be given several times")  # fmt: skip
    options = parser.parse_args()
    options.measurement = options.measurement or options.file.stem
    with InfluxDBClient.from_env(database=options.database, field_types=dict(options.type)) as client:
        try:
            client.create_database(options.database)
            stored = import_file(client, options)
        except PartialWriteError as error:
            rows = "\n".join(f"{line}\n    {reason}" for line, reason in error.rejected[:10])
            sys.exit(f"{error}\nThe first of them:\n{rows}")
        except (InfluxDBError, pa.ArrowInvalid, OSError) as error:
            sys.exit(f"{options.file}: {error}")
    print(f"{stored} points of {options.file} are in {options.database}, as {options.measurement}.")


if __name__ == "__main__":
    main()
