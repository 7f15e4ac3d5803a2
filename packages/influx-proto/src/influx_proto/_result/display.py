"""What is shown of a result: enough to see its shape, and never so much that it floods a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import Any, Final, NamedTuple, TypeAlias

Results: TypeAlias = Sequence[Mapping[str, Any]]

_SHOWN_SERIES: Final = 5
_SHOWN_ROWS: Final = 5
_SHOWN_CHARACTERS: Final = 40
#: Of all columns together, in terminal cells, with what is between them.
_SHOWN_WIDTH: Final = 116


class _Block(NamedTuple):
    """A series, or what there is to say about a statement."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    #: How many rows are not shown.
    more: str = ""


def as_text(results: Results) -> str:
    """Give some lines of text."""
    lines = [f"<QueryResult: {_shape(results)}>"]
    for block in _blocks(results):
        lines.append(f"  {block.title}")
        lines += [f"    {line}" for line in _aligned(block)]
    return "\n".join(lines)


def as_html(results: Results) -> str:
    """Give the same as tables, for notebooks. Nothing in it is markup but what is written here."""
    parts = [f"<div><p>QueryResult: {_shape(results)}</p>"]
    for block in _blocks(results):
        parts.append(f"<p>{escape(block.title)}</p>")
        if block.columns:
            head = "".join(f"<th>{escape(name)}</th>" for name in block.columns)
            rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in block.rows)
            body = "".join(f"<tr>{row}</tr>" for row in rows)
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        if block.more:
            parts.append(f"<p>{escape(block.more)}</p>")
    return "".join([*parts, "</div>"])


def _shape(results: Results) -> str:
    series = [series for result in results for series in result.get("series", ())]
    rows = sum(len(one.get("values", ())) for one in series)
    return f"{_count(len(results), 'statement')}, {_count(len(series), 'series')}, {_count(rows, 'row')}"


def _blocks(results: Results) -> Iterator[_Block]:
    left = _SHOWN_SERIES
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
            yield _series_block(prefix, series)
        hidden += max(len(all_series) - max(left, 0), 0)
        left -= len(all_series)
    if hidden:
        yield _Block(f"and {hidden} more series")


def _series_block(prefix: str, series: Mapping[str, Any]) -> _Block:
    rows = series.get("values", ())
    tags = ", ".join(f"{key}={value}" for key, value in sorted(series.get("tags", {}).items()))
    title = _short(f"{series.get('name', '')}{f' ({tags})' if tags else ''}", 200)
    columns = [_short(name, _SHOWN_CHARACTERS) for name in series["columns"][:_SHOWN_WIDTH]]
    cells = [_cells(row, len(columns)) for row in rows[:_SHOWN_ROWS]]
    widths = (max(map(_width, column)) + 2 for column in zip(columns, *cells, strict=True))
    fitting = max(1, sum(end - 2 <= _SHOWN_WIDTH for end in accumulate(widths)))
    more = []
    if len(rows) > _SHOWN_ROWS:
        more.append(_count(len(rows) - _SHOWN_ROWS, "more row"))
    if len(series["columns"]) > fitting:
        more.append(_count(len(series["columns"]) - fitting, "more column"))
    return _Block(
        f"{prefix}{title + ': ' if title else ''}{_count(len(rows), 'row')}",
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
    # A row that does not fit the columns is shown for what it is: who looks at it wants to know why it fails.
    shown = [_cell(cell) for cell in row[:width]] if isinstance(row, list) else [_cell(row)]
    return shown + [""] * (width - len(shown))


def _cell(cell: object) -> str:
    # Quotes tell the string '1' from the number, and line feeds from the layout.
    return _short(repr(cell[:_SHOWN_CHARACTERS] if isinstance(cell, str) else cell), _SHOWN_CHARACTERS)


def _short(text: str, longest: int) -> str:
    """Give text on one line, of bearable length."""
    start = text[: longest + 1]
    text = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in start)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _width(text: str) -> int:
    """Return the number of terminal cells that printable text occupies."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415 - has large tables, and most text is ASCII

    return wcswidth(text)


def _count(number: int, noun: str) -> str:
    plural = noun if noun.endswith("series") or number == 1 else f"{noun}s"
    return f"{number} {plural}"
