"""Parquet files, whose columns have their types."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from influx_proto import SerializationError, serialize

from ._console import CommandError, Exit, needed
from ._sources import CHUNK_LINES, Chunk, Position


class ParquetSource:
    """A Parquet file.

    Raises:
        CommandError: it is none, or has not the columns that it should have.
    """

    unit = " rows"

    def __init__(
        self,
        path: str,
        *,
        measurement: str | None,
        tag_columns: Collection[str],
        time_column: str,
        precision: str,
    ) -> None:
        self._pa = needed("pyarrow", "Parquet")
        self._compute = needed("pyarrow.compute", "Parquet")
        parquet = needed("pyarrow.parquet", "Parquet")
        self.name = path
        try:
            self._file = parquet.ParquetFile(path)
        except (OSError, ValueError) as error:  # pyarrow's own are of both kinds
            msg = f"{path}: is no Parquet file: {error}"
            raise CommandError(msg) from error
        self.total: int | None = self._file.metadata.num_rows
        self._measurement = measurement
        self._tag_columns = tuple(tag_columns)
        self._time_column = time_column
        self._precision = precision
        names = self._file.schema_arrow.names
        for column, option in (
            (time_column, "--time-column"),
            *((tag, "--tag-columns") for tag in tag_columns),
            *([] if measurement is not None else [("measurement", "--measurement")]),
        ):
            if column not in names:
                msg = f"{path}: there is no column {column!r} in {', '.join(names)}; see {option}"
                raise CommandError(msg, Exit.USAGE)

    def chunks(self, begin: Position) -> Iterator[Chunk]:
        """Give the chunks from a position on."""
        row = 0  # how many are before the next
        for batch in self._file.iter_batches(batch_size=CHUNK_LINES):
            table = self._pa.Table.from_batches([batch])
            first, row = row, row + len(table)
            if row > begin.offset:
                skipped = max(begin.offset - first, 0)
                yield self._chunk(table.slice(skipped), first + skipped)

    def _chunk(self, table: Any, first: int) -> Chunk:
        names = ["time" if name == self._time_column else name for name in table.column_names]
        table = table.rename_columns(names)

        def numbered() -> Iterator[tuple[int, bytes]]:
            return ((first + at + 1, self._lines(table.slice(at, 1))) for at in range(len(table)))

        try:
            data = self._lines(table)
        except SerializationError:
            for at in range(len(table)):
                try:
                    self._lines(table.slice(at, 1))
                except SerializationError as error:
                    msg = f"{self.name}: row {first + at + 1}: {error}"
                    raise CommandError(msg) from error
            raise
        end = first + len(table)
        return Chunk(data, "ns", Position(end, end), numbered)

    def _lines(self, table: Any) -> bytes:
        if self._measurement is not None:
            return self._serialized(table, self._measurement)
        column = table.column("measurement")
        rest = table.drop_columns(["measurement"])
        parts = []
        for name in self._compute.unique(column).to_pylist():
            if not isinstance(name, str):
                msg = f"a measurement must be text, not {name!r}"
                raise SerializationError(msg)
            parts.append(self._serialized(rest.filter(self._compute.equal(column, name)), name))
        return b"\n".join(filter(None, parts))

    def _serialized(self, table: Any, measurement: str) -> bytes:
        if table.column("time").null_count:
            msg = f"measurement {measurement!r}: a row has no time"
            raise SerializationError(msg)
        return serialize(table, measurement, tag_columns=self._tag_columns, precision=self._precision)
