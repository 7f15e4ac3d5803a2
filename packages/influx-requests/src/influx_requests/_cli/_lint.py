"""Command `lint`: lines that the server would reject, with their positions."""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Iterator

from influx_proto import Place, check_lines

from ._console import PROGRAM, CommandError, Exit, format_count, print_stderr, width
from ._files import Input, open_input
from ._signals import InputInterrupted
from ._sources import carriage_return_hint

#: Characters of a line that are printed before and after the problem.
_BEFORE, _AFTER = 70, 40


def run(options: argparse.Namespace) -> Exit:
    """Check line protocol files."""
    problems = 0
    files = options.files or ["-"]
    interruption: BaseException | None = None
    try:
        for path in files:
            with open_input(path, "line protocol") as source:
                name = source.name
                for error in check_lines(_read_blocks(source), precision=options.precision or "ns"):
                    problems += 1
                    if error.place is not None:
                        sys.stdout.write(_format_problem(name, error.place))
    except InputInterrupted as end:
        interruption = end.interruption
    if problems:
        print_stderr(f"{format_count(problems, 'problem')} in {format_count(len(files), 'file')}")
    if interruption is not None:
        raise interruption
    return Exit.FAILED if problems else Exit.OK


def _read_blocks(source: Input) -> Iterator[bytes]:
    """Yield the data of an input; the server does not accept a byte order mark."""
    for number, block in enumerate(source.read_blocks()):
        if not number and block.startswith(codecs.BOM_UTF8):
            msg = (
                f"{source.name}: begins with a byte order mark, which InfluxDB would read as part of the measurement; "
                f"remove it, or write the file with `{PROGRAM} write`, which skips it"
            )
            raise CommandError(msg)
        yield block


def _format_problem(name: str, place: Place) -> str:
    at = place.column - 1
    begin, end = max(0, at - _BEFORE), at + _AFTER
    before, after = _plain(place.text[begin:at]), _plain(place.text[at:end])
    lead = "..." if begin else ""
    trail = "..." if end < len(place.text) else ""
    return (
        f"{name}:{place.line}:{place.column}: {_plain(place.reason)}{carriage_return_hint(place.text)}\n"
        f"  {lead}{before}{after}{trail}\n"
        f"  {' ' * (len(lead) + width(before))}^\n"
    )


def _plain(text: str) -> str:
    """Replace each control character by one character, so that columns stay aligned."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else " " if character == "\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
