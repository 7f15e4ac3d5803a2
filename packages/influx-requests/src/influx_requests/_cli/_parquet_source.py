"""Parquet files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import IO, Any

from influx_proto import SerializationError, serialize

from ._console import CommandError, Exit, import_optional, print_stderr
from ._sources import CHUNK_LINES, Chunk, Position


class ParquetSource:
    """A Parquet file.

    Raises:
        CommandError: the file is not a Parquet file, or a column is missing.
    """

    unit = " rows"

    def __init__(
        self,
        name: str,
        file: IO[bytes],
        *,
        measurement: str | None,
        tag_columns: Collection[str],
        time_column: str,
        precision: str,
    ) -> None:
        self._pa = import_optional("pyarrow", "Parquet")
        self._compute = import_optional("pyarrow.compute", "Parquet")
        parquet = import_optional("pyarrow.parquet", "Parquet")
        self.name = name
        try:
            self._file = parquet.ParquetFile(file)
            names = self._file.schema_arrow.names
        except (OSError, ValueError) as error:  # the bases of pyarrow's exceptions
            raise CommandError(f"{name}: not a Parquet file: {error}") from error
        self.total: int | None = self._file.metadata.num_rows
        self._measurement = measurement
        self._tag_columns = tuple(tag_columns)
        self._time_column = time_column
        self._precision = precision
        #: InfluxDB has no field `time`.
        self._omitted = [name for name in names if name == "time" != time_column]
        if self._omitted:
            print_stderr(f"warning: {name}: the column 'time' is omitted, since InfluxDB has no field of that name")
        for column, option in (
            (time_column, "--time-column"),
            *((tag, "--tag-columns") for tag in tag_columns),
            *([] if measurement is not None else [("measurement", "--measurement")]),
        ):
            if column not in names:
                msg = f"{name}: column {column!r} not found in {', '.join(names)}; pass {option}"
                raise CommandError(msg, Exit.USAGE)

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position."""
        row = 0  # number of rows before the next batch
        for batch in self._file.iter_batches(batch_size=CHUNK_LINES):
            table = self._pa.Table.from_batches([batch]).drop_columns(self._omitted)
            first, row = row, row + len(table)
            if row > start.offset:
                skipped = max(start.offset - first, 0)
                yield self._chunk(table.slice(skipped), first + skipped)

    def _chunk(self, table: Any, first: int) -> Chunk:
        def numbered() -> Iterator[tuple[int, bytes]]:
            return ((first + at + 1, self._to_lines(table.slice(at, 1))) for at in range(len(table)))

        try:
            data = self._to_lines(table)
        except SerializationError:
            for at in range(len(table)):
                try:
                    self._to_lines(table.slice(at, 1))
                except SerializationError as error:
                    raise CommandError(f"{self.name}: row {first + at + 1}: {error}") from error
            raise
        end = first + len(table)
        return Chunk(data, "ns", Position(end, end), numbered)

    def _to_lines(self, table: Any) -> bytes:
        if self._measurement is not None:
            return self._serialize(table, self._measurement)
        column = table.column("measurement")
        rest = table.drop_columns(["measurement"])
        parts = []
        try:
            names = self._compute.unique(column).to_pylist()
        except UnicodeDecodeError as error:
            msg = f"the measurement {error.object!r} is not valid UTF-8; decode it with the encoding that it has"
            raise SerializationError(msg) from None
        for name in names:
            if not isinstance(name, str):
                raise SerializationError(f"column 'measurement' must be text, not {name!r}")
            parts.append(self._serialize(rest.filter(self._compute.equal(column, name)), name))
        return b"\n".join(filter(None, parts))

    def _serialize(self, table: Any, measurement: str) -> bytes:
        if table.column(self._time_column).null_count:
            raise SerializationError(f"measurement {measurement!r}: a row has no timestamp")
        return serialize(
            table,
            measurement,
            tag_columns=self._tag_columns,
            time_column=self._time_column,
            precision=self._precision,
        )
