"""What a query answers: a mapping shaped as InfluxDB's JSON, and views of it."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Series:
    """The rows of one statement that share a measurement and the tags they are grouped by."""

    #: The measurement; empty where the statement is about no measurement (`SHOW USERS`).
    name: str
    #: The tags of `GROUP BY`; a tag that the points lack is `""`.
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    #: One list a row, in the order of `columns`.
    values: list[list[Any]] = field(repr=False)


class QueryResult(Mapping[str, Any]):
    """The answer to a query.

    A mapping shaped as InfluxDB's JSON: `result["results"][0]["series"][0]["values"]`; `series`, `columns`, `tags`
    and `values` are absent where InfluxDB leaves them out. Times are integers in the query's `epoch`.
    """

    __slots__ = ("_results",)

    def __init__(self, results: list[dict[str, Any]]) -> None:
        self._results = results

    def __getitem__(self, key: str) -> Any:
        if key == "results":
            return self._results
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(("results",))

    def __len__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # mutable inside, as dict is

    def __repr__(self) -> str:
        return f"QueryResult({_short.repr({'results': self._results})})"

    @property
    def series(self) -> list[Series]:
        """All series of all statements, in order."""
        return [
            Series(series.get("name", ""), series.get("tags", {}), tuple(series["columns"]), series.get("values", []))
            for result in self._results
            for series in result.get("series", ())
        ]

    def points(self) -> Iterator[dict[str, Any]]:
        """Give each row as a dict of columns and group tags.

        A column wins over a group tag of the same name, and of columns of the same name the last one.
        """
        for series in self.series:
            for row in series.values:
                yield {**series.tags, **dict(zip(series.columns, row, strict=True))}


_short = reprlib.Repr()
_short.maxlevel = 12
_short.maxlist = 10
_short.maxdict = 20
_short.maxstring = 200
_short.maxother = 200


def join(chunks: Iterable[QueryResult]) -> QueryResult:
    """Join the chunks of an answer: one entry a statement, and series that were split over chunks whole again."""
    results: list[dict[str, Any]] = []
    split: dict[str, Any] | None = None  # the series that the chunk before said goes on
    for chunk in chunks:
        for part in chunk["results"]:
            if results and results[-1].get("statement_id") == part.get("statement_id"):
                result = results[-1]
                result.setdefault("messages", []).extend(part.get("messages", ()))
                if not result["messages"]:
                    del result["messages"]
            else:
                result = {key: value for key, value in part.items() if key not in {"series", "partial"}}
                results.append(result)
                split = None
            for series in part.get("series", ()):
                if split is not None and _same_series(split, series):
                    split.setdefault("values", []).extend(series.get("values", ()))
                    whole = split
                else:
                    whole = {key: value for key, value in series.items() if key != "partial"}
                    result.setdefault("series", []).append(whole)
                split = whole if series.get("partial") else None
    return QueryResult(results)


def _same_series(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("name", "tags", "columns"))
