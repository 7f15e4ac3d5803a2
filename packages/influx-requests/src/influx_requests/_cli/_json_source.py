"""JSON lines: one point in a line, as `InfluxDBClient.write` accepts it, or as Telegraf writes it."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._console import CommandError
from ._files import Input, not_utf8
from ._sources import Chunk, Position, chunk_of_points, line_groups

_KEYS: Final = {"measurement", "tags", "fields", "time"}
_ONE_POINT: Final = "each line holds one point, as `jq -c .` writes it, or `jq -c '.[]'` from an array"
_TELEGRAF_KEYS: Final = {"name", "tags", "fields", "timestamp"}


class JSONLines:
    """A file or stream of JSON lines.

    Args:
        source: the input.
        measurement: the measurement of points without one.
        precision: the unit of integer timestamps; None: nanoseconds, and seconds for Telegraf's metrics, which is
            Telegraf's default.
    """

    unit = "B"

    def __init__(self, source: Input, *, measurement: str | None, precision: str | None) -> None:
        self.name = source.name
        self.total = source.size
        self._source = source
        self._measurement = measurement
        self._precision = precision

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks after a position; those of a stream as soon as their lines are complete."""
        offset, number = start
        for lines in line_groups(self._source, start.offset, lambda data: data.split(b"\n")):
            points: list[tuple[int, dict[str, Any]]] = []
            for line in lines:
                number += 1
                text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if text := text.strip():
                    points += [(number, point) for point in self._parse(number, text)]
            offset += sum(map(len, lines)) + len(lines)
            end = Position(offset if self.total is None else min(offset, self.total), number)
            precision = self._precision or "ns"
            yield chunk_of_points(self.name, points, end, measurement=self._measurement, precision=precision)

    def _parse(self, number: int, text: bytes) -> list[dict[str, Any]]:
        try:
            value = json.loads(text, parse_constant=_reject_constant)
        except UnicodeDecodeError as error:
            raise CommandError(f"{self.name}:{number}: {not_utf8(error.object)}") from None
        except ValueError as error:
            hint = f"; {_ONE_POINT}" if text in {b"{", b"["} else ""
            raise CommandError(f"{self.name}:{number}: invalid JSON: {error}{hint}") from None
        if isinstance(value, dict) and value.keys() == {"metrics"} and isinstance(value["metrics"], list):
            return [self._from_telegraf(number, metric) for metric in value["metrics"]]
        if isinstance(value, dict) and ("timestamp" in value or ("name" in value and "measurement" not in value)):
            return [self._from_telegraf(number, value)]
        self._check(number, value, _KEYS)
        return [value]

    def _from_telegraf(self, number: int, metric: Any) -> dict[str, Any]:
        self._check(number, metric, _TELEGRAF_KEYS)
        if "timestamp" not in metric:
            raise CommandError(f"{self.name}:{number}: the metric has no timestamp")
        point: dict[str, Any] = dict(metric)
        time = point.pop("timestamp")
        if self._precision is None and isinstance(time, int):
            time *= 1_000_000_000
        point["time"] = time
        if "name" in point:
            point["measurement"] = point.pop("name")
        return point

    def _check(self, number: int, point: Any, keys: set[str]) -> None:
        if not isinstance(point, Mapping):
            hint = f"; {_ONE_POINT}" if isinstance(point, list) else ""
            example = '{"measurement": "cpu", "fields": {"load": 0.5}}'
            raise CommandError(f"{self.name}:{number}: expected a point, such as {example}{hint}")
        if unknown := point.keys() - keys:
            msg = f"{self.name}:{number}: unknown key {min(unknown)!r}; a point has {', '.join(sorted(keys))}"
            raise CommandError(msg)


def _reject_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")
