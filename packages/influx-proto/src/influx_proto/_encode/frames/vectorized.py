"""Base class of the column-wise encoders of tables, which encode all rows of a slice at once.

Rows without a field are omitted. Slices that are not eligible for this fast path are encoded row by row, which also
raises all errors.

This module imports numpy, so it is imported only when a table is written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from ..._line_protocol.escape import SUSPICIOUS
from ..._line_protocol.values import FieldValueEncoder
from ..._time import FIRST, LAST
from ..grouping import NotColumnar
from ..points import PointEncoder
from .line_builder import Field, LineBuilder, make_number_field
from .model import Codes, Reader, Slice
from .split import Lines

#: The position of the column, the field key with the `=` after it, and the encoder of the values.
_Field: TypeAlias = tuple[int, bytes, FieldValueEncoder]


class SliceEncoder(ABC):
    """Column-wise encoder of the slices of a table.

    Args:
        points: the encoder of single rows.
        measurement: the measurement.
        tags: the positions of the tag columns by name.
        fields: the positions of the field columns by name, in the order of the fields.

    Raises:
        SerializationError: a name cannot be encoded.
        NotColumnar: the names require a check of each line.
    """

    def __init__(
        self, points: PointEncoder, measurement: str, tags: Mapping[str, int], fields: Mapping[str, int]
    ) -> None:
        self._points = points
        self._tags = tags
        self._name, self._keys = points.find_template((measurement, *tags))
        if SUSPICIOUS in self._name + b"".join(before + without for _, before, without in self._keys):
            raise NotColumnar
        self._fields: list[_Field] = [(at, *points.fields[name]) for name, at in fields.items()]
        self._longest_key = max(len(key) for _, key, _ in self._fields) - len("=")

    def encode(self, rows: Slice) -> Lines | None:
        """Return the lines of a slice, or None if it must be encoded row by row."""
        try:
            times = _read_times(rows)
            line = self._new_line()
            self._add_series(line, rows)
            line.check_key_size(self._longest_key)
            earlier: Any = False  # the rows that already have a field
            for fields in self._group_fields(rows.columns):
                at, key, encoder = fields[0]
                reader = rows.columns[at]
                if len(fields) > 1 and reader.block is not None:
                    values = reader.block(rows.start, rows.stop)[:, reader.index : reader.index + len(fields)]
                    block = make_number_field(values, None, encoder)
                    line.add_block([key for _, key, _ in fields], block, earlier)
                    present = None if block.present is None else block.present.any(axis=1)
                else:
                    field = self._make_field(self._read_column(reader, rows.start, rows.stop, encoder), encoder)
                    field.write(line, key, earlier)
                    present = field.present
                earlier = True if earlier is True or present is None else present | earlier
            kept = None if earlier is True or earlier.all() else earlier
            line.add_constant(b" ")
            line.add_numbers(times, None)
            data, ends = line.join(kept)
        except Exception:  # noqa: BLE001 - the libraries raise any class; encoding row by row finds the error
            return None
        return Lines(data, len(times) if kept is None else int(kept.sum()), ends)

    @abstractmethod
    def _read_column(self, reader: Reader, start: int, stop: int, encoder: FieldValueEncoder | None) -> Any:
        """Read a column.

        Args:
            reader: the column.
            start: the first row.
            stop: the row after the last.
            encoder: the encoder of the field's values; None for a tag.
        """

    @abstractmethod
    def _make_field(self, column: Any, encoder: FieldValueEncoder) -> Field: ...

    @abstractmethod
    def _new_line(self) -> LineBuilder: ...

    @abstractmethod
    def _add_tag(self, line: Any, column: Any, before: bytes, without: bytes) -> None: ...

    def _group_fields(self, columns: Sequence[Reader]) -> Iterator[list[_Field]]:
        """Yield each field alone, or adjacent fields that are encoded together."""
        group = self._fields[:1]
        for before, field in pairwise(self._fields):
            left, right = columns[before[0]], columns[field[0]]
            is_adjacent = left.block is right.block and left.index + 1 == right.index and before[2] is field[2]
            if left.block is None or not is_adjacent:
                yield group
                group = []
            group.append(field)
        yield group

    def _add_series(self, line: LineBuilder, rows: Slice) -> None:
        line.add_constant(b"\n" + self._name)
        for key, before, without in self._keys:
            at = self._tags.get(key)
            if at is None:
                line.add_constant(without)
            else:
                column = self._read_column(rows.columns[at], rows.start, rows.stop, None)
                self._add_tag(line, column, before, without)

    def _encode_tags(self, values: Iterable[Any], before: bytes, without: bytes) -> list[bytes]:
        """Return the encoded tags for some tag values: `before` and the value, or `without` for a missing value."""
        encoded = [self._points.encode_tag(value) for value in values]
        if any(value is not None and SUSPICIOUS in value for value in encoded):
            raise NotColumnar
        return [without if value is None else before + value for value in encoded]


def find_distinct(column: Codes) -> tuple[list[Any], Any]:
    """Return the distinct cells of a column, and for each row the index of its cell among them."""
    codes = column.codes.astype(np.intp)
    if int(codes.max()) > 100 * len(codes):  # few of many values
        used, indices = np.unique(codes, return_inverse=True)
        return column.cells(used), indices.astype(np.int32)
    codes += 1  # bincount requires non-negative integers
    used = np.flatnonzero(np.bincount(codes))
    indices = np.zeros(int(used[-1]) + 1, np.int32)
    indices[used] = np.arange(len(used))
    return column.cells(used - 1), indices[codes]


def _read_times(rows: Slice) -> Any:
    times = rows.times.counts(rows.start, rows.stop)
    if times is None:
        raise NotColumnar
    counts, unit = times
    if int(counts.min()) * unit < FIRST or int(counts.max()) * unit > LAST:
        raise NotColumnar
    return counts if unit == 1 else counts * unit
