"""File format of a spool: an encoder of records, and a reader that tolerates truncation and damage.

A file, called a segment, is a header followed by records. New ones are appended. A record is a length, checksums, and

- lines: a record number, which increases by one from record to record, the target, and the lines; or
- a mark: a record number. The lines of all records with a lower number are completed and need not be sent again. The
  numbers of other completed records follow. The mark of a record is never in an older segment than the record.

All integers are big-endian. The length has a separate checksum. If it matches, the records after a damaged one are
still read. If it does not, the rest of the file is skipped, because lines may contain bytes that look like a record.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from zlib import crc32

from ..._encode.batch import Batch
from ..._write.request import Target

_VERSION: Final = 1

#: Magic bytes, version, and a checksum of both.
_HEADER: Final = struct.Struct(">15sBI")
_MAGIC: Final = b"influxdb spool\n"
HEADER: Final = _HEADER.pack(_MAGIC, _VERSION, crc32(_MAGIC + bytes([_VERSION])))

#: Length of the payload, checksum of the payload, and a checksum of both.
_RECORD_HEADER: Final = struct.Struct(">III")
_TYPE: Final = struct.Struct(">BQ")
_COUNTS: Final = struct.Struct(">II")
_NUMBER: Final = struct.Struct(">Q")
_LINES: Final = 1
_MARK: Final = 2

_NAME: Final = re.compile(r"(\d{16})\.spool(?:\.damaged)?")


class UnknownVersion(ValueError):
    """A segment has an unsupported version of the format."""


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """A lines record: a batch with its number and target."""

    number: int
    target: Target
    batch: Batch


@dataclass(slots=True)
class Reading:
    """Readable contents of a segment."""

    batches: list[SpooledBatch] = field(default_factory=list[SpooledBatch])
    #: A record number; the lines of all records with a lower number are completed.
    mark: int = 0
    #: Numbers of other records whose lines are completed.
    completed: set[int] = field(default_factory=set[int])
    #: Number of bytes before a truncated record, or in the whole file.
    complete_bytes: int = 0
    #: Offsets of damaged records.
    damaged_offsets: list[int] = field(default_factory=list[int])


def segment_name(number: int) -> str:
    """Return the file name of a segment. Names sort like numbers."""
    return f"{number:016d}.spool"


def segment_number(name: str) -> int | None:
    """Return the number of a segment, damaged or not, from its file name; None for other files."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


@lru_cache(64)
def encode_target(target: Target, precision: str) -> bytes:
    """Return the target and precision of lines as they are stored in a record."""
    return json.dumps([*target, precision]).encode()


def lines_record_size(encoded_target: bytes, batch: Batch) -> int:
    """Return the size of the record that `lines_record` returns, in bytes."""
    return _RECORD_HEADER.size + _TYPE.size + _COUNTS.size + len(encoded_target) + len(batch.data)


def lines_record(number: int, encoded_target: bytes, batch: Batch) -> bytes:
    """Return a lines record; all lines must have a timestamp."""
    return _encode_record(
        _TYPE.pack(_LINES, number) + _COUNTS.pack(batch.lines, len(encoded_target)) + encoded_target, batch.data
    )


def mark_record(number: int, others: Iterable[int] = ()) -> bytes:
    """Return a mark: the lines of all records with a lower number are completed, and those of the others."""
    return _encode_record(_TYPE.pack(_MARK, number), b"".join(map(_NUMBER.pack, others)))


def read_segment(data: bytes) -> Reading:
    """Read all intact records of a segment.

    Raises:
        UnknownVersion: the segment has an unsupported version.
    """
    reading = Reading()
    if len(data) < len(HEADER) and HEADER.startswith(data):
        return reading  # truncated within the header
    magic, version, checksum = _HEADER.unpack_from(data.ljust(len(HEADER), b"\0"))
    if magic != _MAGIC or checksum != crc32(data[: len(HEADER) - 4]):
        reading.damaged_offsets.append(0)
    elif version != _VERSION:
        raise UnknownVersion(version)
    for at, payload in _read_payloads(data, reading):
        if not _read_record(payload, reading):
            reading.damaged_offsets.append(at)
    return reading


def _read_payloads(data: bytes, reading: Reading) -> Iterator[tuple[int, bytes]]:
    """Yield the offset and payload of each record with matching checksums."""
    at = len(HEADER)
    reading.complete_bytes = len(data)
    while at < len(data):
        begin = at + _RECORD_HEADER.size
        if begin > len(data):
            reading.complete_bytes = at
            return
        length, payload_checksum, header_checksum = _RECORD_HEADER.unpack_from(data, at)
        if crc32(data[at : begin - 4]) != header_checksum:
            reading.damaged_offsets.append(at)
            return
        if begin + length > len(data):
            reading.complete_bytes = at
            return
        payload = data[begin : begin + length]
        if crc32(payload) == payload_checksum:
            yield at, payload
        else:
            reading.damaged_offsets.append(at)
        at = begin + length


def _read_record(payload: bytes, reading: Reading) -> bool:
    record_type, number = _TYPE.unpack_from(payload)
    if record_type == _MARK:
        reading.mark = max(reading.mark, number)
        reading.completed.update(*_NUMBER.iter_unpack(payload[_TYPE.size :]))
    elif record_type == _LINES:
        count, length = _COUNTS.unpack_from(payload, _TYPE.size)
        begin = _TYPE.size + _COUNTS.size
        params, wants_db, precision = json.loads(payload[begin : begin + length])
        target: Target = tuple((name, value) for name, value in params), wants_db
        reading.batches.append(
            SpooledBatch(number, target, Batch(payload[begin + length :], count, precision, timed=True))
        )
    return record_type in {_LINES, _MARK}


def _encode_record(fields: bytes, data: bytes) -> bytes:
    sizes = struct.pack(">II", len(fields) + len(data), crc32(data, crc32(fields)))
    return b"".join((sizes, struct.pack(">I", crc32(sizes)), fields, data))
