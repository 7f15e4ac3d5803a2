"""Query results: a mapping with the structure of InfluxDB's JSON, and conversions of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from .._checks import check_choice
from .._errors import ProtocolError, SerializationError
from .._time import to_datetime, to_nanoseconds
from .series import Series, SeriesList
from .shape import malformed_row, same_statement

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class QueryResult(Mapping[str, Any]):
    """The result of a query.

    A mapping with the structure of InfluxDB's JSON: `result["results"][0]["series"][0]["values"]`. `results` has one
    entry per statement. `series`, `columns`, `tags`, `values` and `messages` (the server's warnings about a statement)
    are absent if InfluxDB omits them.
    """

    __slots__ = ("_results", "epoch")

    #: The unit of the timestamps, which are integers: `ns`, `u`, `ms`, `s`, `m` or `h`; None if they are RFC 3339
    #: strings.
    epoch: str | None

    def __init__(self, results: list[dict[str, Any]], *, epoch: str | None = "ns") -> None:
        self._results = results
        self.epoch = epoch

    def __getitem__(self, key: str) -> Any:
        if key == "results":
            return self._results
        msg = f"{key!r}; a result has the single key 'results', and result.series[{key!r}] has a measurement's series"
        raise KeyError(msg)

    def __iter__(self) -> Iterator[str]:
        return iter(("results",))

    def __len__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # mutable, like dict

    def __repr__(self) -> str:
        from .display import as_text  # noqa: PLC0415 - only needed for display

        return as_text(self._results, self.epoch)

    def _repr_html_(self) -> str:
        from .display import as_html  # noqa: PLC0415 - see above

        return as_html(self._results, self.epoch)

    @property
    def series(self) -> SeriesList:
        """All series of all statements, in order. `result.series["cpu"]` has those of a measurement."""
        return SeriesList(
            Series(
                series.get("name", ""),
                dict(sorted(series.get("tags", {}).items())),  # unordered in MessagePack
                tuple(series["columns"]),
                series.get("values", []),
                result.get("statement_id", position),
            )
            for position, result in enumerate(self._results)
            for series in result.get("series", ())
        )

    @property
    def is_empty(self) -> bool:
        """Whether no statement returned a row. A result itself is always true, as a mapping with one key."""
        return not any(series.get("values") for result in self._results for series in result.get("series", ()))

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield each row of all series as a tuple of values, in the order of the columns of its series."""
        for series in self.series:
            for row in series.values:
                yield tuple(_checked_row(row, series))

    def points(self, *, time: Literal["datetime"] | None = None) -> Iterator[dict[str, Any]]:
        """Yield each row as a dict of columns and group tags.

        A column takes precedence over a group tag with the same name, and the last of several columns with the same
        name takes precedence.

        Args:
            time: the type of the timestamps: `"datetime"` for `datetime` in UTC, rounded down to microseconds; None
                leaves them as they are: integers in the unit `epoch`, or strings.
        """
        if time is not None:
            check_choice("time", time, ("datetime",))
        for series in self.series:
            has_times = time is not None and series.columns[:1] == ("time",)
            for row in series.values:
                cells = _checked_row(row, series)
                if has_times:
                    cells = [self._as_datetime(cells[0]), *cells[1:]]
                yield {**series.tags, **dict(zip(series.columns, cells, strict=True))}

    def first(self) -> dict[str, Any] | None:
        """Return the first point, as `points` does, or None if the result is empty."""
        return next(self.points(), None)

    def scalar(self) -> Any:
        """Return the value of a result with one row and one column except `time`, or None if the result is empty.

        For example the number of `SELECT count(v) FROM m`.

        Raises:
            ValueError: there are several rows, or several columns except `time`.
        """
        series_list = [series for series in self.series if series.values]
        if not series_list:
            return None
        series = series_list[0]
        row = _checked_row(series.values[0], series)
        begin = 1 if series.columns[0] == "time" and len(row) > 1 else 0
        rows = sum(len(each.values) for each in series_list)
        if rows > 1 or len(row) - begin > 1:
            msg = f"the result must have one row and one column except `time`, not {rows} x {len(row) - begin}"
            raise ValueError(msg)
        return row[begin]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain dicts and lists, for `json.dumps`."""
        results = []
        for result in self._results:
            plain = dict(result)
            if "series" in result:
                plain["series"] = [
                    {**series, **({"values": list(map(list, series["values"]))} if "values" in series else {})}
                    for series in result["series"]
                ]
            results.append(plain)
        return {"results": results}

    def _as_datetime(self, time: object) -> datetime | None:
        """Return a timestamp of the result; None if it is missing."""
        try:
            nanoseconds = to_nanoseconds(time, self.epoch or "ns")
        except SerializationError as error:
            raise ProtocolError(f"invalid timestamp in the column time: {error}") from None
        return None if nanoseconds is None else to_datetime(nanoseconds)

    def to_pandas(self, *, measurement_column: bool | None = None) -> pd.DataFrame:
        """Return the result of a single statement as a tidy pandas DataFrame that concatenates all series.

        The index is a UTC `DatetimeIndex` named `time`, or a `RangeIndex` if the rows have no timestamps, such as those
        of SHOW. Group tags are categorical columns before the others. Integers are `int64`, or `Int64` with missing
        values; floats, and columns without any value, are `float64`; booleans are `bool` or `boolean`; strings have
        pandas' string dtype. Duplicate column names get a suffix (`v`, `v_1`); columns keep their name before tags do.

        Args:
            measurement_column: whether to add a column `measurement`; None adds it if the result of SELECT has several
                measurements. Pass True if frames of different results must have the same columns. SHOW statements that
                list something per measurement always have it.

        Raises:
            ValueError: the result does not have exactly one statement. Use `to_pandas_list`.
        """
        from .to_pandas import to_pandas  # noqa: PLC0415 - only needed for DataFrames

        return to_pandas(self, measurement_column=measurement_column)

    def to_pandas_list(self, *, measurement_column: bool | None = None) -> list[pd.DataFrame]:
        """Return a pandas DataFrame for each statement; see `to_pandas`.

        Args:
            measurement_column: see `to_pandas`.
        """
        from .to_pandas import to_pandas_list  # noqa: PLC0415 - see above

        return to_pandas_list(self, measurement_column=measurement_column)

    def to_polars(self, *, measurement_column: bool | None = None) -> pl.DataFrame:
        """Return the result of a single statement as a polars DataFrame; as `to_pandas`, with `time` as first column.

        Args:
            measurement_column: see `to_pandas`.

        Raises:
            ValueError: as `to_pandas`, or a column has values of several types.
        """
        from .to_arrow import to_polars  # noqa: PLC0415 - see above

        return to_polars(self, measurement_column=measurement_column)

    def to_arrow(self, *, measurement_column: bool | None = None) -> Any:
        """Return the result of a single statement as a `pyarrow.Table`; as `to_pandas`, with `time` as first column.

        Args:
            measurement_column: see `to_pandas`.

        Raises:
            ValueError: as `to_pandas`, or a column has values of several types.
        """
        from .to_arrow import to_arrow  # noqa: PLC0415 - see above

        return to_arrow(self, measurement_column=measurement_column)


def join(chunks: Iterable[QueryResult]) -> QueryResult:
    """Join the chunks of a response: merge the entries of each statement, and series that were split over chunks."""
    results: list[dict[str, Any]] = []
    before: Mapping[str, Any] = {}
    split: dict[str, Any] | None = None  # the last series, if the next chunk continues it
    epoch: str | None = "ns"
    for chunk in chunks:
        epoch = chunk.epoch
        for part in chunk["results"]:
            if same_statement(before, part):
                result = results[-1]
                if part.get("messages"):
                    result.setdefault("messages", []).extend(part["messages"])
            else:
                result = {key: value for key, value in part.items() if key not in {"series", "partial"}}
                results.append(result)
                split = None
            before = part
            for series in part.get("series", ()):
                if split is not None and _is_same_series(split, series):
                    _add_columns(split, series["columns"])
                    split.setdefault("values", []).extend(series.get("values", ()))
                    joined = split
                else:
                    joined = series
                    if "partial" in series:
                        joined = {key: value for key, value in series.items() if key != "partial"}
                    result.setdefault("series", []).append(joined)
                split = joined if series.get("partial") else None
    return QueryResult(results, epoch=epoch)


def _is_same_series(first: Mapping[str, Any], following: Mapping[str, Any]) -> bool:
    """Return whether a series continues another one, possibly with further columns."""
    columns = first["columns"]
    return following["columns"][: len(columns)] == columns and all(
        first.get(key) == following.get(key) for key in ("name", "tags")
    )


def _add_columns(series: dict[str, Any], columns: list[str]) -> None:
    """Add further columns to a series, whose rows so far have no values there."""
    missing: list[None] = [None] * (len(columns) - len(series["columns"]))
    if missing:
        series["columns"] = columns
        series["values"] = [[*row, *missing] for row in series.get("values", ())]


def _checked_row(row: Any, series: Series) -> Sequence[Any]:
    if not isinstance(row, Sequence) or len(row) != len(series.columns):
        raise malformed_row(series.name, series.columns)
    return row
