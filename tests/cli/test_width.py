"""Display width of characters in tables."""

from __future__ import annotations

import io
import sys

from influx_proto import QueryResult
from influx_requests._cli._console import width
from influx_requests._cli._table import Table
from wcwidth import wcswidth

WIDE = ["\u65e5\u672c", "e\u0301", "\u0e19\u0e49\u0e33", "\U0001f469\u200d\U0001f467", "\u2600\ufe0f", "plain"]


def test_columns_are_aligned_in_terminal_cells() -> None:
    rows = [[text, 7] for text in WIDE]
    file = io.StringIO()
    Table(file).add(QueryResult([{"series": [{"columns": ["\u6642", "v"], "values": rows}]}]))
    lines = file.getvalue().splitlines()
    assert len({wcswidth(line) for line in lines}) == 1


def test_all_printable_characters_have_a_width() -> None:
    printable = filter(str.isprintable, map(chr, range(sys.maxunicode + 1)))
    assert {character for character in printable if width(character) != max(wcswidth(character), 0)} == set()
