"""An answer as a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from influx_proto import QueryResult

from ._console import CommandError, Exit, needed


class ParquetOutput:
    """Writes parts as they come, once each column has had a value, which tells its type."""

    def __init__(self, path: Path) -> None:
        self._pa = needed("pyarrow", "--format parquet")
        self._parquet = needed("pyarrow.parquet", "--format parquet")
        self._path = path
        self._waiting: list[Any] = []
        self._types: dict[str, Any] = {}
        self._writer: Any = None
        self._statement = 0

    def add(self, chunk: QueryResult) -> None:
        """Take a part."""
        for series in chunk.series:
            if series.statement_id != self._statement and self._types:
                msg = "parquet holds the answer to one statement; run the statements one by one"
                raise CommandError(msg)
            self._statement = series.statement_id
        if not chunk.series:
            return
        table = self._plain(chunk.to_arrow(measurement=True))
        if self._types and list(self._types) != table.column_names:
            msg = f"parquet is one table, and the answer has a second one, with {', '.join(table.column_names)}"
            raise CommandError(msg)
        for field in table.schema:
            self._see(field.name, field.type)
        self._waiting.append(table)
        if not any(self._pa.types.is_null(kind) for kind in self._types.values()):
            self._write()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        if not self._types:
            msg = "the answer has no rows, and so no columns for a Parquet file"
            raise CommandError(msg)
        self._write()
        self._writer.close()

    def _plain(self, table: Any) -> Any:
        """Give columns of which it is known that they have the same type in every part."""
        pa = self._pa
        columns = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            kind = column.type
            if pa.types.is_dictionary(kind):
                columns[name] = column.cast(pa.string())
            elif column.null_count == len(column):
                columns[name] = pa.nulls(len(column))
            else:
                columns[name] = column
        return pa.table(columns)

    def _see(self, name: str, kind: Any) -> None:
        known = self._types.get(name)
        is_null = self._pa.types.is_null
        if known is None or is_null(known):
            self._types[name] = kind
        elif not is_null(kind) and kind != known:
            msg = (
                f"the column {name!r} is of two types, {known} and {kind}; a Parquet file has one. Cast it in the "
                f'query, "{name}"::float for instance, or take --format json'
            )
            raise CommandError(msg)

    def _write(self) -> None:
        schema = self._pa.schema(list(self._types.items()))
        if self._writer is None:
            try:
                self._writer = self._parquet.ParquetWriter(str(self._path), schema)
            except OSError as error:
                msg = f"cannot write {self._path}: {error.strerror}"
                raise CommandError(msg, Exit.USAGE) from error
        for table in self._waiting:
            self._writer.write_table(table.cast(schema))
        self._waiting.clear()
