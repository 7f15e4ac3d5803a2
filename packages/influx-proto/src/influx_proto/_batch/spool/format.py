"""The files of a spool: how lines are put into bytes, and what can be read of bytes that are cut off or damaged.

A file, called a segment, is a header and records, to which more are appended. A record is its length, checksums, and

- lines: a number, which counts up from record to record, where they are to go, and the lines; or
- a mark: a number. The lines of all records with a lower one are settled, and need not be sent any more.

All integers are big-endian. The length has a checksum of its own: where it is intact, what follows a damaged record can
still be found; where it is not, nothing behind it is looked for, since lines may hold anything.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from zlib import crc32

from ..._encode.batch import Batch
from ..._write.request import Target

_VERSION: Final = 1

#: Magic, version, and a checksum of both.
_HEADER: Final = struct.Struct(">15sBI")
_MAGIC: Final = b"influxdb spool\n"
HEADER: Final = _HEADER.pack(_MAGIC, _VERSION, crc32(_MAGIC + bytes([_VERSION])))

#: Length of the payload, checksum of the payload, and a checksum of both.
_HEAD: Final = struct.Struct(">III")
_KIND: Final = struct.Struct(">BQ")
_COUNTS: Final = struct.Struct(">II")
_LINES: Final = 1
_MARK: Final = 2

_NAME: Final = re.compile(r"(\d{16})\.spool(?:\.damaged)?")


class UnknownVersion(ValueError):
    """A segment is of a later version than this."""


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """A record of lines."""

    number: int
    target: Target
    batch: Batch


@dataclass(slots=True)
class Reading:
    """What could be read of a segment."""

    kept: list[SpooledBatch] = field(default_factory=list[SpooledBatch])
    #: The lines of all records with a lower number are settled.
    mark: int = 0
    #: How many bytes there are up to a record that is cut off; all, where none is.
    whole: int = 0
    #: Where it is damaged.
    damages: list[int] = field(default_factory=list[int])


def name_of(number: int) -> str:
    """Name a segment; names are in the order of the numbers."""
    return f"{number:016d}.spool"


def number_of(name: str) -> int | None:
    """Give the number of a segment, or of one that was put aside; None for any other file."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


@lru_cache(64)
def encode_target(target: Target, precision: str) -> bytes:
    """Say where lines are to go, as a record does."""
    return json.dumps([*target, precision]).encode()


def size_of_lines(place: bytes, batch: Batch) -> int:
    """Give the size of the record of lines that go to a place."""
    return _HEAD.size + _KIND.size + _COUNTS.size + len(place) + len(batch.data)


def lines_record(number: int, place: bytes, batch: Batch) -> bytes:
    """Put lines, all of which have a time, into a record."""
    return _record(_KIND.pack(_LINES, number) + _COUNTS.pack(batch.lines, len(place)) + place, batch.data)


def mark_record(number: int) -> bytes:
    """Say that the lines of all records with a lower number are settled."""
    return _record(_KIND.pack(_MARK, number), b"")


def read_segment(data: bytes) -> Reading:
    """Read what is intact.

    Raises:
        UnknownVersion: this is of another version.
    """
    reading = Reading()
    if len(data) < len(HEADER) and HEADER.startswith(data):
        return reading  # cut off before there was anything
    magic, version, checksum = _HEADER.unpack_from(data.ljust(len(HEADER), b"\0"))
    if magic != _MAGIC or checksum != crc32(data[: len(HEADER) - 4]):
        reading.damages.append(0)
    elif version != _VERSION:
        raise UnknownVersion(version)
    for at, payload in _payloads(data, reading):
        if not _read_record(payload, reading):
            reading.damages.append(at)
    return reading


def _payloads(data: bytes, reading: Reading) -> Iterator[tuple[int, bytes]]:
    """Give the payloads whose checksums are right."""
    at = len(HEADER)
    reading.whole = len(data)
    while at < len(data):
        begin = at + _HEAD.size
        if begin > len(data):
            reading.whole = at
            return
        length, of_payload, of_head = _HEAD.unpack_from(data, at)
        if crc32(data[at : begin - 4]) != of_head:
            reading.damages.append(at)
            return
        if begin + length > len(data):
            reading.whole = at
            return
        payload = data[begin : begin + length]
        if crc32(payload) == of_payload:
            yield at, payload
        else:
            reading.damages.append(at)
        at = begin + length


def _read_record(payload: bytes, reading: Reading) -> bool:
    kind, number = _KIND.unpack_from(payload)
    if kind == _MARK:
        reading.mark = max(reading.mark, number)
    elif kind == _LINES:
        count, length = _COUNTS.unpack_from(payload, _KIND.size)
        begin = _KIND.size + _COUNTS.size
        params, wants_db, precision = json.loads(payload[begin : begin + length])
        target: Target = tuple((name, value) for name, value in params), wants_db
        reading.kept.append(
            SpooledBatch(number, target, Batch(payload[begin + length :], count, precision, timed=True))
        )
    return kind in {_LINES, _MARK}


def _record(head: bytes, data: bytes) -> bytes:
    sizes = struct.pack(">II", len(head) + len(data), crc32(data, crc32(head)))
    return b"".join((sizes, struct.pack(">I", crc32(sizes)), head, data))
