"""Query results as pandas DataFrames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .column import Column, DictionaryStrings, StableDType
from .shape import Chunk, same_statement
from .table import Label, Table, Tables, only_table, tables

if TYPE_CHECKING:
    import pandas as pd


def to_pandas(result: Chunk, *, measurement: bool | None = None) -> pd.DataFrame:
    """Turn the result of one statement into one tidy DataFrame: all series, one below the other.

    The index is a `DatetimeIndex` in UTC called `time`; results that are not about times, as those of SHOW, have a
    plain `RangeIndex`. Columns are, in this order: the measurement if `measurement` says so, the tags of GROUP BY
    (both categorical, their categories sorted), and the columns of the result.

    An integer column is `int64`, or `Int64` where cells are missing, so that integers stay exact; unsigned ones
    beyond int64 are `uint64` or `UInt64`. Floats are `float64`, also where integers are among them, and so is a column
    without any value. Booleans are `bool` or `boolean`, strings what pandas has for them (`str`, or `object` up to
    pandas 2). In JSON, which this library only reads where a server has nothing better, whole floats look like
    integers: a column of nothing else is `int64`.

    A statement that found nothing gives an empty frame with its columns, if the server tells them, and with an empty
    `DatetimeIndex`. Columns of one name are told apart as `v`, `v_1`; a tag gives way to a column.

    Args:
        result: the result of one statement.
        measurement: whether there is a column `measurement`. None: where the series are of several measurements, so
            say True where frames of different answers have to have the same columns. What SHOW statements list per
            measurement has it always.

    Raises:
        ValueError: the result is of no statement, or of several.
    """
    return _frame(only_table(result, measurement=measurement))


def to_pandas_list(result: Chunk, *, measurement: bool | None = None) -> list[pd.DataFrame]:
    """Turn a result into a list of DataFrames, one a statement; see `to_pandas`."""
    return [_frame(table) for table in tables(result, measurement=measurement)]


class ChunkFrames:
    """Makes a DataFrame of each chunk of an answer while it arrives.

    A column keeps its type from chunk to chunk, and has one that cells may be missing in: `Int64`, `UInt64`, `float64`,
    `boolean` or strings. Until its first value came, which may be of any type, it is `object`, as are later cells that
    are of another type than the first. So frames of a statement can be put together, and all values stay what they are.
    """

    def __init__(self, *, measurement: bool | None = None) -> None:
        self._measurement = measurement
        self._before: Mapping[str, Any] = {}
        self._dtypes: defaultdict[str, StableDType] = defaultdict(StableDType)

    def add(self, chunk: Chunk) -> Iterator[pd.DataFrame]:
        """Take a chunk, which has rows of one series, and give its frame; none where its statement found nothing."""
        for part in chunk["results"]:
            if not same_statement(self._before, part):
                self._dtypes.clear()
            self._before = {key: value for key, value in part.items() if key != "series"}
            answer = Tables(measurement=self._measurement)
            answer.add_entry(part, chunk.epoch)
            [table] = answer.finish()
            if table.rows:
                columns = [self._dtypes[column.name].unify(column) for column in table.columns]
                yield _frame(replace(table, columns=columns), nullable=True)


class FrameCollector:
    """Makes DataFrames of an answer while it arrives, and keeps no row of it as Python objects."""

    def __init__(self, *, measurement: bool | None = None) -> None:
        self._tables = Tables(measurement=measurement)

    def add(self, chunk: Chunk) -> None:
        """Take a chunk."""
        self._tables.add(chunk)

    def finish(self) -> list[pd.DataFrame]:
        """Give one frame a statement, as `to_pandas_list` does for the whole result."""
        return [_frame(table) for table in self._tables.finish()]


def _frame(table: Table, *, nullable: bool = False) -> pd.DataFrame:
    import numpy as np  # noqa: PLC0415 - only needed by those who ask for frames
    import pandas as pd  # noqa: PLC0415 - see above

    index: pd.Index[Any] = pd.RangeIndex(table.rows)
    if table.times is not None:
        index = pd.DatetimeIndex(np.frombuffer(table.times, "M8[ns]"), name="time").tz_localize("UTC")
    data = {label.name: _categorical(label) for label in table.labels}
    data |= {column.name: _array(column, nullable=nullable) for column in table.columns}
    return pd.DataFrame(data, index=index)


def _categorical(label: Label) -> Any:
    import numpy as np  # noqa: PLC0415 - see above
    import pandas as pd  # noqa: PLC0415 - see above

    # One string too many, so that the index is one of strings also where there is no category.
    categories = pd.Index([*label.categories, ""])[:-1]
    return pd.Categorical.from_codes(np.frombuffer(label.codes, np.intc), categories=categories)


def _array(column: Column, *, nullable: bool) -> Any:
    import numpy as np  # noqa: PLC0415 - see above
    import pandas as pd  # noqa: PLC0415 - see above

    match column.dtype:
        case "str":
            return _strings(column.values)
        case "other":
            return pd.Index(column.values, dtype=object)  # of an array of strings, a frame makes a column of strings
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
    import numpy as np  # noqa: PLC0415 - see above
    import pandas as pd  # noqa: PLC0415 - see above

    # Not left to pandas, which cannot know what a column without any value is of.
    dtype = pd.Series([""]).dtype
    if isinstance(dtype, np.dtype) or not isinstance(
        values, DictionaryStrings
    ):  # of objects, up to pandas 2: None stays None
        return pd.Series(list(values), dtype=dtype).array
    numbers: dict[str | None, int] = {None: -1}
    parts = []
    for distinct, places in values.parts:
        number = np.array([numbers.setdefault(text, len(numbers) - 1) for text in distinct], np.intp)
        parts.append(number[np.frombuffer(places, np.intc)])
    del numbers[None]
    return pd.Series(list(numbers), dtype=dtype).array.take(np.concatenate(parts), allow_fill=True)
