"""`lint`: line protocol that the server would refuse, and where."""

from __future__ import annotations

import argparse
import sys

from influx_proto import Place, check_lines

from ._console import Exit, count, say, width
from ._files import opened, pieces

#: Of a line, characters that are shown before and after the place.
_BEFORE, _AFTER = 70, 40


def run(options: argparse.Namespace) -> Exit:
    """Check files."""
    problems = 0
    files = options.files or ["-"]
    for path in files:
        with opened(path) as (name, file):
            for error in check_lines(pieces(name, file), precision=options.precision):
                problems += 1
                if error.place is not None:
                    sys.stdout.write(_shown(name, error.place))
    if problems:
        say(f"{count(problems, 'problem')} in {count(len(files), 'file')}")
    return Exit.REFUSED if problems else Exit.OK


def _shown(name: str, place: Place) -> str:
    at = place.column - 1
    begin, end = max(0, at - _BEFORE), at + _AFTER
    before, after = _plain(place.text[begin:at]), _plain(place.text[at:end])
    lead = "..." if begin else ""
    trail = "..." if end < len(place.text) else ""
    return (
        f"{name}:{place.line}:{place.column}: {_plain(place.reason)}\n"
        f"  {lead}{before}{after}{trail}\n"
        f"  {' ' * (len(lead) + width(before))}^\n"
    )


def _plain(text: str) -> str:
    """Give text with each character in its place, and none that a terminal would take for an order."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else " " if character == "\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
