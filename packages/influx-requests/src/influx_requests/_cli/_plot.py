"""Plot of the numeric fields of a result over time, as an image or in the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from influx_proto import QueryResult, Series

from ._console import CommandError, Exit, file_error, import_optional, to_printable
from ._terminal import has_color

_IMAGES = {".pdf", ".png", ".svg"}

#: Most curves of a plot with a legend.
_MAX_CURVES = 12
#: Most fields; each has a plot.
_MAX_FIELDS = 8


@dataclass
class _Curve:
    """Values of a field of one series."""

    label: str
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Plot:
    """Collects the numbers of a result and draws them at the end: as the image `path`, or in the terminal if None."""

    def __init__(self, path: Path | None) -> None:
        if path is not None and path.suffix.lower() not in _IMAGES:
            msg = f"--plot {path}: the image must end in .png, .svg or .pdf; pass --plot after the query"
            raise CommandError(msg, Exit.USAGE)
        # Report a missing library before the query is sent.
        self._library = import_optional("matplotlib.figure" if path else "uniplot", "--plot")
        self._numpy = import_optional("numpy", "--plot")
        self._path = path
        self._fields: dict[str, dict[str, _Curve]] = {}

    def add(self, chunk: QueryResult) -> None:
        """Collect the numbers of a chunk."""
        for series in chunk.series:
            if series.columns[:1] != ("time",):
                raise CommandError("--plot: the result has no timestamps; plot the result of a SELECT")
            for index, name in enumerate(series.columns[1:], 1):
                self._add_column(series, index, name)

    def _add_column(self, series: Series, index: int, name: str) -> None:
        label = ", ".join(value or "-" for value in series.tags.values())
        curve: _Curve | None = None
        for row in series.values:
            value = row[index]
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                if curve is None:
                    curves = self._fields.setdefault(f"{series.name}: {name}", {})
                    curve = curves.setdefault(label, _Curve(label))
                curve.times.append(row[0])
                curve.values.append(value)

    def close(self) -> None:
        """Draw the plot."""
        if not self._fields:
            raise CommandError("--plot: the result has no numbers; select a numeric field")
        if len(self._fields) > _MAX_FIELDS:
            msg = f"--plot: the result has {len(self._fields)} numeric fields; select at most {_MAX_FIELDS}"
            raise CommandError(msg)
        if self._path is None:
            self._draw_terminal()
        else:
            self._save_image(self._path)

    def _times(self, curve: _Curve) -> Any:
        return self._numpy.array(curve.times, "datetime64[ns]")

    def _titled_curves(self) -> Iterator[tuple[str, dict[str, _Curve]]]:
        for name, curves in self._fields.items():
            # Without a legend, the title has the number of curves.
            yield (name if len(curves) <= _MAX_CURVES else f"{name}, {len(curves)} series"), curves

    def _save_image(self, path: Path) -> None:
        figure = self._library.Figure(figsize=(10, 1 + 3 * len(self._fields)), layout="constrained")
        all_axes = figure.subplots(len(self._fields), sharex=True, squeeze=False)[:, 0]
        for axes, (title, curves) in zip(all_axes, self._titled_curves(), strict=True):
            for curve in curves.values():
                marker = "." if len(curve.times) < 50 else None
                axes.plot(self._times(curve), curve.values, label=to_printable(curve.label), lw=1, marker=marker)
            axes.set_title(_without_math(title), loc="left", fontsize="medium")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            if 1 < len(curves) <= _MAX_CURVES:
                axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        dates = import_optional("matplotlib.dates", "--plot")
        locator = dates.AutoDateLocator()
        all_axes[-1].xaxis.set_major_locator(locator)
        all_axes[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        all_axes[-1].set_xlabel("time (UTC)")
        try:
            figure.savefig(path, dpi=120)
        except OSError as error:
            raise file_error(f"cannot write {path}", error) from error

    def _draw_terminal(self) -> None:
        size = shutil.get_terminal_size((80, 24))
        color = has_color(sys.stdout)
        for title, curves in self._titled_curves():
            drawn = list(curves.values())
            lines = self._library.plot_to_string(
                xs=[self._times(curve) for curve in drawn],
                ys=[curve.values for curve in drawn],
                title=f"{to_printable(title)} (times in UTC)",
                legend_labels=[to_printable(curve.label) for curve in drawn] if 1 < len(drawn) <= _MAX_CURVES else None,
                lines=True,
                color=color,
                width=max(20, size.columns - 20),
                height=max(6, min(17, size.lines // len(self._fields) - 6)),
            )
            sys.stdout.write(f"{lines}\n")


def _without_math(text: str) -> str:
    """Escape dollar signs, which matplotlib reads as mathematical notation."""
    return to_printable(text).replace("$", r"\$")
