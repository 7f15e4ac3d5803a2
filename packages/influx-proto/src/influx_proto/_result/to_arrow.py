"""Conversion of query results to Arrow tables and polars DataFrames. Neither requires the other, or numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .column import Column
from .shape import Chunk
from .table import Label, only_table

if TYPE_CHECKING:
    import polars as pl


def to_arrow(result: Chunk, *, measurement_column: bool | None = None) -> Any:
    """Return the result of a single statement as a `pyarrow.Table` that concatenates all series.

    The columns are, in this order: `time` (nanoseconds in UTC), if the rows have timestamps; `measurement`; the tags of
    GROUP BY (both dictionary-encoded); the columns of the result, as int64, uint64, double, bool or string. Missing
    values are null. Otherwise as `to_pandas`.
    """
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - only needed here; has no type hints

    table = only_table(result, measurement_column=measurement_column)
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
        return pa.array(_list_cells(column, "Arrow"))
    dtypes = {"int": pa.int64(), "uint": pa.uint64(), "float": pa.float64(), "bool": pa.bool_(), "str": pa.string()}
    if column.missing is None and column.dtype in {"int", "uint", "float"}:
        return _packed(pa, dtypes[column.dtype], column.values)
    return pa.array(column.cells(), dtypes[column.dtype])


def _packed(pa: Any, dtype: Any, values: Any) -> Any:
    """Return an array that shares the memory of the values."""
    return pa.Array.from_buffers(dtype, len(values), [None, pa.py_buffer(values)])


def to_polars(result: Chunk, *, measurement_column: bool | None = None) -> pl.DataFrame:
    """Return the result of a single statement as a polars DataFrame that concatenates all series.

    The columns are, in this order: `time` (`Datetime("ns", "UTC")`), if the rows have timestamps; `measurement`; the
    tags of GROUP BY (both `Categorical`); the columns of the result, as `Int64`, `UInt64`, `Float64`, `Boolean` or
    `String`. Missing values are null.
    """
    import polars as pl  # noqa: PLC0415 - see above

    table = only_table(result, measurement_column=measurement_column)
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
        return pl.Series(column.name, _list_cells(column, "polars"))
    dtypes = {"int": pl.Int64, "uint": pl.UInt64, "float": pl.Float64, "bool": pl.Boolean, "str": pl.String}
    is_packed = column.missing is None and column.dtype in {"int", "float"}
    return pl.Series(column.name, column.values if is_packed else column.cells(), dtype=dtypes[column.dtype])


def _list_cells(column: Column, library: str) -> list[Any]:
    """Return the cells if they are lists. Only SHOW SUBSCRIPTIONS has cells that are not scalars."""
    types = {type(cell) for cell in column.values if cell is not None}
    if types != {list}:
        names = sorted(cell_type.__name__ for cell_type in types)
        raise ValueError(
            f"column {column.name!r} has values of types {' and '.join(names)}, which have no common type in "
            f"{library}; use to_pandas, which keeps them as objects"
        )
    return list(column.values)


def _nullable(label: Label) -> list[int | None]:
    return [None if code < 0 else code for code in label.codes]
