"""Anything that can be written, to batches of line protocol.

`Encoder` is the one place where kinds of input are told apart. It is pushed, so that blocking and awaiting code can
feed it, and it gives batches as they become full.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar, Final, NoReturn

from .._errors import SerializationError
from .._line_protocol.escape import encoded
from .._line_protocol.options import DEFAULT, FieldOptions, ObjectColumns
from .._line_protocol.split import SKIPPED, has_time, incomplete_line, is_point, lines
from .._repr import short_repr
from .._time import wire_precision
from .batch import Batch
from .classes.decorator import ObjectEncoder, object_encoder
from .frames.detect import is_table, table_reader
from .frames.encoder import TableEncoder
from .frames.model import Table, check_table_columns
from .grouping import EncodedGroup, Lines, with_runs
from .points import PointEncoder, point_encoder
from .points_columnar import PointColumns

_UNLIMITED: Final = 2**63


class _Pause:
    """Stands where it may take its time until the next value."""


def _with_pauses(items: Iterable[object]) -> Iterator[object]:
    pause = _Pause()
    for item in items:
        yield item
        yield pause


class Encoder:
    """Takes what is to be written and gives batches of line protocol.

    Args:
        measurement: the measurement of points that name none.
        precision: the unit of times that are bare integers, and of the times in ready-made lines.
        tag_columns: the columns of a DataFrame that are tags: any iterable of str.
        time_column: the column of a table with the times; None for the index of a DataFrame or the column `time`.
        tags: tags for all points, ready-made lines apart; a point's own win.
        max_lines: lines in one batch at the most, checked by the caller; None for no limit.
        max_bytes: bytes in one batch at the most, unless a single line is longer, as checked; None for no limit.
        field_options: how field values are encoded.
        object_columns: how cells of object columns are written: `str` for their text, `infer` for each by its type.
        stamp: returns the time of each point and line that has none, in nanoseconds; None to leave it to the server.
        not_for_lines: the argument of this call that raw line protocol would ignore, such as `tags`, or None. The
            defaults of a client do not count.
        eager: whether each value of an iterable that makes its values as it is read is given away before the next is
            asked for, which may take its time; and what came before an error is given away before it is raised.

    Raises:
        ValueError: an argument is not what it must be; the message begins with its name.
        SerializationError: the measurement or the tags cannot be written.
    """

    def __init__(
        self,
        measurement: str | None = None,
        *,
        precision: str = "ns",
        tag_columns: Iterable[str] = (),
        time_column: str | None = None,
        tags: Mapping[str, object] | None = None,
        max_lines: int | None = None,
        max_bytes: int | None = None,
        field_options: FieldOptions | None = None,
        object_columns: ObjectColumns = "str",
        stamp: Callable[[], int] | None = None,
        not_for_lines: str | None = None,
        eager: bool = False,
    ) -> None:
        self._measurement = measurement
        self._precision_given = precision
        self._tags: Mapping[str, object] = {} if tags is None else tags
        self._field_options = DEFAULT if field_options is None else field_options
        self._tag_columns, self._time_column = check_table_columns(tag_columns, time_column)
        self._object_columns: ObjectColumns = object_columns
        self._text_precision = wire_precision(precision)
        self._max_lines = max_lines or _UNLIMITED
        self._max_bytes = max_bytes or _UNLIMITED
        # What encodes a kind of input is made when there is some. What may be wrong with the arguments is told now.
        if measurement is not None or tags:
            _ = self._points
        if self._tag_columns or object_columns != "str":
            _ = self._tables
        #: What is done with a value of a class: added, or taken apart. By functions: an encoder with methods of its own
        #: would be a cycle, left to the garbage collector after every small write.
        self._leaves = self._KNOWN.copy()
        self._nodes: dict[type, Callable[[Encoder, Any], Iterator[object]]] = {}
        self._runs: dict[type, Lines | None] = {}
        #: The batch that is being filled.
        self._pieces: list[bytes] = []
        self._lines = 0
        self._bytes = -1  # as many LFs as pieces, less one
        self._precision = "ns"
        self._timed = True
        self._stamp = stamp
        self._not_for_lines = not_for_lines
        self._eager = eager
        #: Full batches that were not given away yet.
        self._full: list[Batch] = []
        #: Where we are: the number of the value in the flattened input, and whether it is one of many.
        self._row = 0
        self._bulk = False

    @cached_property
    def _points(self) -> PointEncoder:
        return point_encoder(self._measurement, self._tags, self._precision_given, self._field_options)

    @cached_property
    def _tables(self) -> TableEncoder:
        return TableEncoder(
            self._measurement, self._tags, self._field_options, self._tag_columns, self._object_columns, self._max_lines
        )

    def _object_encoder(self, kind: type) -> ObjectEncoder | None:
        return object_encoder(kind, self._measurement, self._tags, self._precision_given, self._field_options)

    def add(self, item: object, *, bulk: bool = False) -> Iterable[Batch]:
        """Add a value, or each value of an iterable, nested at will.

        What is no iterable is added at once. An iterable is read while the result is iterated, and only then: that
        keeps memory flat and the input lazy.

        Args:
            item: what to write.
            bulk: whether this is one of many, as the values of an iterable are in any case: among many, a point without
                a field left is skipped; alone, it is an error.

        Returns:
            The batches that became full.

        Raises:
            SerializationError: the value cannot be written; nothing of it was added.
        """
        kind = type(item)
        leaf = self._leaves.get(kind)
        if leaf is None:
            if kind in self._nodes or not self._is_leaf(kind):
                return self._up_to_an_error(self._walk(item)) if self._eager else self._walk(item)
            leaf = self._leaves[kind]
        self._bulk = bulk
        try:
            leaf(self, item)
        except SerializationError as error:
            raise self._numbered(error) from None
        self._row += 1
        return self._take() if self._full else ()

    def close(self) -> list[Batch]:
        """Give what is left. The encoder is empty then and may be used again."""
        self._seal()
        return self._take()

    def encode(self, data: object) -> Iterator[Batch]:
        """Give all batches of something that is written by itself; errors are those of `add`."""
        yield from self.add(data)
        yield from self.close()

    def _walk(self, item: object) -> Iterator[Batch]:
        # A stack of our own: how deep the caller nests is not up to Python's.
        stack = [self._nodes[type(item)](self, item)]
        while stack:
            for value in stack[-1]:
                kind = type(value)
                leaf = self._leaves.get(kind)
                if leaf is None:
                    if kind in self._nodes or not self._is_leaf(kind):
                        stack.append(self._nodes[kind](self, value))
                        break
                    leaf = self._leaves[kind]
                self._bulk = True
                try:
                    leaf(self, value)
                except SerializationError as error:
                    raise self._numbered(error) from None
                self._row += 1
                if self._full:
                    yield from self._take()
            else:
                stack.pop()

    def _up_to_an_error(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        try:
            yield from batches
        except Exception:
            yield from self.close()
            raise

    def _numbered(self, error: SerializationError) -> SerializationError:
        return SerializationError(f"row {self._row}: {error}") if self._bulk else error

    def _is_leaf(self, kind: type) -> bool:
        """Learn what to do with a class that is met for the first time. This is where kinds of input are told apart."""
        leaf: Callable[[Encoder, Any], None] | None = None
        node: Callable[[Encoder, Any], Iterator[object]] | None = None
        if kind is Batch:
            leaf = Encoder._add_batch
        elif (encoder := self._object_encoder(kind)) is not None:
            leaf = partial(Encoder._add_object, encoder=encoder)
        elif issubclass(kind, str):
            leaf = Encoder._add_str
        elif issubclass(kind, bytes | bytearray | memoryview):
            leaf = Encoder._add_bytes
        elif issubclass(kind, Mapping):
            leaf = Encoder._add_point
        elif hasattr(kind, "__aiter__"):
            leaf = Encoder._reject_async
        elif (read := table_reader(kind)) is not None:
            node = partial(Encoder._table_batches, read=read)
        elif is_table(kind) or hasattr(kind, "_fields") or not hasattr(kind, "__iter__"):
            leaf = Encoder._reject
        else:
            node = Encoder._values
        if leaf is not None:
            self._leaves[kind] = leaf
            return True
        assert node is not None  # noqa: S101 - for the type checkers
        self._nodes[kind] = node
        return False

    def _values(self, items: Iterable[object]) -> Iterator[object]:
        if self._eager and not isinstance(items, Collection):
            return _with_pauses(items)
        return with_runs(items, self._lines_of, self._room)

    def _pause(self, _pause: _Pause) -> None:
        self._seal()
        self._row -= 1  # it is counted as a value

    def _add_point(self, point: Mapping[str, Any]) -> None:
        line = self._points.line(point)
        if line is not None:
            self._add_line(line, timed=point.get("time") is not None)
        elif not self._bulk:
            name = point.get("measurement", self._measurement)
            msg = f"measurement {short_repr(name)}: the point has no field with a value"
            raise SerializationError(msg)

    def _add_object(self, value: object, *, encoder: ObjectEncoder) -> None:
        """Add an object of a decorated class."""
        line = encoder.line(value)
        if line is not None:
            self._add_line(line, timed=encoder.time(value) is not None)
        elif not self._bulk:
            raise SerializationError(encoder.no_field)

    def _lines_of(self, kind: type) -> Lines | None:
        """Give what writes many values of a class at a time; None for all that stands for itself, or is stamped."""
        if kind not in self._runs:
            self._runs[kind] = None if self._stamp is not None else self._run_encoder(kind)
        return self._runs[kind]

    def _run_encoder(self, kind: type) -> Lines | None:
        if kind is dict:
            return PointColumns(self._points, self._precision_given).lines
        encoder = self._object_encoder(kind)
        return None if encoder is None else encoder.lines

    def _room(self) -> int:
        """Give how many lines there may be before the batch is full; if it is, how many the next one may have."""
        return max(self._max_lines - self._lines, 0) or self._max_lines

    def _add_run(self, run: EncodedGroup) -> None:
        """Add the lines of many points of one class."""
        self._add_batch(Batch(run.data, run.lines, "ns", run.timed))
        self._row += run.lines - 1  # it is counted as one

    def _table_batches(self, table: object, *, read: Callable[[Any, str, str | None], Table]) -> Iterator[Batch]:
        """Give the lines of a table, slice by slice."""
        opened = partial(read, table, self._text_precision, self._time_column)
        for data, count, rows in self._tables.encode(opened, self._row):
            if count:
                yield Batch(data, count, "ns", timed=True)
                self._row -= 1  # the batch was counted as one
            self._row += rows

    def _add_line(self, line: bytes, *, timed: bool) -> None:
        """Add a line of our own, which is in nanoseconds."""
        if not timed and self._stamp is not None:
            line = b"%b %d" % (line, self._stamp())
            timed = True
        size = len(line) + 1
        if (
            self._lines >= self._max_lines
            or (self._bytes + size > self._max_bytes and self._lines)
            or self._precision != "ns"
        ):
            self._seal()
            self._precision = "ns"
        self._pieces.append(line)
        self._lines += 1
        self._bytes += size
        if not timed:
            self._timed = False

    def _add_str(self, text: str) -> None:
        self._add_raw(encoded(text, "text"))

    def _add_bytes(self, data: bytes | bytearray | memoryview) -> None:
        self._add_raw(bytes(data))

    def _add_raw(self, data: bytes) -> None:
        """Add raw line protocol, which is sent as it is.

        Raises:
            SerializationError: it ends within a line, which would swallow the line that is sent after it.
        """
        if self._not_for_lines is not None:
            name = self._not_for_lines
            msg = f"{name}: has no effect on raw line protocol; remove {name}, or write mappings instead of lines"
            raise SerializationError(msg)
        if (found := incomplete_line(data)) is not None:
            begin, reason = found
            line = data[begin : begin + 1000].decode(errors="replace")
            msg = (
                f"the line {short_repr(line)} is incomplete: {reason}; pass complete lines, "
                "such as the whole text of a file or what split_lines yields"
            )
            raise SerializationError(msg)
        self._add_text(data, self._text_precision)

    def _add_batch(self, batch: Batch) -> None:
        """Add lines that were encoded elsewhere and counted there."""
        if len(batch.data) <= self._max_bytes and batch.lines <= self._max_lines:
            self._add_piece(batch.data, batch.lines, batch.precision, timed=batch.timed)
        else:
            self._add_text(batch.data, batch.precision)

    def _add_text(self, data: bytes, precision: str) -> None:
        """Add ready-made lines, divided where a batch is full, and otherwise as they are."""
        if self._precision != precision:
            self._seal()
            self._precision = precision
        begin = end = count = 0
        timed = True
        for start, stop in lines(data):
            line = data[start:stop].strip(SKIPPED)
            if not is_point(line):
                continue
            has_one = has_time(line)
            if self._stamp is not None and not has_one:
                if count:
                    self._add_piece(data[begin:end], count, precision, timed=timed)
                    count, timed = 0, True
                self._add_line(line, timed=False)
                continue
            if count and not self._has_room(stop - begin, count + 1):
                self._add_piece(data[begin:end], count, precision, timed=timed)
                count, timed = 0, True
            if not count:
                begin = start
            end = stop
            count += 1
            timed = timed and has_one
        if count:
            self._add_piece(data[begin:end], count, precision, timed=timed)

    def _has_room(self, size: int, count: int) -> bool:
        return self._lines + count <= self._max_lines and self._bytes + 1 + size <= self._max_bytes

    def _add_piece(self, data: bytes, count: int, precision: str, *, timed: bool) -> None:
        if self._precision != precision or not self._has_room(len(data), count):
            self._seal()
        self._precision = precision
        self._pieces.append(data)
        self._lines += count
        self._bytes += len(data) + 1
        self._timed = self._timed and timed

    def _seal(self) -> None:
        if self._lines:
            data = self._pieces[0] if len(self._pieces) == 1 else b"\n".join(self._pieces)
            self._full.append(Batch(data, self._lines, self._precision, self._timed))
            self._pieces = []
            self._lines = 0
            self._bytes = -1
            self._timed = True

    def _take(self) -> list[Batch]:
        full, self._full = self._full, []
        return full

    def _reject_async(self, value: object) -> NoReturn:
        msg = f"cannot write {_a(value)} here; pass an async iterable to an async client, or write each item of it"
        raise SerializationError(msg)

    def _reject(self, value: object) -> NoReturn:
        msg = (
            f"cannot write {_a(value)} ({short_repr(value)}); pass raw line protocol, a mapping with 'fields', "
            "an object of a @lineprotocol class, a DataFrame, Series or Arrow table, or an iterable of these"
        )
        raise SerializationError(msg)

    #: What is known of classes from the beginning.
    _KNOWN: ClassVar[dict[type, Callable[[Encoder, Any], None]]] = {
        bytes: _add_bytes,
        str: _add_str,
        EncodedGroup: _add_run,
        _Pause: _pause,
    }


def _a(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
