"""What a query answers: a mapping shaped as InfluxDB's JSON, and views of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .shape import misshapen, same_statement

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


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
    #: The statement that this is of, counted from 0.
    statement_id: int = 0


class QueryResult(Mapping[str, Any]):
    """The answer to a query.

    A mapping shaped as InfluxDB's JSON: `result["results"][0]["series"][0]["values"]`; `series`, `columns`, `tags`
    and `values` are absent where InfluxDB leaves them out, and so are `messages`, which hold the server's warnings
    about a statement. Each statement has its entry in `results`.
    """

    __slots__ = ("_results", "epoch")

    #: The unit of the times, which are integers: `ns`, `u`, `ms`, `s`, `m` or `h`; None where they are RFC 3339 text.
    epoch: str | None

    def __init__(self, results: list[dict[str, Any]], *, epoch: str | None = "ns") -> None:
        self._results = results
        self.epoch = epoch

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
        from .display import as_text  # noqa: PLC0415 - not needed by those who show no result

        return as_text(self._results)

    def _repr_html_(self) -> str:
        from .display import as_html  # noqa: PLC0415 - see above

        return as_html(self._results)

    @property
    def series(self) -> list[Series]:
        """All series of all statements, in order; each tells its statement."""
        return [
            Series(
                series.get("name", ""),
                dict(sorted(series.get("tags", {}).items())),  # MessagePack has them in no order
                tuple(series["columns"]),
                series.get("values", []),
                result.get("statement_id", position),
            )
            for position, result in enumerate(self._results)
            for series in result.get("series", ())
        ]

    def points(self) -> Iterator[dict[str, Any]]:
        """Give each row as a dict of columns and group tags.

        A column wins over a group tag of the same name, and of columns of the same name the last one.
        """
        for series in self.series:
            for row in series.values:
                try:
                    point = {**series.tags, **dict(zip(series.columns, row, strict=True))}
                except (ValueError, TypeError):
                    raise misshapen(series.name, series.columns) from None
                yield point

    def to_pandas(self, *, measurement: bool | None = None) -> pd.DataFrame:
        """Give the only statement's result as one tidy pandas DataFrame: all series, one below the other.

        The index is a UTC `DatetimeIndex` called `time`, or a plain one where the rows are not about times, as those
        of SHOW. Group tags are categorical columns before the others. Integers are `int64`, or `Int64` where cells are
        missing; floats, and columns without any value, are `float64`; booleans are `bool` or `boolean`; strings are
        what pandas has for them. Columns of one name are told apart as `v`, `v_1`; a tag gives way to a column.

        Args:
            measurement: whether there is a column `measurement`. None: where SELECT answered with several
                measurements, so say True where frames of different answers have to have the same columns. SHOW
                statements that list something per measurement always have it.

        Raises:
            ValueError: the result is of no statement, or of several: `to_pandas_list` gives a frame for each.
        """
        from .to_pandas import to_pandas  # noqa: PLC0415 - not needed by those who want no frame

        return to_pandas(self, measurement=measurement)

    def to_pandas_list(self, *, measurement: bool | None = None) -> list[pd.DataFrame]:
        """Give the results of all statements as pandas DataFrames, one a statement; each as `to_pandas`.

        Args:
            measurement: see `to_pandas`.
        """
        from .to_pandas import to_pandas_list  # noqa: PLC0415 - see above

        return to_pandas_list(self, measurement=measurement)

    def to_polars(self, *, measurement: bool | None = None) -> pl.DataFrame:
        """Give the only statement's result as one polars DataFrame; as `to_pandas`, with `time` as a first column.

        Args:
            measurement: see `to_pandas`.

        Raises:
            ValueError: as `to_pandas`, or a column has cells of several kinds.
        """
        from .to_arrow import to_polars  # noqa: PLC0415 - see above

        return to_polars(self, measurement=measurement)

    def to_arrow(self, *, measurement: bool | None = None) -> Any:
        """Give the only statement's result as one `pyarrow.Table`; as `to_pandas`, with `time` as a first column.

        Args:
            measurement: see `to_pandas`.

        Raises:
            ValueError: as `to_pandas`, or a column has cells of several kinds.
        """
        from .to_arrow import to_arrow  # noqa: PLC0415 - see above

        return to_arrow(self, measurement=measurement)


def join(chunks: Iterable[QueryResult]) -> QueryResult:
    """Join the chunks of an answer: one entry a statement, and series that were split over chunks whole again."""
    results: list[dict[str, Any]] = []
    before: Mapping[str, Any] = {}
    split: dict[str, Any] | None = None  # the series that the chunk before said goes on
    epoch: str | None = "ns"
    for chunk in chunks:
        epoch = chunk.epoch
        for part in chunk["results"]:
            if same_statement(before, part):
                result = results[-1]
                result.setdefault("messages", []).extend(part.get("messages", ()))
                if not result["messages"]:
                    del result["messages"]
            else:
                result = {key: value for key, value in part.items() if key not in {"series", "partial"}}
                results.append(result)
                split = None
            before = part
            for series in part.get("series", ()):
                if split is not None and _same_series(split, series):
                    split.setdefault("values", []).extend(series.get("values", ()))
                    whole = split
                else:
                    whole = {key: value for key, value in series.items() if key != "partial"}
                    result.setdefault("series", []).append(whole)
                split = whole if series.get("partial") else None
    return QueryResult(results, epoch=epoch)


def _same_series(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("name", "tags", "columns"))
