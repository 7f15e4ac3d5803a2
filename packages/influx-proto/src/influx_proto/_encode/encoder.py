"""Push encoder from any supported input to batches of line protocol.

`Encoder` is the only place that distinguishes the types of input. Sync and async code push values into it, and it
returns batches when they are full.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar, Final, NoReturn

from .._errors import SerializationError
from .._line_protocol.escape import encode_utf8
from .._line_protocol.options import DEFAULT, FieldOptions, ObjectColumns
from .._line_protocol.split import SKIPPED, blocks, incomplete_line, points
from .._repr import describe_type, short_repr
from .._time import wire_precision
from .batch import Batch
from .classes.decorator import ObjectEncoder, object_encoder
from .frames.detect import is_table, table_reader
from .frames.encoder import TableEncoder
from .frames.model import Table, check_table_columns
from .frames.split import split_table_lines
from .grouping import EncodedGroup, Flush, GroupEncoder, group_values, with_flushes
from .nesting import nesting_problem
from .points import PointEncoder, point_encoder
from .points_columnar import PointColumns

_UNLIMITED: Final = 2**63


class Encoder:
    """Encodes values of any supported type into batches of line protocol.

    Args:
        measurement: the default measurement.
        precision: the unit of integer timestamps, and of the timestamps in raw line protocol.
        tag_columns: the columns of a DataFrame that are tags: any iterable of str.
        time_column: the column of a table with the timestamps; None for the index of a DataFrame or the column `time`.
        tags: tags for all points except raw line protocol; a tag of the point takes precedence.
        max_lines: maximum number of lines in a batch, already checked; None for no limit.
        max_bytes: maximum size of a batch in bytes, already checked; only a longer single line exceeds it. None for no
            limit.
        field_options: how field values are encoded.
        object_columns: how cells of object columns are encoded: `str` converts each to str, `infer` uses its type.
        stamp: returns a timestamp in nanoseconds for a point or line without one; None to let the server stamp them.
        not_for_lines: the message of the error for raw line protocol, if an argument of this call does not support
            it, or None.
        eager: whether each value of a lazy iterable is returned before the next is requested, which may block, and the
            values before an error are returned before it is raised.

    Raises:
        ValueError: an argument is invalid; the message begins with its name.
        SerializationError: the measurement or a tag cannot be encoded.
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
        self._integer_precision = precision
        self._tags: Mapping[str, object] = {} if tags is None else tags
        self._point_encoder: PointEncoder | None = None
        self._field_options = DEFAULT if field_options is None else field_options
        self._tag_columns, self._time_column = check_table_columns(tag_columns, time_column)
        self._object_columns: ObjectColumns = object_columns
        self._raw_precision = wire_precision(precision)
        self._max_lines = max_lines or _UNLIMITED
        self._max_bytes = max_bytes or _UNLIMITED
        # The encoders are created on first use, except to raise the errors of invalid arguments here.
        if measurement is not None or tags:
            self._create_point_encoder()
        if self._tag_columns or object_columns != "str":
            _ = self._table_encoder
        #: Functions by class that add a value or iterate over its items. They are not bound methods, since those would
        #: create a reference cycle for the garbage collector in every small write.
        self._adders = self._KNOWN_ADDERS.copy()
        self._iterators: dict[type, Callable[[Encoder, Any], Iterator[object]]] = {}
        self._group_encoders: dict[type, GroupEncoder | None] = {}
        #: The current batch.
        self._chunks: list[bytes] = []
        self._lines = 0
        self._bytes = -1  # one LF fewer than chunks
        self._precision = "ns"
        self._timed = True
        self._stamp = stamp
        self._not_for_lines = not_for_lines
        self._eager = eager
        #: Full batches that have not been returned yet.
        self._full: list[Batch] = []
        #: The index of the value in the flattened input, and whether it is one of many.
        self._row = 0
        self._bulk = False

    def _create_point_encoder(self) -> PointEncoder:
        self._point_encoder = point_encoder(self._measurement, self._tags, self._integer_precision, self._field_options)
        return self._point_encoder

    @cached_property
    def _table_encoder(self) -> TableEncoder:
        return TableEncoder(
            self._measurement, self._tags, self._field_options, self._tag_columns, self._object_columns, self._max_lines
        )

    def _find_object_encoder(self, cls: type) -> ObjectEncoder | None:
        return object_encoder(cls, self._measurement, self._tags, self._integer_precision, self._field_options)

    def add(self, item: object, *, bulk: bool = False) -> Iterable[Batch]:
        """Add a value, or each value of an iterable, which may be nested.

        A single value is added immediately. An iterable is read only while the caller iterates over the result, so the
        input stays lazy and memory use stays constant.

        Args:
            item: the value or iterable.
            bulk: whether this is one of many values, as the values of an iterable always are. A point without a field
                value is skipped among many, and an error otherwise.

        Returns:
            The batches that are full.

        Raises:
            SerializationError: the value cannot be encoded; no part of it was added.
        """
        cls = type(item)
        add = self._adders.get(cls)
        if add is None:
            if cls in self._iterators or not self._register_class(cls):
                return self._close_on_error(self._walk(item)) if self._eager else self._walk(item)
            add = self._adders[cls]
        self._bulk = bulk
        try:
            add(self, item)
        except SerializationError as error:
            raise self._locate(error) from None
        self._row += 1
        return self._pop_full() if self._full else ()

    def seal(self) -> list[Batch]:
        """Return the batches of the values added so far; more values of the input may follow."""
        self._seal()
        return self._pop_full()

    def close(self) -> list[Batch]:
        """Return the remaining batches of an input. The encoder is then empty and can be used for another one."""
        self._row = 0
        return self.seal()

    def encode(self, data: object) -> Iterator[Batch]:
        """Yield all batches of one input. Raises the errors of `add`. After the last batch, it can be used again."""
        yield from self.add(data)
        yield from self.close()

    def _walk(self, item: object) -> Iterator[Batch]:
        # An explicit stack, so that the recursion limit does not restrict the nesting of the input.
        stack = [self._iterators[type(item)](self, item)]
        outer: dict[int, object] = {id(item): item}
        while stack:
            for value in stack[-1]:
                cls = type(value)
                add = self._adders.get(cls)
                if add is None:
                    if cls in self._iterators or not self._register_class(cls):
                        if (problem := nesting_problem(value, outer)) is not None:
                            raise self._locate(SerializationError(problem))
                        outer[id(value)] = value
                        stack.append(self._iterators[cls](self, value))
                        break
                    add = self._adders[cls]
                self._bulk = True
                try:
                    add(self, value)
                except SerializationError as error:
                    raise self._locate(error) from None
                self._row += 1
                if self._full:
                    yield from self._pop_full()
            else:
                stack.pop()
                outer.popitem()

    def _close_on_error(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        try:
            yield from batches
        except Exception:
            yield from self.seal()
            raise

    def _locate(self, error: SerializationError) -> SerializationError:
        return SerializationError(f"row {self._row}: {error}") if self._bulk else error

    def _register_class(self, cls: type) -> bool:
        """Register the function for a new class; return True if it adds values, False if it iterates over them."""
        add: Callable[[Encoder, Any], None] | None = None
        iterate: Callable[[Encoder, Any], Iterator[object]] | None = None
        if cls is Batch:
            add = Encoder._add_batch
        elif (encoder := self._find_object_encoder(cls)) is not None:
            add = partial(Encoder._add_object, encoder=encoder)
        elif issubclass(cls, str):
            add = Encoder._add_str
        elif issubclass(cls, bytes | bytearray | memoryview):
            add = Encoder._add_bytes
        elif issubclass(cls, Mapping):
            add = Encoder._add_point
        elif hasattr(cls, "__aiter__"):
            add = Encoder._reject_async
        elif (read := table_reader(cls)) is not None:
            iterate = partial(Encoder._iterate_table, read=read)
        elif is_table(cls) or hasattr(cls, "_fields") or not hasattr(cls, "__iter__"):
            add = Encoder._reject
        else:
            iterate = Encoder._iterate_values
        if add is not None:
            self._adders[cls] = add
            return True
        assert iterate is not None  # noqa: S101 - for the type checkers
        self._iterators[cls] = iterate
        return False

    def _iterate_values(self, items: Iterable[object]) -> Iterator[object]:
        if self._eager and not isinstance(items, Collection):
            return with_flushes(items)
        return group_values(items, self._find_group_encoder, self._get_capacity)

    def _flush(self, _flush: Flush) -> None:
        self._seal()
        self._row -= 1  # the caller counts the sentinel as a value

    def _add_point(self, point: Mapping[str, Any]) -> None:
        line = (self._point_encoder or self._create_point_encoder()).line(point)
        if line is not None:
            self._add_line(line, timed=point.get("time") is not None)
        elif not self._bulk:
            name = point.get("measurement", self._measurement)
            raise SerializationError(f"measurement {short_repr(name)}: the point has no field with a value")

    def _add_object(self, value: object, *, encoder: ObjectEncoder) -> None:
        """Add an object of a decorated class."""
        line = encoder.line(value)
        if line is not None:
            self._add_line(line, timed=encoder.time(value) is not None)
        elif not self._bulk:
            raise SerializationError(encoder.no_field)

    def _find_group_encoder(self, cls: type) -> GroupEncoder | None:
        """Return the encoder for groups of a class, or None if its values are encoded or stamped one at a time."""
        if cls not in self._group_encoders:
            self._group_encoders[cls] = None if self._stamp is not None else self._create_group_encoder(cls)
        return self._group_encoders[cls]

    def _create_group_encoder(self, cls: type) -> GroupEncoder | None:
        if cls is dict:
            points = self._point_encoder or self._create_point_encoder()
            return PointColumns(points, self._integer_precision).lines
        encoder = self._find_object_encoder(cls)
        return None if encoder is None else encoder.lines

    def _get_capacity(self) -> int:
        """Return the number of lines until the batch is full, or the limit of the next batch if it is full."""
        return max(self._max_lines - self._lines, 0) or self._max_lines

    def _get_room(self) -> tuple[int, int]:
        """Return the number of lines and bytes that still fit into the batch."""
        return self._max_lines - self._lines, self._max_bytes - self._bytes - 1

    def _add_group(self, group: EncodedGroup) -> None:
        self._add_batch(Batch(group.data, group.lines, "ns", group.timed))
        self._row += group.lines - 1  # the caller counts the group as one value

    def _iterate_table(self, table: object, *, read: Callable[[Any, str, str | None], Table]) -> Iterator[Batch]:
        """Yield the lines of a table as batches."""
        open_table = partial(read, table, self._raw_precision, self._time_column)
        for encoded, rows in self._table_encoder.encode(open_table, self._row):
            for data, count in split_table_lines(encoded, self._max_lines, self._max_bytes, self._get_room):
                yield Batch(data, count, "ns", timed=True)
                self._row -= 1  # the caller has counted the batch as one value
            self._row += rows

    def _add_line(self, line: bytes, *, timed: bool) -> None:
        """Add an encoded line, whose timestamp is in nanoseconds."""
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
        self._chunks.append(line)
        self._lines += 1
        self._bytes += size
        if not timed:
            self._timed = False

    def _add_str(self, text: str) -> None:
        self._add_raw(encode_utf8(text, "text"))

    def _add_bytes(self, data: bytes | bytearray | memoryview) -> None:
        self._add_raw(bytes(data))

    def _add_raw(self, data: bytes) -> None:
        """Add raw line protocol unchanged.

        Raises:
            SerializationError: the last line is incomplete, and the server would join it with the line after it.
        """
        if self._not_for_lines is not None:
            raise SerializationError(self._not_for_lines)
        parts = list(blocks(data))
        unknown = next((begin for begin, _, number in parts if not number), len(data))
        if (found := incomplete_line(data, unknown)) is not None:
            begin, reason = found
            line = data[begin : begin + 1000].decode(errors="replace")
            remedy = "pass complete lines, such as the whole text of a file or what split_lines yields"
            raise SerializationError(f"the line {short_repr(line)} is incomplete: {reason}; {remedy}")
        self._add_raw_lines(data, self._raw_precision, parts)

    def _add_batch(self, batch: Batch) -> None:
        """Add lines that are already encoded and counted."""
        if len(batch.data) <= self._max_bytes and batch.lines <= self._max_lines:
            self._add_chunk(batch.data, batch.lines, batch.precision, timed=batch.timed)
        else:
            self._add_raw_lines(batch.data, batch.precision, blocks(batch.data))

    def _add_raw_lines(self, data: bytes, precision: str, parts: Iterable[tuple[int, int, int]]) -> None:
        """Add raw lines unchanged, split into batches; `parts` are the `blocks` of the data."""
        if self._precision != precision:
            self._seal()
            self._precision = precision
        begin = end = count = 0
        timed = True
        for first, last, number in parts:
            if number and self._has_room(last - (begin if count else first), count + number):
                begin = begin if count else first
                end = last
                count += number
                continue
            for start, stop, is_timed in points(data, first, last):
                if self._stamp is not None and not is_timed:
                    if count:
                        self._add_chunk(data[begin:end], count, precision, timed=timed)
                        count, timed = 0, True
                    self._add_line(data[start:stop].strip(SKIPPED), timed=False)
                    continue
                if count and not self._has_room(stop - begin, count + 1):
                    self._add_chunk(data[begin:end], count, precision, timed=timed)
                    count, timed = 0, True
                if not count:
                    begin = start
                end = stop
                count += 1
                timed = timed and is_timed
        if count:
            self._add_chunk(data[begin:end], count, precision, timed=timed)

    def _has_room(self, size: int, count: int) -> bool:
        return self._lines + count <= self._max_lines and self._bytes + 1 + size <= self._max_bytes

    def _add_chunk(self, data: bytes, count: int, precision: str, *, timed: bool) -> None:
        if self._precision != precision or not self._has_room(len(data), count):
            self._seal()
        self._precision = precision
        self._chunks.append(data)
        self._lines += count
        self._bytes += len(data) + 1
        self._timed = self._timed and timed

    def _seal(self) -> None:
        if self._lines:
            data = self._chunks[0] if len(self._chunks) == 1 else b"\n".join(self._chunks)
            self._full.append(Batch(data, self._lines, self._precision, self._timed))
            self._chunks = []
            self._lines = 0
            self._bytes = -1
            self._timed = True

    def _pop_full(self) -> list[Batch]:
        full, self._full = self._full, []
        return full

    def _reject_async(self, value: object) -> NoReturn:
        remedy = "pass an async iterable to an async client, or write each of its items"
        raise SerializationError(f"cannot write {describe_type(value)} here; {remedy}")

    def _reject(self, value: object) -> NoReturn:
        msg = (
            f"cannot write {describe_type(value)} ({short_repr(value)}); pass raw line protocol, "
            "a mapping with 'fields', an object of a @lineprotocol class, a DataFrame, Series or Arrow table, "
            "or an iterable of these"
        )
        raise SerializationError(msg)

    #: The adders of common and private classes, which need no search.
    _KNOWN_ADDERS: ClassVar[dict[type, Callable[[Encoder, Any], None]]] = {
        bytes: _add_bytes,
        str: _add_str,
        dict: _add_point,
        EncodedGroup: _add_group,
        Flush: _flush,
    }
