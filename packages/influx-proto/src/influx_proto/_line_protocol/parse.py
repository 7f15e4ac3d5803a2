"""Line protocol to points: what InfluxDB 1.x accepts is accepted, what it refuses is refused, for the same reason.

There are two ways. `parse_fast` reads many lines at a time, if all of them are such as clients write; `scan` reads
any line, and follows the server step by step where the grammar does not tell what the server does.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from .._errors import Place, SerializationError
from .._time import unit
from .scan import ScanError, scan_line
from .split import end_of_line, lines

if TYPE_CHECKING:
    from .parse_fast import Point

#: Bytes that are looked at in one go.
_WINDOW: Final = 1 << 18

#: Lines that are read at a time.
_AT_ONCE: Final = 256


def parse_lines(
    data: bytes | str | Iterable[bytes], *, precision: str = "ns", unsigned: bool = False
) -> Iterator[Point]:
    """Read line protocol as InfluxDB 1.x reads it.

    Args:
        data: the lines: whole, or in pieces that are cut anywhere, such as the parts of a file. Blank lines and
            comments are skipped.
        precision: the unit of the times.
        unsigned: whether unsigned integers (`5u`) are accepted, which InfluxDB 1.x as it is released does not know.

    Yields:
        One dict for a line: `measurement`, `tags`, `fields` and `time`. Fields are `float`, `int`, `bool` and `str`;
        the time is in nanoseconds since 1970 UTC, None for a line without. Of a field that comes twice in a line the
        last value counts; a field called `time` is left out if there are others, as it is by the server.

    Raises:
        SerializationError: the server would refuse a line; says which line and column, and why, and has this as its
            `place`. Two differences: text that is not UTF-8 is rejected, which InfluxDB 1.x accepts, and so are
            measurements with two backslashes before a special character, whose points InfluxDB 1.x never finds again.
        ValueError: there is no such precision.
    """
    return _parse(_pieces(data), _Reader(unit(precision), unsigned=unsigned))


def check_lines(
    data: bytes | str | Iterable[bytes], *, precision: str = "ns", unsigned: bool = False
) -> Iterator[SerializationError]:
    """Find all lines that InfluxDB 1.x would refuse.

    Args:
        data: as for `parse_lines`.
        precision: as for `parse_lines`.
        unsigned: as for `parse_lines`.

    Yields:
        The error that `parse_lines` would raise, for each such line.

    Raises:
        SerializationError: a `str` cannot be encoded.
        ValueError: there is no such precision.
    """
    reader = _Reader(unit(precision), unsigned=unsigned, raises=False)
    return (item for item in _parse(_pieces(data), reader) if isinstance(item, SerializationError))


def split_lines(data: bytes | str | Iterable[bytes]) -> Iterator[bytes]:
    """Cut line protocol into its lines, as InfluxDB 1.x does: a string may have LFs within it.

    Args:
        data: as for `parse_lines`. It is not looked at whether the server would take the lines.

    Yields:
        Each line without the LF at its end, blank ones and comments as well.

    Raises:
        SerializationError: a `str` cannot be encoded.
    """
    return _split(_pieces(data))


def _pieces(data: bytes | str | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(data, str):
        try:
            data = data.encode()
        except UnicodeEncodeError as error:
            before = error.object[: error.start]
            line, column = before.count("\n") + 1, error.start - before.rfind("\n")
            msg = f"line {line}, column {column}: a lone surrogate, which UTF-8 cannot encode"
            raise SerializationError(msg) from None
    if isinstance(data, bytes | bytearray | memoryview):
        whole = memoryview(data).cast("B")
        return (bytes(whole[at : at + _WINDOW]) for at in range(0, len(whole), _WINDOW))
    return data


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    enough = 0  # a line that goes on for long is not looked at again with every piece
    for piece in pieces:
        rest += piece
        if len(rest) < enough:
            continue
        at = 0
        for begin, end in lines(rest):
            if end == len(rest):  # which may lie within it
                break
            yield rest[begin:end]
            at = end + 1
        rest = rest[at:]
        enough = 0 if at else 2 * len(rest)
    for begin, end in lines(rest):
        yield rest[begin:end]


def _parse(pieces: Iterable[bytes], reader: _Reader) -> Iterator[Any]:
    rest = b""
    enough = 0  # as in `_split`
    for piece in pieces:
        rest += piece
        if len(rest) < enough:
            continue
        at = yield from reader.read(rest, last=False)
        rest = rest[at:]
        enough = 0 if at else 2 * len(rest)
    yield from reader.read(rest, last=True)


class _Reader:
    """Reads lines from a buffer, and counts the lines before it.

    Args:
        unit: the unit of the timestamps, in nanoseconds.
        unsigned: whether unsigned integers are accepted.
        raises: whether the error of a rejected line is raised, or yielded in the place of the point.
    """

    def __init__(self, unit: int, *, unsigned: bool, raises: bool = True) -> None:
        self._unit = unit
        self._unsigned = unsigned
        self._raises = raises
        from .parse_fast import PlainReader  # noqa: PLC0415 - not needed by those who only write, and slow to import

        self._plain = PlainReader(unit)
        self._lines_before = 0

    def read(self, data: bytes, *, last: bool) -> Generator[Point | SerializationError, None, int]:
        """Yield the points, or errors, of all complete lines; return the number of bytes of these lines."""
        size = len(data)
        end = size if last else data.rfind(b"\n")  # without an LF there is no complete line
        lines = data[:end].split(b"\n") if end >= 0 else []
        number = at = 0  # of the next line, and where it begins
        count = _AT_ONCE
        while number < len(lines):
            some = lines[number : number + count]
            points = self._read_plain(some)
            if points is not None:
                yield from points
                number += len(some)
                at += sum(map(len, some)) + len(some)
                count = min(2 * count, _AT_ONCE)
            elif len(some) > 1:
                count = len(some) // 2
            else:
                stop = end_of_line(data, at)
                if stop >= size and not last:
                    break
                item = self._read_any(data, at, stop, self._lines_before + number)
                if item is not None:
                    yield item
                number += 1 + data.count(b"\n", at, stop)
                at = stop + 1
        self._lines_before += number
        return at

    def _read_plain(self, lines: list[bytes]) -> list[Point] | None:
        try:
            text = b"\n".join(lines).decode()
        except UnicodeDecodeError:  # the long way tells where
            return None
        return self._plain.read(text)

    def _read_any(self, data: bytes, begin: int, end: int, lines_before: int) -> Point | SerializationError | None:
        try:
            return scan_line(data[begin:end], self._unit, unsigned=self._unsigned)
        except ScanError as error:
            rejection = _error(data[begin:end], error, lines_before)
            if self._raises:
                raise rejection from None
            return rejection


def _error(line: bytes, error: ScanError, lines_before: int) -> SerializationError:
    """Return the error for a line, which may have LFs in its strings."""
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
