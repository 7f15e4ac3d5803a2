"""Line protocol, including the dumps of `influx_inspect export` and the files of `influx -import`.

Such a file has a section `# DDL` with statements, and a section `# DML` with lines. The comments
`# CONTEXT-DATABASE: name` and `# CONTEXT-RETENTION-POLICY: name` say where the following lines belong.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Final

from influx_proto import split_lines

from ._console import PROGRAM, CommandError
from ._files import Input
from ._sources import CHUNK_LINES, START, Chunk, Position, line_groups

#: Comments that begin a section or name the target of the lines.
_MARKER: Final = re.compile(rb"# ?(?:(DDL|DML)\s*$|CONTEXT-(DATABASE|RETENTION-POLICY):(.*))")
#: Bytes that a block with markers contains.
_MARKER_STARTS: Final = (b"# DDL", b"# DML", b"# CONTEXT-", b"#DDL", b"#DML", b"#CONTEXT-")

#: Any number of points, each on one line: with quotes only around values, and without escapes.
_POINTS: Final = re.compile(
    rb"""
    (?: [^\\"\ \n\#][^\\"\ \n]*+
        (?: [ ,] [^\\"\ =,\n]++ = (?: "[^"\\\n]*+" | [^\\"\ =,\n]++ ) )++
        (?: [ ] -?[0-9]++ )?+ \n )*+
    """,
    re.VERBOSE,
)

_MAX_JOINED_LINES: Final = 10 * CHUNK_LINES

_STATEMENT: Final = re.compile(r"\s*CREATE\s", re.IGNORECASE)


@dataclass(frozen=True)
class _Context:
    """The target that the comments before a line name, and the section."""

    database: str | None = None
    rp: str | None = None
    is_ddl: bool = False


class LineProtocol:
    """A line protocol file or stream.

    Args:
        source: the input.
        precision: the unit of the timestamps.
        check_target: called with the line number, the database and the retention policy that the file names; it
            raises `CommandError` if the options name others.
    """

    unit = "B"

    def __init__(
        self, source: Input, precision: str, check_target: Callable[[int, str | None, str | None], None]
    ) -> None:
        self.name = source.name
        self.total = source.size
        self._source = source
        self._precision = precision
        self._check_target = check_target

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position; those of a stream as soon as their lines are complete."""
        if start.offset and not self._has_markers(start.offset):
            yield from self._chunks(start)
            return
        if start.offset:
            self._source.file.seek(0)  # the target of the lines depends on the comments before them
        for chunk in self._chunks(START):
            if chunk.end.offset > start.offset:
                yield chunk

    def _has_markers(self, end: int) -> bool:
        size = 0
        for block in self._source.read_blocks():
            if any(marker in block for marker in _MARKER_STARTS):
                return True
            size += len(block)
            if size >= end:
                break
        return False

    def _chunks(self, start: Position) -> Iterator[Chunk]:
        offset, number = start
        context = _Context()
        for lines in line_groups(self._source, start.offset, _split_complete):
            if not offset and lines[0].startswith(codecs.BOM_UTF8):
                offset = len(codecs.BOM_UTF8)
                lines[0] = lines[0][offset:]
            if not (context.is_ddl or any(line.startswith(b"#") and _MARKER.match(line) for line in lines)):
                yield (chunk := self._chunk(lines, offset, number, context))
                offset, number = chunk.end
                continue
            contexts: list[_Context] = []
            at = number
            for line in lines:
                at += 1
                contexts.append(context := self._next_context(context, line, at))
                at += line.count(b"\n")
            for each, group in groupby(zip(contexts, lines, strict=True), key=itemgetter(0)):
                yield (chunk := self._chunk([line for _, line in group], offset, number, each))
                offset, number = chunk.end

    def _next_context(self, context: _Context, line: bytes, number: int) -> _Context:
        """Return the context after a line."""
        if line[:1] != b"#" or (match := _MARKER.match(line)) is None:
            return context
        section, target, value = match.groups()
        if section:
            return replace(context, is_ddl=section == b"DDL")
        name = value.decode(errors="replace").strip() or None
        # A retention policy belongs to the database that the file has named last.
        context = _Context(name) if target == b"DATABASE" else replace(context, rp=name, is_ddl=False)
        self._check_target(number, context.database, context.rp)
        return context

    def _chunk(self, lines: list[bytes], offset: int, number: int, context: _Context) -> Chunk:
        data = b"\n".join(lines)
        size = offset + len(data) + 1  # one too many if the last line of the file has no LF
        end = Position(size if self.total is None else min(size, self.total), number + data.count(b"\n") + 1)

        def numbered() -> Iterator[tuple[int, bytes]]:
            at = number + 1
            for line in split_lines(data):
                yield at, line
                at += 1 + line.count(b"\n")

        if context.is_ddl:
            statements = tuple(
                self._statement(line, at) for at, line in numbered() if line.strip() and line[:1] != b"#"
            )
            return Chunk(b"", self._precision, end, lambda: (), statements=statements)
        return Chunk(data, self._precision, end, numbered, context.database, context.rp)

    def _statement(self, line: bytes, number: int) -> str:
        statement = line.decode(errors="replace")
        if not _STATEMENT.match(statement):
            msg = (
                f"{self.name}:{number}: only CREATE statements of the section DDL are executed, got {statement!r}; "
                f"remove it, and execute it with `{PROGRAM} query`"
            )
            raise CommandError(msg)
        return statement


def _split_complete(data: bytes) -> list[bytes]:
    """Split line protocol that ends with an LF into its lines and the rest, which is a line in a string or empty.

    Lines without comments, escapes and LFs in strings remain joined, which is faster, if a chunk may have as many.
    """
    has_comments = data.startswith((b"#", codecs.BOM_UTF8)) or b"\n#" in data
    may_join = not has_comments and data.endswith(b"\n") and data.count(b"\n") <= _MAX_JOINED_LINES
    if b'"' not in data and b"\\" not in data:  # every LF ends a line
        return [data[:-1], b""] if may_join else data.split(b"\n")
    if may_join and _POINTS.fullmatch(data):
        return [data[:-1], b""]
    *lines, last = split_lines(data + b"#")
    return [*lines, last[:-1]]
