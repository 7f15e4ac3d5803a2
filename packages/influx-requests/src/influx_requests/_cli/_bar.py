"""A progress bar at a terminal, where tqdm is installed."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from ._console import printable
from ._sources import Source


class Bar:
    """Shows how far a source is written."""

    def __init__(self, source: Source, done: int) -> None:
        self._bar: Any = None
        if not sys.stderr.isatty():
            return
        try:
            tqdm = import_module("tqdm").tqdm
        except ImportError:
            return
        self._bar = tqdm(
            desc=printable(source.name),
            total=source.total,
            initial=done,
            unit=source.unit,
            unit_scale=True,
            dynamic_ncols=True,
        )

    def update(self, done: int, rejected: int) -> None:
        """Show that so much is done, and how many lines were rejected."""
        if self._bar is not None:
            if rejected:
                self._bar.set_postfix_str(f"{rejected:,} rejected", refresh=False)
            self._bar.update(done - self._bar.n)

    def say(self, text: str) -> None:
        """Write a line beside the bar."""
        if self._bar is not None:
            self._bar.clear()
        sys.stderr.write(f"{printable(text)}\n")

    def close(self) -> None:
        """End."""
        if self._bar is not None:
            self._bar.close()
