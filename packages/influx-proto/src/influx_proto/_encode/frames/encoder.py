"""Encoder of tables, such as pandas frames and Arrow data.

A table consists of named columns and one timestamp per row. Its rows are encoded to the same bytes as mappings with the
same values, and raise the same errors. Tables are read in slices of rows, so memory use does not
depend on the number of rows or the length of their strings.

This module selects the fastest encoder for each slice. The first choice encodes column by column, with pyarrow and
orjson if they are installed (`vectorized_arrow`), otherwise with numpy (`vectorized_numpy`). Other slices are encoded
like lists of points (`points_columnar`). The last choice encodes row by row, and raises all errors; it is also the
fastest for a few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final, Literal

from ..._checks import check_choice
from ..._errors import SerializationError
from ..._line_protocol.options import FieldOptions, FieldType, ObjectColumns
from ..._repr import short_repr
from ..._time import FIRST, LAST, to_rfc3339
from ..columnar import join_lines
from ..grouping import NotColumnar
from ..points import PointEncoder, point_encoder
from ..points_columnar import KeySetEncoder
from .model import Column, Slice, Table
from .object_columns import InferredColumn, convert_to_strings
from .size import limit_size
from .split import Lines, find_ends

if TYPE_CHECKING:
    from .vectorized import SliceEncoder

#: Rows that are converted to Python objects at a time.
_ROWS: Final = 1000

#: Limits of rows and cells in a slice: large enough to amortize the cost of a slice, and small enough for the caches of
#: the processor.
_SLICE: Final = 10_000
_SLICE_CELLS: Final = 400_000

#: Limit of cells in slices of wide tables, which have more cells to amortize the cost of each column.
_MAX_CELLS: Final = 1_000_000

#: The fewest rows in a slice of a very wide table.
_MIN_SLICE: Final = 100

#: Slices with fewer rows are encoded faster from Python objects; a twentieth of it if most columns are in a block.
_FEW: Final = 200

#: Slices with fewer rows are encoded faster row by row.
_MIN_COLUMNAR: Final = 10


class TableEncoder:
    """Encoder of tables.

    Args:
        name: the measurement.
        tags: tags for all rows.
        field_options: how field values are encoded.
        tag_columns: the names of the columns that are tags; all others are fields.
        object_columns: `str` to encode the cells of object columns with `str`, `infer` to encode each by its class.
        batch: the number of lines in a batch.

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
        check_choice("object_columns", object_columns, ("str", "infer"))
        self._name = name
        self._tags = tags
        self._field_options = field_options
        self._tag_columns = tag_columns
        self._infer = object_columns == "infer"
        self._batch = batch

    def encode(self, read: Callable[[], Table], first: int = 0) -> Iterator[tuple[Lines, int]]:
        """Yield the lines and the number of rows for each slice of a table.

        There are fewer lines than rows if a row has no field with a value.

        Args:
            read: the function that opens the table.
            first: the number of the first row, for errors.

        Raises:
            SerializationError: the table cannot be encoded. The message names the measurement, the column, the row and
                the cause. No line of the slice has been yielded.
        """
        table, rows = self._open(read)
        slices = table.slices(self._slice(len(table.columns)), self._batch)
        for part, has_few in chain.from_iterable(map(_limit_size, slices)):
            count = part.stop - part.start
            found = None if has_few else rows.by_columns(part)
            if found is not None:
                yield found, count
            else:
                yield from self._encode_cells(rows, rows.convert_objects(part), first)
            first += count

    def _slice(self, columns: int) -> int:
        """Return the number of rows in a slice, which consists of complete batches or is a part of one."""
        columns = max(columns, 1)
        most = max(min(_SLICE, _SLICE_CELLS // columns), min(_ROWS, _MAX_CELLS // columns), _MIN_SLICE)
        batch = self._batch
        return most // batch * batch if batch < most else batch // -(-batch // most)

    def _encode_cells(self, rows: _Rows, part: Slice, first: int) -> Iterator[tuple[Lines, int]]:
        for start in range(part.start, part.stop, _ROWS):
            stop = min(start + _ROWS, part.stop)
            times = part.times.cells(start, stop)
            cells = [column.values(start, stop) for column in part.columns]
            data = rows.encode_columnar(times, cells) if len(times) >= _MIN_COLUMNAR else None
            if data is not None:
                first += len(times)
                yield Lines(data, len(times)), len(times)
                continue
            lines: list[bytes] = []
            for number, (time, point) in enumerate(zip(times, rows.points(times, cells), strict=True), first):
                try:
                    line = rows.encode(point)
                except SerializationError as error:
                    raise SerializationError(f"row {number}{_describe_time(time)}: {error}") from None
                if line is not None:
                    lines.append(line)
            first += len(times)
            yield Lines(b"\n".join(lines), len(lines), find_ends(lines)), len(times)

    def _open(self, read: Callable[[], Table]) -> tuple[Table, _Rows]:
        name = self._name
        try:
            table = read()
            rows = _Rows(name, self._tags, table.columns, self._tag_columns, self._field_options, infer=self._infer)
        except SerializationError as error:
            if name is None:
                raise
            raise SerializationError(f"measurement {short_repr(name)}: {error}") from None
        if name is None and table.columns:
            raise SerializationError("measurement: required to write a table; pass measurement=")
        return table, rows


def _limit_size(part: Slice) -> Iterator[tuple[Slice, bool]]:
    """Split a slice into slices of limited size, each with whether it has few and short rows."""
    blocks = sum(column.block is not None for column in part.columns)
    few = _FEW // 20 if 2 * blocks > len(part.columns) else _FEW
    return zip(limit_size(part), repeat(part.stop - part.start < few))


class _Rows:
    """Rows of a table, and their conversion to points."""

    def __init__(
        self,
        measurement: str | None,
        common_tags: Mapping[str, object],
        columns: Sequence[Column],
        tag_columns: Sequence[str],
        field_options: FieldOptions,
        *,
        infer: bool,
    ) -> None:
        self._measurement = measurement
        self._common_tags = common_tags
        names = [column.name for column in columns]
        for name in tag_columns if columns else ():
            if name not in names:
                listed = ", ".join(map(short_repr, names[:10])) + (", ..." if len(names) > 10 else "")
                raise SerializationError(f"tag_columns: missing column {short_repr(name)}; the columns are {listed}")
        tags = [at for at, name in enumerate(names) if name in tag_columns]
        fields = [at for at, name in enumerate(names) if name not in tag_columns]
        types: dict[str, FieldType] = dict(field_options.field_types)
        objects = [at for at, column in enumerate(columns) if column.objects]
        # Cells of a field with a type override other than string are checked individually, not converted with `str`.
        self._as_strings = {
            at for at in objects if not infer and (at in tags or types.get(names[at], "string") == "string")
        }
        inferred = [at for at in objects if infer and at in fields and names[at] not in types]
        self._inferred = [InferredColumn(at, names[at], field_options) for at in inferred]
        if field_options.unsigned and not field_options.integers_as_floats:
            types = {**{column.name: "unsigned" for column in columns if column.unsigned}, **types}
        self._field_options = field_options.with_overrides(field_types=types) if types else field_options
        self._tags = tags
        self._fields = fields
        self._tag_names = [names[at] for at in tags]
        self._field_names = [names[at] for at in fields]
        self._shape: KeySetEncoder | None = None
        #: The column-wise encoder; None if the table is not eligible, False before the first slice.
        self._slice_encoder: SliceEncoder | Literal[False] | None = False

    @cached_property
    def _encoder(self) -> PointEncoder:
        return point_encoder(self._measurement, self._common_tags, "ns", self._field_options)

    def by_columns(self, part: Slice) -> Lines | None:
        """Return the lines of a slice, encoded column by column, or None if it is not eligible."""
        if self._slice_encoder is False:
            self._slice_encoder = self._make_slice_encoder()
        if self._slice_encoder is None:
            return None
        part = self.convert_objects(part)
        if not self._inferred:
            return self._slice_encoder.encode(part)
        columns: list[Any] = list(part.columns)
        for column in self._inferred:
            reader = column.convert(columns[column.at].values(part.start, part.stop))
            if reader is None:
                return None
            columns[column.at] = reader
        return self._slice_encoder.encode(part._replace(columns=columns))

    def _make_slice_encoder(self) -> SliceEncoder | None:
        if self._measurement is None or not self._fields:
            return None
        try:
            encoder_class = _find_encoder_class()
        except ImportError:
            return None
        if encoder_class is None:
            return None
        tags = dict(zip(self._tag_names, self._tags, strict=True))
        fields = dict(zip(self._field_names, self._fields, strict=True))
        try:
            return encoder_class(self._encoder, self._measurement, tags, fields)
        except (NotColumnar, SerializationError):
            return None

    def convert_objects(self, part: Slice) -> Slice:
        """Return a slice in which the cells of object columns are strings, if they are encoded as strings."""
        if not self._as_strings:
            return part
        columns = [
            convert_to_strings(column) if at in self._as_strings else column for at, column in enumerate(part.columns)
        ]
        return part._replace(columns=columns)

    def encode_columnar(self, times: Sequence[Any], cells: Sequence[Sequence[Any]]) -> bytes | None:
        """Return the lines of rows, or None if they must be encoded one at a time."""
        if self._measurement is None or type(None) in set(map(type, times)):
            return None
        if any(column.unify(cells[column.at]) is None for column in self._inferred):
            return None
        tags = list(zip(*[cells[at] for at in self._tags], strict=True)) if self._tags else None
        try:
            if self._shape is None:
                self._shape = KeySetEncoder(self._encoder, self._measurement, self._tag_names, self._field_names, "ns")
            columns = self._shape.build_columns(tags, [cells[at] for at in self._fields], times)
        except (NotColumnar, SerializationError):
            return None
        return None if columns is None else join_lines(columns)

    def points(self, times: Sequence[Any], cells: Sequence[Sequence[Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of a slice as points."""
        all_tags = _transpose([cells[at] for at in self._tags])
        all_fields = _transpose([cells[at] for at in self._fields])
        for time, tags, fields in zip(times, all_tags, all_fields):  # noqa: B905 - tags or fields may be infinite
            yield {
                "time": time,
                "tags": dict(zip(self._tag_names, tags, strict=True)),
                "fields": dict(zip(self._field_names, fields, strict=True)),
            }

    def encode(self, point: Mapping[str, Any]) -> bytes | None:
        """Return the line of a row, or None if no field has a value.

        Raises:
            SerializationError: the row cannot be encoded, has no timestamp, or a field has another type than in earlier
                rows.
        """
        if point["time"] is None:
            # The server would assign the same timestamp to all such rows, and each would overwrite the previous one.
            msg = f"measurement {short_repr(self._measurement)}: the row has no timestamp; remove the row or add one"
            raise SerializationError(msg)
        for column in self._inferred:
            problem = column.find_problem(point["fields"][column.name])
            if problem is not None:
                raise SerializationError(f"measurement {short_repr(self._measurement)}, {problem}")
        return self._encoder.line(point)


def _find_encoder_class() -> type[SliceEncoder] | None:
    """Return the fastest column-wise encoder that is installed and passes its check."""
    from .check import encodes_like_rows  # noqa: PLC0415 - imports numpy

    with suppress(ImportError):
        from .vectorized_arrow import ArrowSliceEncoder  # noqa: PLC0415 - requires pyarrow and orjson

        if encodes_like_rows(ArrowSliceEncoder, strings=True):
            return ArrowSliceEncoder
    from .vectorized_numpy import NumpySliceEncoder  # noqa: PLC0415 - imports numpy

    return NumpySliceEncoder if encodes_like_rows(NumpySliceEncoder, strings=False) else None


def _transpose(columns: Sequence[Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
    """Return the rows of columns, or an infinite iterable of empty rows if `columns` is empty."""
    return zip(*columns, strict=True) if columns else repeat(())


def _describe_time(time: Any) -> str:
    """Return the timestamp of a row for an error; it identifies the row even if the frame was filtered."""
    if type(time) is int:
        return f" ({to_rfc3339(time)})" if FIRST <= time <= LAST else ""
    return "" if time is None else f" ({time!s})"
