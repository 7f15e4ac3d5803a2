"""Conversion of query results to pandas DataFrames. Imports numpy and pandas, so it is imported on first use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from .column import Column, DictionaryStrings, StableDType
from .shape import Chunk, same_statement
from .table import Label, Table, Tables, only_table, tables


def to_pandas(result: Chunk, *, measurement_column: bool | None = None) -> pd.DataFrame:
    """Return the result of a single statement as a DataFrame; see `QueryResult.to_pandas`.

    Unsigned integers beyond int64 are `uint64` or `UInt64`. A statement without a result becomes an empty frame with an
    empty `DatetimeIndex`, and with the columns that the server reports. In JSON, which is only used if a server does
    not support MessagePack, whole floats look like integers, so a column with only whole floats is `int64`.
    """
    return to_frame(only_table(result, measurement_column=measurement_column))


def to_pandas_list(result: Chunk, *, measurement_column: bool | None = None) -> list[pd.DataFrame]:
    """Return a DataFrame for each statement of a result; see `to_pandas`."""
    return [to_frame(table) for table in tables(result, measurement_column=measurement_column)]


class ChunkFrames:
    """Converts each chunk of a response to a DataFrame.

    A column keeps its dtype from chunk to chunk, always a nullable one: `Int64`, `UInt64`, `float64`, `boolean` or
    strings. It is `object` in chunks before its first value, and in chunks with values that do not fit its dtype. So
    the frames of a statement can be concatenated without changing any value.
    """

    def __init__(self, *, measurement_column: bool | None = None) -> None:
        self._measurement_column = measurement_column
        self._before: Mapping[str, Any] = {}
        self._dtypes: defaultdict[str, StableDType] = defaultdict(StableDType)

    def add(self, chunk: Chunk) -> Iterator[pd.DataFrame]:
        """Yield the frame of a chunk, which has rows of one series. A chunk without rows yields no frame."""
        for part in chunk["results"]:
            if not same_statement(self._before, part):
                self._dtypes.clear()
            self._before = {key: value for key, value in part.items() if key != "series"}
            collector = Tables(measurement_column=self._measurement_column)
            collector.add_entry(part, chunk.epoch)
            [table] = collector.finish()
            if table.rows:
                columns = [self._dtypes[column.name].unify(column) for column in table.columns]
                yield to_frame(replace(table, columns=columns), nullable=True)


def to_frame(table: Table, *, nullable: bool = False) -> pd.DataFrame:
    """Return a table as a DataFrame; with `nullable`, integers and booleans always have nullable dtypes."""
    index: pd.Index[Any] = pd.RangeIndex(table.rows)
    if table.times is not None:
        index = pd.DatetimeIndex(np.frombuffer(table.times, "M8[ns]"), name="time").tz_localize("UTC")
    data = {label.name: _categorical(label) for label in table.labels}
    data |= {column.name: _array(column, nullable=nullable) for column in table.columns}
    return pd.DataFrame(data, index=index)


def _categorical(label: Label) -> Any:
    # Add and remove a string, so that an index without categories has the string dtype too.
    categories = pd.Index([*label.categories, ""])[:-1]
    return pd.Categorical.from_codes(np.frombuffer(label.codes, np.intc), categories=categories)


def _array(column: Column, *, nullable: bool) -> Any:
    match column.dtype:
        case "str":
            return _strings(column.values)
        case "other":
            return pd.Index(column.values, dtype=object)  # from an object array of str, DataFrame would infer strings
        case "float":
            return np.frombuffer(column.values, np.float64)
        case "bool" | "int" | "uint":
            dtype = {"bool": np.bool_, "int": np.int64, "uint": np.uint64}[column.dtype]
            values: Any = np.frombuffer(column.values, dtype)
            if column.missing is None and not nullable:
                return values
            array = pd.arrays.BooleanArray if column.dtype == "bool" else pd.arrays.IntegerArray
            missing = bytearray(len(values)) if column.missing is None else column.missing
            return array(values, np.frombuffer(missing, np.bool_))


def _strings(values: list[str | None] | DictionaryStrings) -> Any:
    # Set the dtype explicitly, since pandas cannot infer it for a column without any value.
    dtype: Any = pd.Index([""]).dtype
    if isinstance(dtype, np.dtype) or not isinstance(values, DictionaryStrings):  # object up to pandas 2, keeps None
        cells: list[Any] = list(values)
        return pd.array(cells, dtype=dtype)
    codes: dict[str | None, int] = {None: -1}
    parts = []
    for distinct, indices in values.parts:
        distinct_codes = np.array([codes.setdefault(string, len(codes) - 1) for string in distinct], np.intp)
        parts.append(distinct_codes[np.frombuffer(indices, np.intc)])
    del codes[None]
    strings: list[Any] = list(codes)
    return pd.array(strings, dtype=dtype).take(np.concatenate(parts), allow_fill=True)
