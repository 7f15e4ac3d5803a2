"""Output of a query result as a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from influx_proto import QueryResult

from ._console import CommandError, file_error, import_optional


class ParquetOutput:
    """Writes chunks as they arrive, after the first value of every column has determined its type."""

    def __init__(self, path: Path) -> None:
        self._pa = import_optional("pyarrow", "--format parquet")
        self._parquet = import_optional("pyarrow.parquet", "--format parquet")
        self._path = path
        self._buffered: list[Any] = []
        self._types: dict[str, Any] = {}
        self._writer: Any = None
        self._statement = 0

    def add(self, chunk: QueryResult) -> None:
        """Write a chunk, or buffer it while the type of a column is unknown."""
        for series in chunk.series:
            if series.statement_id != self._statement and self._types:
                raise CommandError("parquet holds the result of one statement; run the statements separately")
            self._statement = series.statement_id
        if not chunk.series:
            return
        table = self._normalize(chunk.to_arrow(measurement_column=True))
        if self._types and list(self._types) != table.column_names:
            msg = (
                f"parquet holds one table, but the result has a second one with the columns "
                f"{', '.join(table.column_names)}; pass --format json"
            )
            raise CommandError(msg)
        for field in table.schema:
            self._merge_type(field.name, field.type)
        self._buffered.append(table)
        if not any(self._pa.types.is_null(column_type) for column_type in self._types.values()):
            self._write()

    def close(self) -> None:
        """Write the buffered chunks and the end of the file."""
        if not self._types:
            raise CommandError("parquet needs the types of the columns, but the result has no rows; pass --format csv")
        self._write()
        self._writer.close()

    def _normalize(self, table: Any) -> Any:
        """Return the table with types that do not depend on the chunk: no dictionaries, null if all values are null."""
        pa = self._pa
        columns = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_dictionary(column.type):
                columns[name] = column.cast(pa.string())
            elif column.null_count == len(column):
                columns[name] = pa.nulls(len(column))
            else:
                columns[name] = column
        return pa.table(columns)

    def _merge_type(self, name: str, column_type: Any) -> None:
        known = self._types.get(name)
        is_null = self._pa.types.is_null
        if known is None or is_null(known):
            self._types[name] = column_type
        elif not is_null(column_type) and column_type != known:
            msg = (
                f"column {name!r} has two types, {known} and {column_type}; cast it in the query, for example "
                f'"{name}"::float, or pass --format json'
            )
            raise CommandError(msg)

    def _write(self) -> None:
        schema = self._pa.schema(list(self._types.items()))
        if self._writer is None:
            try:
                self._writer = self._parquet.ParquetWriter(str(self._path), schema)
            except OSError as error:
                raise file_error(f"cannot write {self._path}", error) from error
        for table in self._buffered:
            self._writer.write_table(table.cast(schema))
        self._buffered.clear()
