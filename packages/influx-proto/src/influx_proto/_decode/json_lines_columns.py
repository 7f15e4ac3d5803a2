"""Columnar decoder for JSON Lines, which creates neither a dict nor a list per row.

msgspec decodes an object with known keys into a class with an attribute for each of them, in half the time of a dict.
The decoder fails at a row with a new key. The row-by-row decoder then decodes these lines, and the class is replaced.
Both use the same library, so that the values are the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, repeat
from operator import is_
from typing import Any

import msgspec
from msgspec.structs import astuple

from .._gc_pause import gc_paused
from .._result.column import DictionaryStrings, Fragment, make_fragment
from .timestamp_columns import read_strings
from .timestamps import read_timestamp


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
