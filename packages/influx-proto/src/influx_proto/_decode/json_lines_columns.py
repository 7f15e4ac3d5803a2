"""Columnar decoders for JSON Lines, which create neither a dict nor a list per row.

`decode_spans` decodes lines that all have the same keys in the same order. It finds all quotes at once. All lines have
the same number of them, so each key and each string has its quotes at regular places. It then verifies that each key is
at its place, directly after the cell before it, and reads the cells column by column.

`ColumnDecoder` decodes other lines with known keys. msgspec decodes an object with known keys into a class with an
attribute for each of them, in half the time of a dict. It fails at a row with a new key. The row-by-row decoder then
decodes these lines, and the class is replaced. Both use the same library, so that the values are the same.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, repeat
from operator import is_
from typing import Any, Final

import msgspec
import numpy as np
from msgspec.structs import astuple

from .._gc_pause import gc_paused
from .._result.column import DictionaryStrings, Fragment, make_fragment
from .cells import Offsets
from .text_cells import TextCells
from .timestamp_columns import read_strings
from .timestamps import read_timestamp

#: A key, and its cell without nested arrays or objects.
_MEMBER: Final = re.compile(rb'("([^"\\]*)":)(?:(")[^"\\]*"|[^",{}\[\]]+)([,}])')
_QUOTE, _LF, _COMMA, _OPEN, _CLOSE, _SPACE = b'"\n,{} '
_SCALARS: Final = msgspec.json.Decoder(list[int | float | bool | None])


@dataclass(frozen=True, slots=True)
class _Member:
    """A key of all lines, with its quotes and its colon, and whether its cells are strings."""

    name: str
    key: bytes
    is_string: bool


def decode_spans(data: bytes, columns: Sequence[str]) -> list[Fragment] | None:
    """Decode complete lines with exactly these columns; return None if they have to be decoded otherwise."""
    members = _members(data[: data.index(b"\n")])
    if members is None or {member.name for member in members} != set(columns) or len(members) != len(columns):
        return None
    cells = TextCells(data)
    characters = cells.bytes[: len(data)]
    ends = np.flatnonzero(characters == _LF)
    quotes = np.flatnonzero(characters == _QUOTE)
    per_line = sum(4 if member.is_string else 2 for member in members)
    # Escape sequences hide quotes, and control characters other than the line feed are not JSON.
    if len(quotes) != len(ends) * per_line or b"\\" in data or np.count_nonzero(characters < _SPACE) != len(ends):
        return None
    fragments = _read_members(cells, members, np.ascontiguousarray(quotes.reshape(-1, per_line).T), ends)
    return None if fragments is None else [fragments[name] for name in columns]


def _members(line: bytes) -> list[_Member] | None:
    """Return the keys of a line, or None if it has nested values or escape sequences."""
    members = []
    at = 1
    while match := _MEMBER.match(line, at):
        key, name, quote, _ = match.groups()
        try:
            members.append(_Member(name.decode(), key, quote is not None))
        except UnicodeDecodeError:
            return None
        at = match.end()
    return members if members and at == len(line) and line[:1] == b"{" else None


def _read_members(
    cells: TextCells, members: Sequence[_Member], quotes: Offsets, ends: Offsets
) -> dict[str, Fragment] | None:
    """Return the columns by name.

    Args:
        cells: the bytes of the lines.
        members: the members of each line.
        quotes: for each quote of a line, its offset in all lines.
        ends: the end of each line.
    """
    begins = np.concatenate(([0], ends[:-1] + 1)) + 1  # of the keys; those of the first are after the brace
    if (cells.bytes[begins - 1] != _OPEN).any() or (cells.bytes[ends - 1] != _CLOSE).any():
        return None
    spans = {}
    at = 0
    for number, member in enumerate(members):
        if (quotes[at] != begins).any() or not cells.are_at(member.key, begins):
            return None
        cell_begins = begins + len(member.key)
        at += 4 if member.is_string else 2
        is_last = number == len(members) - 1
        begins = ends if is_last else quotes[at]
        cell_ends = begins - 1
        if member.is_string and ((quotes[at - 2] != cell_begins) | (quotes[at - 1] != cell_ends - 1)).any():
            return None
        if not is_last and (cells.bytes[cell_ends] != _COMMA).any():
            return None
        spans[member] = cell_begins, cell_ends - cell_begins
    fragments = {}
    for member, (cell_begins, lengths) in spans.items():
        fragment = _read_column(cells, member, cell_begins, lengths)
        if fragment is None:
            return None
        fragments[member.name] = fragment
    return fragments


def _read_column(cells: TextCells, member: _Member, begins: Offsets, lengths: Offsets) -> Fragment | None:
    if not member.is_string:
        return cells.scalars(begins, lengths, _SCALARS) if lengths.min() > 0 else None
    begins, lengths = begins + 1, lengths - 2
    if member.name != "time":
        return cells.strings(begins, lengths)
    return cells.times(begins, lengths) or make_fragment(list(map(read_timestamp, cells.cells(begins, lengths))))


class ColumnDecoder:
    """Decodes lines with these keys only, each of them optional."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Create a decoder.

        Raises:
            ValueError: a key cannot be the name of an attribute in JSON.
        """
        attributes = [f"a{number}" for number in range(len(columns))]
        row = msgspec.defstruct(
            "Row",
            [(attribute, Any, None) for attribute in attributes],
            rename=dict(zip(attributes, columns, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decoder = msgspec.json.Decoder(row)
        self._packers = [_pack_times if name == "time" else _Packer() for name in columns]

    def decode(self, data: bytes) -> list[Fragment] | None:
        """Decode complete lines; return the columns, or None if the lines have to be decoded row by row."""
        try:
            rows = gc_paused(self._decoder.decode_lines, data)
        except Exception:  # noqa: BLE001 - a new key, or an error that the row-by-row decoder raises
            return None
        if len(rows) != data.count(b"\n"):  # msgspec accepts several objects in a line, and objects over several lines
            return None
        cells = list(chain.from_iterable(map(astuple, rows)))
        return [pack(cells[at :: len(self._packers)]) for at, pack in enumerate(self._packers)]


class _Packer:
    """Packs the cells of a column; a dictionary of its strings is kept, since most strings occur again."""

    def __init__(self) -> None:
        self._distinct: list[str | None] = []
        self._codes: dict[str | None, int] = {}

    def __call__(self, cells: list[Any]) -> Fragment:
        with suppress(KeyError, TypeError):  # otherwise all cells are strings or missing
            return self._pack_known(cells)
        fragment = make_fragment(cells)
        if fragment.dtype == "str":
            distinct = list(dict.fromkeys(chain(self._codes, cells)))
            # A dictionary does not pay off if strings rarely repeat.
            self._distinct = distinct if 2 * len(distinct) <= len(cells) else []
            self._codes = {string: code for code, string in enumerate(self._distinct)}
            if self._distinct:
                return self._pack_known(cells)
        return fragment

    def _pack_known(self, cells: list[str | None]) -> Fragment:
        indices = array("i", map(self._codes.__getitem__, cells))
        missing = None
        if (code := self._codes.get(None)) is not None and code in indices:
            missing = bytearray(map(is_, cells, repeat(None)))
            if 0 not in missing:
                return Fragment(len(cells), None, None, missing)
        return Fragment(len(cells), "str", DictionaryStrings([(self._distinct, memoryview(indices))]), missing)


def _pack_times(cells: list[Any]) -> Fragment:
    with suppress(TypeError):  # not only strings
        times: Any = read_strings(cells)
        if times is not None:
            return Fragment(len(cells), "int", memoryview(times), None)
    return make_fragment([read_timestamp(cell) for cell in cells])
