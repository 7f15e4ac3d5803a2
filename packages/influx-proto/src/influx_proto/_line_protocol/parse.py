"""Parser for line protocol, which accepts and rejects the same lines as InfluxDB 1.x, with the same reasons.

There are two parsers. `parse_fast` parses many lines at a time, if all of them have the layout that clients write.
`scan` parses any line, and repeats the steps of the server, whose behavior the grammar does not fully define.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from .._errors import Place, SerializationError
from .._time import unit
from .scan import ScanError, scan_line
from .split import end_of_line, split_buffer

if TYPE_CHECKING:
    from .parse_fast import Point

#: Number of bytes that are parsed at a time.
_CHUNK_SIZE: Final = 1 << 18

#: Maximum number of lines that are parsed at a time.
_MAX_LINES: Final = 256


def parse_lines(
    data: bytes | str | Iterable[bytes], *, precision: str = "ns", unsigned: bool = False
) -> Iterator[Point]:
    """Parse line protocol like InfluxDB 1.x.

    Args:
        data: the lines, or an iterable of chunks of any size, such as the blocks of a file. Blank lines and comments
            are skipped.
        precision: the unit of the timestamps.
        unsigned: whether to accept unsigned integers (`5u`), which released versions of InfluxDB 1.x reject.

    Yields:
        One dict per line, with `measurement`, `tags`, `fields` and `time`. Field values are `float`, `int`, `bool` and
        `str`. The time is in nanoseconds since 1970 UTC, or None if the line has no timestamp. If a field occurs twice
        in a line, the last value takes precedence. Like the server, the parser omits a field called `time` if the line
        has other fields.

    Raises:
        SerializationError: the server would reject a line. The message contains the line, the column and the reason,
            and so does the attribute `place`. The parser also rejects two types of lines that InfluxDB 1.x accepts:
            lines that are not UTF-8, and lines whose measurement has two backslashes before a special character, since
            no query finds their points.
        ValueError: the precision is invalid.
    """
    return _read(_iter_chunks(data), _Reader(unit(precision), unsigned=unsigned).read)


def check_lines(
    data: bytes | str | Iterable[bytes], *, precision: str = "ns", unsigned: bool = False
) -> Iterator[SerializationError]:
    """Find all lines that InfluxDB 1.x would reject.

    Args:
        data: see `parse_lines`.
        precision: see `parse_lines`.
        unsigned: see `parse_lines`.

    Yields:
        For each rejected line, the error that `parse_lines` would raise.

    Raises:
        SerializationError: `data` is a `str` that contains a lone surrogate.
        ValueError: the precision is invalid.
    """
    reader = _Reader(unit(precision), unsigned=unsigned, raises=False)
    return (item for item in _read(_iter_chunks(data), reader.read) if isinstance(item, SerializationError))


def split_lines(data: bytes | str | Iterable[bytes]) -> Iterator[bytes]:
    """Split line protocol into lines like InfluxDB 1.x, where strings may contain LFs.

    Args:
        data: see `parse_lines`. The function does not check whether the server would accept the lines.

    Yields:
        Each line without the LF at its end, including blank lines and comments.

    Raises:
        SerializationError: `data` is a `str` that contains a lone surrogate.
    """
    return _read(_iter_chunks(data), split_buffer)


def _iter_chunks(data: bytes | str | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(data, str):
        try:
            data = data.encode()
        except UnicodeEncodeError as error:
            before = error.object[: error.start]
            line, column = before.count("\n") + 1, error.start - before.rfind("\n")
            msg = f"line {line}, column {column}: a lone surrogate, which UTF-8 cannot encode"
            raise SerializationError(msg) from None
    if isinstance(data, bytes | bytearray | memoryview):
        view = memoryview(data).cast("B")
        return (bytes(view[at : at + _CHUNK_SIZE]) for at in range(0, len(view), _CHUNK_SIZE))
    return data


def _read(chunks: Iterable[bytes], read: Callable[[bytes, bool], Generator[Any, None, int]]) -> Iterator[Any]:
    """Yield the items of all lines.

    Args:
        chunks: the line protocol.
        read: yields the items of the complete lines of a buffer, or of all lines if it is the last one; returns the
            number of bytes of these lines.
    """
    rest = b""
    min_size = 0  # avoids that a line over many chunks is searched again for each chunk
    for chunk in chunks:
        rest += chunk
        if len(rest) < min_size:
            continue
        at = yield from read(rest, False)
        rest = rest[at:]
        min_size = 0 if at else 2 * len(rest)
    yield from read(rest, True)


class _Reader:
    """Parses the lines of consecutive buffers and counts them.

    Args:
        unit: the unit of the timestamps, in nanoseconds.
        unsigned: whether unsigned integers are accepted.
        raises: whether the error of a rejected line is raised, or yielded in place of the point.
    """

    def __init__(self, unit: int, *, unsigned: bool, raises: bool = True) -> None:
        self._unit = unit
        self._unsigned = unsigned
        self._raises = raises
        from .parse_fast import FastReader  # noqa: PLC0415 - slow to import, and not needed for writing

        self._fast_reader = FastReader(unit)
        self._lines_before = 0

    def read(self, data: bytes, is_last: bool) -> Generator[Point | SerializationError, None, int]:
        """Yield the points, or errors, of all complete lines; return the number of bytes of these lines."""
        size = len(data)
        end = size if is_last else data.rfind(b"\n")  # -1 if no line is complete
        lines = data[:end].split(b"\n") if end >= 0 else []
        number = at = 0  # number of lines and bytes before the next line
        count = _MAX_LINES
        while number < len(lines):
            batch = lines[number : number + count]
            points = self._read_fast(batch)
            if points is not None:
                yield from points
                number += len(batch)
                at += sum(map(len, batch)) + len(batch)
                count = min(2 * count, _MAX_LINES)
            elif len(batch) > 1:
                count = len(batch) // 2
            else:
                stop = end_of_line(data, at)
                if stop >= size and not is_last:
                    break
                item = self._read_line(data, at, stop, self._lines_before + number)
                if item is not None:
                    yield item
                number += 1 + data.count(b"\n", at, stop)
                at = stop + 1
        self._lines_before += number
        return at

    def _read_fast(self, lines: list[bytes]) -> list[Point] | None:
        try:
            text = b"\n".join(lines).decode()
        except UnicodeDecodeError:  # the slow path reports the position
            return None
        return self._fast_reader.read(text)

    def _read_line(self, data: bytes, begin: int, end: int, lines_before: int) -> Point | SerializationError | None:
        try:
            return scan_line(data[begin:end], self._unit, unsigned=self._unsigned)
        except ScanError as error:
            rejection = _serialization_error(data[begin:end], error, lines_before)
            if self._raises:
                raise rejection from None
            return rejection


def _serialization_error(line: bytes, error: ScanError, lines_before: int) -> SerializationError:
    """Return the error for a line, whose strings may contain LFs."""
    begin = line.rfind(b"\n", 0, error.at) + 1
    end = line.find(b"\n", error.at)
    place = Place(
        line=lines_before + line.count(b"\n", 0, error.at) + 1,
        column=len(line[begin : error.at].decode(errors="replace")) + 1,
        text=line[begin : end if end >= 0 else len(line)].decode(errors="replace"),
        reason=error.reason,
    )
    rejection = SerializationError(f"line {place.line}, column {place.column}: {error.reason}")
    rejection.place = place
    return rejection
