"""Progress bar, shown at a terminal if tqdm is installed."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any

from ._console import to_printable
from ._files import is_typed
from ._sources import Source
from ._terminal import is_capable


class Bar:
    """Progress bar of writing a source."""

    def __init__(self, source: Source, done: int) -> None:
        self._bar: Any = None
        self._start = time.monotonic()
        if is_typed(source.name):
            return  # a bar would overwrite what the user types
        if not (sys.stderr.isatty() and is_capable()):
            return
        try:
            tqdm = import_module("tqdm").tqdm
        except ImportError:
            return
        self._bar = tqdm(
            desc=to_printable(source.name),
            total=source.total,
            initial=done,
            unit=source.unit,
            unit_scale=True,
            dynamic_ncols=True,
        )

    def update(self, done: int, lines: int, rejected: int) -> None:
        """Show how much of the source is done, the rate of lines, and the number of rejected lines."""
        if self._bar is not None:
            elapsed = time.monotonic() - self._start
            notes = [f"{lines / elapsed:,.0f} lines/s"] if elapsed > 0 else []
            notes += [f"{rejected:,} rejected"] if rejected else []
            self._bar.set_postfix_str(", ".join(notes), refresh=False)
            self._bar.update(done - self._bar.n)

    def write_line(self, text: str) -> None:
        """Write a line to stderr without breaking the bar."""
        if self._bar is not None:
            self._bar.clear()
        sys.stderr.write(f"{to_printable(text)}\n")

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
