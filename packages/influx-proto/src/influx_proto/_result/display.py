"""Text and HTML representations of results, limited in size for terminals and notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import Any, Final, NamedTuple, TypeAlias

from .._repr import counted
from .._time import to_rfc3339, unit

Results: TypeAlias = Sequence[Mapping[str, Any]]

_MAX_SERIES: Final = 5
_MAX_ROWS: Final = 5
_MAX_CHARACTERS: Final = 40
#: The width of all columns with the space between them, in terminal cells.
_MAX_WIDTH: Final = 116


class _Block(NamedTuple):
    """A series, or a note about a statement."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    #: The number of rows and columns that are not shown.
    more: str = ""


def as_text(results: Results, epoch: str | None) -> str:
    """Return a representation of several lines."""
    lines = [f"<QueryResult: {_summary(results)}>"]
    for block in _blocks(results, epoch):
        lines.append(f"  {block.title}")
        lines += [f"    {line}" for line in _aligned(block)]
    return "\n".join(lines)


def as_html(results: Results, epoch: str | None) -> str:
    """Return HTML tables for notebooks. All data is escaped."""
    parts = [f"<div><p>QueryResult: {_summary(results)}</p>"]
    for block in _blocks(results, epoch):
        parts.append(f"<p>{escape(block.title)}</p>")
        if block.columns:
            head = "".join(f"<th>{escape(name)}</th>" for name in block.columns)
            rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in block.rows)
            body = "".join(f"<tr>{row}</tr>" for row in rows)
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        if block.more:
            parts.append(f"<p>{escape(block.more)}</p>")
    return "".join([*parts, "</div>"])


def _summary(results: Results) -> str:
    series = [series for result in results for series in result.get("series", ())]
    rows = sum(len(one.get("values", ())) for one in series)
    return f"{counted(len(results), 'statement')}, {counted(len(series), 'series')}, {counted(rows, 'row')}"


def _blocks(results: Results, epoch: str | None) -> Iterator[_Block]:
    left = _MAX_SERIES
    hidden = 0
    for position, result in enumerate(results):
        prefix = f"statement {result.get('statement_id', position)}: " if len(results) > 1 else ""
        all_series = result.get("series", ())
        if not all_series and left > 0:
            yield _Block(f"{prefix}no series")
            left -= 1
        for message in result.get("messages", ()):
            yield _Block(f"{prefix}{message.get('level', 'message')}: {_short(str(message.get('text', '')), 400)}")
        for series in all_series[: max(left, 0)]:
            yield _series_block(prefix, series, epoch)
        hidden += max(len(all_series) - max(left, 0), 0)
        left -= len(all_series)
    if hidden:
        yield _Block(f"and {hidden} more series")


def _series_block(prefix: str, series: Mapping[str, Any], epoch: str | None) -> _Block:
    rows = series.get("values", ())
    tags = ", ".join(f"{key}={value}" for key, value in sorted(series.get("tags", {}).items()))
    title = _short(f"{series.get('name', '')}{f' ({tags})' if tags else ''}", 200)
    columns = [_short(name, _MAX_CHARACTERS) for name in series["columns"][:_MAX_WIDTH]]
    cells = [_cells(row, len(columns)) for row in rows[:_MAX_ROWS]]
    if epoch is not None and columns[:1] == ["time"]:
        cells = [[_readable_time(row, text, epoch), *others] for row, (text, *others) in zip(rows, cells, strict=False)]
    widths = (max(map(_width, column)) + 2 for column in zip(columns, *cells, strict=True))
    fitting = max(1, sum(end - 2 <= _MAX_WIDTH for end in accumulate(widths)))
    more = []
    if len(rows) > _MAX_ROWS:
        more.append(counted(len(rows) - _MAX_ROWS, "more row"))
    if len(series["columns"]) > fitting:
        more.append(counted(len(series["columns"]) - fitting, "more column"))
    return _Block(
        f"{prefix}{title + ': ' if title else ''}{counted(len(rows), 'row')}",
        columns[:fitting],
        [row[:fitting] for row in cells],
        f"and {', '.join(more)}" if more else "",
    )


def _aligned(block: _Block) -> list[str]:
    widths = [max(map(_width, column)) for column in zip(block.columns, *block.rows, strict=True)]
    lines = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in ([block.columns, *block.rows] if block.columns else [])
    ]
    return [*lines, block.more] if block.more else lines


def _cells(row: Any, width: int) -> list[str]:
    # Also show a malformed row, so that users see the problem.
    shown = [_cell(cell) for cell in row[:width]] if isinstance(row, list) else [_cell(row)]
    return shown + [""] * (width - len(shown))


def _cell(cell: object) -> str:
    # `repr` distinguishes the string '1' from the number, and escapes line feeds.
    return _short(repr(cell[:_MAX_CHARACTERS] if isinstance(cell, str) else cell), _MAX_CHARACTERS)


def _readable_time(row: Any, text: str, epoch: str) -> str:
    """Return the integer timestamp of a row as a date and time in UTC, or `text` if the row has none."""
    time = row[0] if isinstance(row, list) and row else None
    try:
        return to_rfc3339(time * unit(epoch, "epoch")) if type(time) is int else text
    except (ValueError, OverflowError):  # of a malformed response
        return text


def _short(text: str, max_length: int) -> str:
    """Return text on one line, truncated to a maximum length."""
    start = text[: max_length + 1]
    text = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in start)
    return text if len(text) <= max_length else f"{text[: max_length - 3]}..."


def _width(text: str) -> int:
    """Return the number of terminal cells that printable text occupies."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415 - has large tables, and most text is ASCII

    return wcswidth(text)
