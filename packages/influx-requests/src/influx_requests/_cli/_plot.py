"""The numbers of an answer over time: as an image, or in the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from influx_proto import QueryResult, Series

from ._console import CommandError, Exit, needed, printable

_IMAGES = {".pdf", ".png", ".svg"}

#: More curves than these have no legend, and more fields no picture each.
_MOST_CURVES = 12
_MOST_FIELDS = 8


@dataclass
class _Curve:
    """A field of a series."""

    label: str
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Plot:
    """Collects numbers, and draws them at the end: an image `path`, or in the terminal where that is None."""

    def __init__(self, path: Path | None) -> None:
        if path is not None and path.suffix.lower() not in _IMAGES:
            msg = f"--plot {path}: an image ends in .png, .svg or .pdf; and --plot comes after the query"
            raise CommandError(msg, Exit.USAGE)
        # What is not installed is told before anything is asked.
        self._library = needed("matplotlib.figure" if path else "uniplot", "--plot")
        self._numpy = needed("numpy", "--plot")
        self._path = path
        self._fields: dict[str, dict[str, _Curve]] = {}

    def add(self, chunk: QueryResult) -> None:
        """Take a part of an answer."""
        for series in chunk.series:
            if series.columns[:1] != ("time",):
                msg = "--plot: the answer has no times"
                raise CommandError(msg)
            for place, name in enumerate(series.columns[1:], 1):
                self._take(series, place, name)

    def _take(self, series: Series, place: int, name: str) -> None:
        label = ", ".join(value or "-" for value in series.tags.values())
        curve: _Curve | None = None
        for row in series.values:
            value = row[place]
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                if curve is None:
                    curves = self._fields.setdefault(f"{series.name}: {name}", {})
                    curve = curves.setdefault(label, _Curve(label))
                curve.times.append(row[0])
                curve.values.append(value)

    def close(self) -> None:
        """Draw."""
        if not self._fields:
            msg = "--plot: the answer has no numbers"
            raise CommandError(msg)
        if len(self._fields) > _MOST_FIELDS:
            msg = f"--plot: the answer has {len(self._fields)} fields with numbers; select {_MOST_FIELDS} at the most"
            raise CommandError(msg)
        if self._path is None:
            self._in_terminal()
        else:
            self._as_image(self._path)

    def _times(self, curve: _Curve) -> Any:
        return self._numpy.array(curve.times, "datetime64[ns]")

    def _titled(self) -> Iterator[tuple[str, dict[str, _Curve]]]:
        for name, curves in self._fields.items():
            # They are too many to tell apart.
            yield (name if len(curves) <= _MOST_CURVES else f"{name}, {len(curves)} series"), curves

    def _as_image(self, path: Path) -> None:
        figure = self._library.Figure(figsize=(10, 1 + 3 * len(self._fields)), layout="constrained")
        all_axes = figure.subplots(len(self._fields), sharex=True, squeeze=False)[:, 0]
        for axes, (title, curves) in zip(all_axes, self._titled(), strict=True):
            for curve in curves.values():
                marker = "." if len(curve.times) < 50 else None
                axes.plot(self._times(curve), curve.values, label=printable(curve.label), lw=1, marker=marker)
            axes.set_title(_as_it_is(title), loc="left", fontsize="medium")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            if 1 < len(curves) <= _MOST_CURVES:
                axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        dates = needed("matplotlib.dates", "--plot")
        locator = dates.AutoDateLocator()
        all_axes[-1].xaxis.set_major_locator(locator)
        all_axes[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        all_axes[-1].set_xlabel("time (UTC)")
        try:
            figure.savefig(path, dpi=120)
        except OSError as error:
            msg = f"cannot write {path}: {error.strerror}"
            raise CommandError(msg, Exit.USAGE) from error

    def _in_terminal(self) -> None:
        size = shutil.get_terminal_size((80, 24))
        color = sys.stdout.isatty()
        for title, curves in self._titled():
            known = list(curves.values())
            lines = self._library.plot_to_string(
                xs=[self._times(curve) for curve in known],
                ys=[curve.values for curve in known],
                title=f"{printable(title)} (times in UTC)",
                legend_labels=[printable(curve.label) for curve in known] if 1 < len(known) <= _MOST_CURVES else None,
                lines=True,
                color=color,
                width=max(20, size.columns - 20),
                height=max(6, min(17, size.lines // len(self._fields) - 6)),
            )
            sys.stdout.write(f"{lines}\n")


def _as_it_is(text: str) -> str:
    """Keep matplotlib from taking text for mathematics."""
    return printable(text).replace("$", r"\$")
