"""Columnar decoder for JSON Lines whose lines all have the same keys in the same order, which creates no rows.

It finds all quotes at once. All lines have the same number of them, so each key and each string has its quotes at
regular places. The decoder then verifies that each key is at its place, directly after the cell before it, and reads
the cells column by column. If a check fails, another decoder decodes the lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from .._result.column import Fragment, make_fragment
from .text_cells import TextCells
from .timestamps import read_timestamp

if TYPE_CHECKING:
    from .cells import Offsets

#: A key, and its cell without nested arrays or objects.
_MEMBER: Final = re.compile(rb'("([^"\\]*)":)(?:(")[^"\\]*"|[^",{}\[\]]+)([,}])')
_QUOTE, _LF, _COMMA, _OPEN, _CLOSE = b'"\n,{}'


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


_SPACE: Final = 0x20
_SCALARS: Final = msgspec.json.Decoder(list[int | float | bool | None])


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
