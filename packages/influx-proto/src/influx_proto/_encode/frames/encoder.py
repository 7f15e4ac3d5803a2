"""Tables to lines: what frames and Arrow data have in common.

A table is named columns and, row by row, times. Its rows are written as mappings are, many at a time where they are in
order and otherwise one by one, so names, values, tags and times are under the same rules and give the same bytes.
Tables are read in slices of rows: memory stays flat however long they are.

There are several ways to the same bytes, and here is where one is taken. A slice is written column by column: by
pyarrow and orjson where these are installed (`vectorized_arrow`), otherwise by numpy (`vectorized_numpy`). If neither
can, it is written as many points are (`points_columnar`), and last row by row, which is where all errors come from.

Cells of an object column are of any type. They are written as text, `str(cell)`, which is the one place where that is
done; or each by its own type (`infer`), and then all of them must come to one type of field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Literal

from ..._checks import choice
from ..._errors import SerializationError
from ..._line_protocol.options import FieldOptions, FieldType, ObjectColumns
from ..._line_protocol.values import FieldValueEncoder
from ..._repr import short_repr
from ..._time import FIRST, LAST, to_rfc3339
from ..columnar import joined_lines
from ..grouping import NotColumnar
from ..points import PointEncoder
from ..points_columnar import Shape
from .model import Codes, Column, Reader, Slice, Table

if TYPE_CHECKING:
    from .vectorized import ColumnLines

#: Rows that are values of Python at a time.
_ROWS: Final = 1000

#: Rows that are read at a time, and cells: what is done once for all of them does not count then, and the texts stay in
#: the processor's caches.
_SLICE: Final = 10_000
_SLICE_CELLS: Final = 100_000

#: Fewer rows are written faster as values.
_FEW: Final = 100


class TableEncoder:
    """Turns tables to lines.

    Args:
        name: the measurement.
        tags: tags for all rows.
        field_options: how field values are encoded.
        tag_columns: the names of the columns that are tags; all others are fields.
        object_columns: `str` to write the cells of object columns as their text, `infer` to write each by its type.
        batch: how many lines will be a batch.

    Raises:
        ValueError: `object_columns` is neither `str` nor `infer`.
    """

    def __init__(
        self,
        name: str | None,
        tags: Mapping[str, object],
        field_options: FieldOptions,
        tag_columns: Sequence[str],
        object_columns: ObjectColumns,
        batch: int,
    ) -> None:
        choice("object_columns", object_columns, ("str", "infer"))
        self._name = name
        self._tags = tags
        self._field_options = field_options
        self._tag_columns = tag_columns
        self._infer = object_columns == "infer"
        self._batch = batch

    def encode(self, read: Callable[[], Table], first: int = 0) -> Iterator[tuple[bytes, int, int]]:
        """Give the lines of a table: for each slice of rows their bytes, how many they are, and how many the rows.

        There are fewer lines than rows where rows have no field left.

        Args:
            read: opens the table.
            first: the number of the first row, for errors.

        Raises:
            SerializationError: the table cannot be written; says which measurement, column and row, and why. Of the
                slice nothing was given.
        """
        table, rows = self._open(read)
        encoder = PointEncoder(self._name, self._tags, "ns", rows.field_options)
        for part in table.slices(self._slice(len(table.columns))):
            count = part.stop - part.start
            found = rows.by_columns(encoder, part) if count >= _FEW else None
            if found is not None:
                yield *found, count
            else:
                yield from self._by_values(encoder, rows, rows.texts(part), first)
            first += count

    def _slice(self, columns: int) -> int:
        """Give how many rows are read at a time: if possible so many that slices fill a batch, and need no cutting."""
        most = max(min(_SLICE, _SLICE_CELLS // max(columns, 1)), _ROWS)
        return max(self._batch // -(-self._batch // most), _ROWS)

    def _by_values(
        self, encoder: PointEncoder, rows: _Rows, part: Slice, first: int
    ) -> Iterator[tuple[bytes, int, int]]:
        for start in range(part.start, part.stop, _ROWS):
            stop = min(start + _ROWS, part.stop)
            times = part.times.cells(start, stop)
            cells = [column.values(start, stop) for column in part.columns]
            data = rows.at_once(encoder, times, cells)
            if data is not None:
                first += len(times)
                yield data, len(times), len(times)
                continue
            lines: list[bytes] = []
            for number, (time, point) in enumerate(zip(times, rows.points(times, cells), strict=True), first):
                try:
                    rows.check(point)
                    line = encoder.line(point)
                except SerializationError as error:
                    msg = f"row {number}{_at(time)}: {error}"
                    raise SerializationError(msg) from None
                if line is not None:
                    lines.append(line)
            first += len(times)
            yield b"\n".join(lines), len(lines), len(times)

    def _open(self, read: Callable[[], Table]) -> tuple[Table, _Rows]:
        name = self._name
        try:
            table = read()
            rows = _Rows(name, table.columns, self._tag_columns, self._field_options, infer=self._infer)
        except SerializationError as error:
            if name is None:
                raise
            msg = f"measurement {short_repr(name)}: {error}"
            raise SerializationError(msg) from None
        if name is None and table.columns:
            msg = "measurement: a table has none of its own, so it must be given"
            raise SerializationError(msg)
        return table, rows


class _Rows:
    """Makes points of the rows of a table.

    Attributes:
        field_options: how field values are encoded.
    """

    def __init__(
        self,
        measurement: str | None,
        columns: Sequence[Column],
        tag_columns: Sequence[str],
        field_options: FieldOptions,
        *,
        infer: bool,
    ) -> None:
        self._measurement = measurement
        names = [column.name for column in columns]
        for name in tag_columns if columns else ():
            if name not in names:
                some = ", ".join(map(short_repr, names[:10])) + (", ..." if len(names) > 10 else "")
                msg = f"tag_columns: there is no column {short_repr(name)}; there are {some}"
                raise SerializationError(msg)
        tags = [at for at, name in enumerate(names) if name in tag_columns]
        fields = [at for at, name in enumerate(names) if name not in tag_columns]
        pins: dict[str, FieldType] = dict(field_options.field_types)
        objects = [at for at, column in enumerate(columns) if column.objects]
        # A pin says what the cells of a field are, and so each of them is looked at.
        self._texts = {at for at in objects if not infer and (at in tags or pins.get(names[at], "string") == "string")}
        self._inferred = [
            _OneType(names[at], field_options) for at in objects if infer and at in fields and names[at] not in pins
        ]
        if field_options.unsigned and not field_options.integers_as_floats:
            pins = {**{column.name: "unsigned" for column in columns if column.unsigned}, **pins}
        self.field_options = replace(field_options, field_types=pins)
        self._tags = tags
        self._fields = fields
        self._tag_names = [names[at] for at in tags]
        self._field_names = [names[at] for at in fields]
        self._shape: Shape | None = None
        #: What writes slices column by column; False before it has been looked for.
        self._column_lines: ColumnLines | Literal[False] | None = False

    def by_columns(self, encoder: PointEncoder, part: Slice) -> tuple[bytes, int] | None:
        """Give the lines of a slice, written column by column, and how many there are; None if that cannot be."""
        if self._column_lines is False:
            self._column_lines = self._find_column_lines(encoder)
        return None if self._column_lines is None else self._column_lines.lines(self.texts(part))

    def _find_column_lines(self, encoder: PointEncoder) -> ColumnLines | None:
        if self._measurement is None or self._inferred or not self._fields:
            return None
        try:
            kind = _column_lines()
        except ImportError:
            return None
        if kind is None:
            return None
        tags = dict(zip(self._tag_names, self._tags, strict=True))
        fields = dict(zip(self._field_names, self._fields, strict=True))
        try:
            return kind(encoder, self._measurement, tags, fields)
        except (NotColumnar, SerializationError):
            return None

    def texts(self, part: Slice) -> Slice:
        """Give a slice with the cells of object columns as texts, if that is what they are written as."""
        if not self._texts:
            return part
        columns = [_as_texts(column) if at in self._texts else column for at, column in enumerate(part.columns)]
        return part._replace(columns=columns)

    def at_once(self, encoder: PointEncoder, times: Sequence[Any], cells: Sequence[Sequence[Any]]) -> bytes | None:
        """Give the lines of a slice; None if it has to be written row by row."""
        if self._measurement is None or self._inferred or type(None) in set(map(type, times)):
            return None
        tags = list(zip(*[cells[at] for at in self._tags], strict=True)) if self._tags else None
        try:
            if self._shape is None:
                self._shape = Shape(encoder, self._measurement, self._tag_names, self._field_names, "ns")
            found = self._shape.columns(tags, [cells[at] for at in self._fields], times)
        except (NotColumnar, SerializationError):
            return None
        return None if found is None else joined_lines(found)

    def points(self, times: Sequence[Any], cells: Sequence[Sequence[Any]]) -> Iterator[Mapping[str, Any]]:
        """Give the rows of a slice as points."""
        all_tags = _across([cells[at] for at in self._tags])
        all_fields = _across([cells[at] for at in self._fields])
        for time, tags, fields in zip(times, all_tags, all_fields):  # noqa: B905 - two may be endless
            yield {
                "time": time,
                "tags": dict(zip(self._tag_names, tags, strict=True)),
                "fields": dict(zip(self._field_names, fields, strict=True)),
            }

    def check(self, point: Mapping[str, Any]) -> None:
        """Check that a row has a time, and its inferred fields the types that they had in the rows before."""
        if point["time"] is None:
            # The server's would be the same for all such rows, of which each would replace the one before.
            msg = f"measurement {short_repr(self._measurement)}: the row has no time"
            raise SerializationError(msg)
        for column in self._inferred:
            problem = column.problem(point["fields"])
            if problem is not None:
                msg = f"measurement {short_repr(self._measurement)}, {problem}"
                raise SerializationError(msg)


def _column_lines() -> type[ColumnLines] | None:
    """Find the class of the fastest encoder that can be imported and encodes as rows are."""
    from .check import encodes_like_rows  # noqa: PLC0415 - imports numpy

    with suppress(ImportError):
        from .vectorized_arrow import ArrowLines  # noqa: PLC0415 - for those who have the libraries for it

        if encodes_like_rows(ArrowLines, strings=True):
            return ArrowLines
    from .vectorized_numpy import NumpyLines  # noqa: PLC0415 - as above

    return NumpyLines if encodes_like_rows(NumpyLines, strings=False) else None


class _OneType:
    """Checks that the cells of a column come to fields of one type."""

    def __init__(self, name: str, field_options: FieldOptions) -> None:
        self._name = name
        self._texts = FieldValueEncoder(field_options)
        self._type: FieldType | None = None

    def problem(self, fields: Mapping[str, Any]) -> str | None:
        """Say what is wrong with this column's cell after those before, if something is."""
        cell = fields[self._name]
        try:
            text = self._texts.encode(cell)
        except SerializationError:
            return None  # the row as a whole will say it
        if text is None:
            return None
        found = _field_type(text)
        if self._type is None:
            self._type = found
        if found == self._type:
            return None
        return (
            f"field {short_repr(self._name)}: {short_repr(cell)} has type {found}, but the rows before it have type "
            f"{self._type}; convert the column, or name its type in field_types"
        )


def _field_type(text: bytes) -> FieldType:
    """Tell the type of a field from its text."""
    if text in {b"true", b"false"}:
        return "boolean"
    return _ENDS.get(text[-1:], "float")


_TEXT: Final = {str, type(None)}

_ENDS: Final[Mapping[bytes, FieldType]] = {b'"': "string", b"i": "integer", b"u": "unsigned"}


def _as_texts(column: Reader) -> Reader:
    """Give an object column with its cells as texts."""

    def texts(start: int, stop: int) -> Sequence[Any]:
        cells = column.cells(start, stop)
        return cells if _TEXT.issuperset(map(type, cells)) else [_as_text(cell) for cell in cells]

    def array(start: int, stop: int) -> Codes | None:
        found: Codes | None = column.array(start, stop)
        if found is None:
            return None
        cells = found.cells
        return Codes(found.codes, lambda codes: [_as_text(cell) for cell in cells(codes)])

    return Reader(texts, array)


def _as_text(cell: Any) -> str | None:
    if type(cell) is str:
        return cell
    if isinstance(cell, str):  # a member of an `Enum` that is also a str is written by value
        return str.__str__(cell)
    try:
        if _any_value.encode(cell) is None:
            return None  # and not "None", "nan" or "NaT"
    except SerializationError:
        pass  # no number, or not one that is stored; as a text it is
    return str(cell)


#: Knows what is missing.
_any_value: Final = FieldValueEncoder(FieldOptions())


def _across(columns: Sequence[Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
    """Give the rows of columns; where there is no column, rows without cells."""
    return zip(*columns, strict=True) if columns else repeat(())


def _at(time: Any) -> str:
    """Give the time of a row for an error, which says more than its number where a frame was filtered before."""
    if type(time) is int:
        return f" ({to_rfc3339(time)})" if FIRST <= time <= LAST else ""
    return "" if time is None else f" ({time!s})"
