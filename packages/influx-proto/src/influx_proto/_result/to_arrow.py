"""Query results as Arrow tables and polars DataFrames; neither needs the other, nor numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .column import Column
from .shape import Chunk
from .table import Label, only_table

if TYPE_CHECKING:
    import polars as pl


def to_arrow(result: Chunk, *, measurement: bool | None = None) -> Any:
    """Turn the result of one statement into one `pyarrow.Table`: all series, one below the other.

    Columns are, in this order: `time` (nanoseconds in UTC), where the rows have times; the measurement if
    `measurement` says so; the tags of GROUP BY (both as dictionaries); the columns of the result, as int64, uint64,
    double, bool and string. What is missing is null. Otherwise as `to_pandas`.

    Args:
        result: the result of one statement.
        measurement: whether there is a column `measurement`. None: where the series are of several measurements.

    Raises:
        ValueError: the result is of no statement, or of several, or a column has cells of several kinds.
    """
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - only for those who ask for it; has no types

    table = only_table(result, measurement=measurement)
    data: dict[str, Any] = {}
    if table.times is not None:
        data["time"] = _packed(pa, pa.timestamp("ns", "UTC"), table.times)
    for label in table.labels:
        codes = _packed(pa, pa.int32(), label.codes)
        if -1 in label.codes:
            codes = pa.array(_nullable(label), pa.int32())
        data[label.name] = pa.DictionaryArray.from_arrays(codes, pa.array(label.categories, pa.string()))
    for column in table.columns:
        data[column.name] = _arrow_column(pa, column)
    return pa.table(data)


def _arrow_column(pa: Any, column: Column) -> Any:
    if column.dtype == "other":
        return pa.array(_lists(column, "Arrow"))
    kinds = {"int": pa.int64(), "uint": pa.uint64(), "float": pa.float64(), "bool": pa.bool_(), "str": pa.string()}
    if column.missing is None and column.dtype in {"int", "uint", "float"}:
        return _packed(pa, kinds[column.dtype], column.values)
    return pa.array(column.cells(), kinds[column.dtype])


def _packed(pa: Any, dtype: Any, values: Any) -> Any:
    """Make an array that shares the memory of the values."""
    return pa.Array.from_buffers(dtype, len(values), [None, pa.py_buffer(values)])


def to_polars(result: Chunk, *, measurement: bool | None = None) -> pl.DataFrame:
    """Turn the result of one statement into one polars DataFrame: all series, one below the other.

    Columns are, in this order: `time` (`Datetime("ns", "UTC")`), where the rows have times; the measurement if
    `measurement` says so; the tags of GROUP BY (both `Categorical`); the columns of the result, as `Int64`, `UInt64`,
    `Float64`, `Boolean` and `String`. What is missing is null.

    Args:
        result: the result of one statement.
        measurement: whether there is a column `measurement`. None: where the series are of several measurements.

    Raises:
        ValueError: the result is of no statement, or of several, or a column has cells of several kinds.
    """
    import polars as pl  # noqa: PLC0415 - see above

    table = only_table(result, measurement=measurement)
    series: list[pl.Series] = []
    if table.times is not None:
        series.append(pl.Series("time", table.times, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")))
    series.extend(_polars_label(label) for label in table.labels)
    series.extend(_polars_column(column) for column in table.columns)
    return pl.DataFrame(series)


def _polars_label(label: Label) -> pl.Series:
    import polars as pl  # noqa: PLC0415 - see above

    categories = pl.Series(label.name, label.categories, dtype=pl.String).cast(pl.Categorical)
    codes = pl.Series(_nullable(label), dtype=pl.UInt32)
    return categories.gather(codes)


def _polars_column(column: Column) -> pl.Series:
    import polars as pl  # noqa: PLC0415 - see above

    if column.dtype == "other":
        return pl.Series(column.name, _lists(column, "polars"))
    kinds = {"int": pl.Int64, "uint": pl.UInt64, "float": pl.Float64, "bool": pl.Boolean, "str": pl.String}
    packed = column.missing is None and column.dtype in {"int", "float"}
    return pl.Series(column.name, column.values if packed else column.cells(), dtype=kinds[column.dtype])


def _lists(column: Column, library: str) -> list[Any]:
    """Give the cells if they are lists, as SHOW SUBSCRIPTIONS has them: the only cells that are not scalar."""
    kinds = {type(cell) for cell in column.values if cell is not None}
    if kinds != {list}:
        names = sorted(dtype.__name__ for dtype in kinds)
        msg = (
            f"column {column.name!r} holds {' and '.join(names)} that have no common type in {library}; "
            "to_pandas gives them as they are"
        )
        raise ValueError(msg)
    return list(column.values)


def _nullable(label: Label) -> list[int | None]:
    return [None if code < 0 else code for code in label.codes]
