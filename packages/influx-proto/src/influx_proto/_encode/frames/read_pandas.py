"""Reader of pandas frames. The dtype of a column decides how it is read; pandas does not infer types from values.

The timestamps are in the index. It is a naive `DatetimeIndex` in UTC or one with a time zone, in any unit, or an index
of `datetime` objects, which pandas creates if their offsets differ. The timestamps can also be in a column, which can
also contain dates, or integers in the precision of the write. Timestamps are read as integers.

The other columns contain numbers and booleans (with numpy, nullable or Arrow-backed dtypes), strings, categories of
these, or objects. The frame is never modified, and is read one slice of rows at a time.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from ..._errors import SerializationError
from ..._repr import short_repr
from ..._time import LAST, unit
from .model import Codes, Column, Reader, Slice, Table, Times, check_column_names, find_time_column, time_type_error
from .read_arrow import arrow_column, arrow_size, arrow_times, read_times, scale_times, with_codes
from .size import Size, categories_size, objects_size

if TYPE_CHECKING:
    import pandas as pd

#: The kinds of numpy dtypes of booleans and numbers.
_NUMBERS: Final = ("b", "i", "u", "f")

#: The fewest adjacent columns of one type that are read as a block; selecting a single column takes 40 us.
_MIN_BLOCK: Final = 8

#: Up to this number categories are read faster than unused ones are removed.
_FEW_CATEGORIES: Final = 500


def is_frame(cls: type) -> bool:
    """Return whether a class is a pandas DataFrame; always false if pandas is not imported."""
    return issubclass(cls, getattr(sys.modules.get("pandas"), "DataFrame", ()))


def is_series(cls: type) -> bool:
    """Return whether a class is a pandas Series."""
    return issubclass(cls, getattr(sys.modules.get("pandas"), "Series", ()))


def read_series(series: pd.Series[Any], precision: str, time_column: str | None) -> Table:
    """Open a Series as a table with one column of the same name.

    Raises:
        SerializationError: the Series has no name, or `time_column` is not None. Also the errors of `read_pandas`.
    """
    if time_column is not None:
        msg = f"time_column: the timestamps of a Series are in its index; omit time_column={short_repr(time_column)}"
        raise SerializationError(msg)
    if series.name is None:
        raise SerializationError("the Series has no name, which is the field key; pass series.rename('...')")
    return read_pandas(series.to_frame(), precision, None)


def read_pandas(frame: pd.DataFrame, precision: str, time_column: str | None) -> Table:
    """Open a frame as a table.

    Args:
        frame: the frame. It is read while the slices are consumed.
        precision: the unit of integer timestamps.
        time_column: the column with the timestamps; None if they are in the index.

    Raises:
        SerializationError: the index or the time column has no timestamps, a column has an unsupported dtype, or the
            column names are not distinct strings.
    """
    names = check_column_names(frame.columns)
    count = len(frame)
    at = None if time_column is None else find_time_column(names, time_column)
    # The index is checked before the columns, since a column that cannot be encoded may contain the timestamps. The
    # index of a frame without cells is not checked.
    times = None
    if len(names) > (at is not None) and count:
        times = _read_index(frame.index) if at is None else _read_time_column(names[at], frame.iloc[:, at], precision)
    found = list(_read_columns(frame, names, at))
    columns = [column for column, _ in found]
    if times is None:
        return Table(columns, lambda _rows, _ahead: iter(()))
    readers = [reader for _, reader in found]

    def slices(rows: int, _ahead: int) -> Iterator[Slice]:
        return (Slice(start, min(start + rows, count), times, readers) for start in range(0, count, rows))

    return Table(columns, slices)


def _read_columns(frame: pd.DataFrame, names: Sequence[str], time: int | None) -> Iterator[tuple[Column, Reader]]:
    """Yield how to read each column but the time column; adjacent columns of numbers are read as a block."""
    import numpy as np  # noqa: PLC0415 - already imported for the frame

    if len(names) < _MIN_BLOCK:
        # Iteration takes half of the time of `iloc`.
        yield from [_column(names[at], series) for at, (_, series) in enumerate(frame.items()) if at != time]
        return
    types = [None if at == time else _find_block_type(dtype) for at, dtype in enumerate(frame.dtypes)]
    for found, places in groupby(range(len(names)), types.__getitem__):
        block = list(places)
        if found is not None and len(block) >= _MIN_BLOCK:
            columns = slice(block[0], block[-1] + 1)
            yield from _read_block(names[columns], frame.iloc[:, columns], np.dtype(found))
        else:
            yield from [_column(names[at], frame.iloc[:, at]) for at in block if at != time]


def _find_block_type(dtype: Any) -> str | None:
    """Return the numpy dtype in which adjacent columns of a dtype are read as a block; None if they are not."""
    import numpy as np  # noqa: PLC0415 - already imported for the frame
    import pandas as pd  # noqa: PLC0415 - already imported for the frame

    if isinstance(dtype, np.dtype):
        # As a string, since a numpy dtype can be equal to None. Some versions of pandas cannot select several columns
        # of the other byte order.
        return dtype.str if dtype.kind in _NUMBERS and dtype.isnative else None
    is_arrow_double = isinstance(dtype, pd.ArrowDtype) and str(dtype.pyarrow_dtype) == "double"
    return "float64" if is_arrow_double or isinstance(dtype, pd.Float64Dtype) else None


def _read_block(names: Sequence[str], frame: pd.DataFrame, dtype: Any) -> Iterator[tuple[Column, Reader]]:
    """Yield how to read each column of a frame, whose cells have one numpy dtype or are nullable floats."""
    is_double = bool(dtype == "float64")
    options: dict[str, Any] = {"dtype": dtype, "na_value": math.nan} if is_double else {}

    @lru_cache(maxsize=1)  # the columns of a slice are read one after the other
    def block(start: int, stop: int) -> Any:
        return frame.iloc[start:stop].to_numpy(**options)

    def read_cells(at: int, start: int, stop: int) -> Sequence[Any]:
        return _numpy_cells(block(start, stop)[:, at])

    def read_array(at: int, start: int, stop: int) -> Any:
        return block(start, stop)[:, at]

    numbers = block if is_double or dtype.kind in {"i", "u"} else None
    for at, name in enumerate(names):
        reader = Reader(partial(read_cells, at), partial(read_array, at), block=numbers, index=at)
        yield _numpy_properties(name, dtype), reader


def _read_index(index: pd.Index[Any]) -> Times:
    import pandas as pd  # noqa: PLC0415 - already imported for the frame

    if isinstance(index, pd.DatetimeIndex):
        return _read_datetimes(index)
    if index.dtype == object and not isinstance(index, pd.MultiIndex):
        objects = index.to_numpy()
        if all(isinstance(time, datetime) for time in objects):
            return _read_time_objects(objects)
    raise _index_error(index)


def _read_time_column(name: str, values: pd.Series[Any], precision: str) -> Times:
    import pandas as pd  # noqa: PLC0415 - already imported for the frame

    dtype: Any = values.dtype
    if isinstance(dtype, pd.ArrowDtype):
        to_integers, ns = arrow_times(name, dtype.pyarrow_dtype, precision)
        return read_times(to_integers(_to_arrow(values.array)), ns)
    if isinstance(dtype, pd.CategoricalDtype):
        raise time_type_error(name, dtype)
    if dtype.kind == "M":
        return _read_datetimes(pd.DatetimeIndex(values))
    if dtype.kind in {"i", "u"}:
        return _read_integer_times(_column(name, values)[1], unit(precision))
    if pd.api.types.is_object_dtype(dtype):
        objects = values.to_numpy()
        if all(time is None or isinstance(time, date) for time in objects):
            return _read_time_objects(objects)
    raise time_type_error(name, dtype, f", for example with pandas.to_datetime(frame[{name!r}], utc=True)")


def _read_datetimes(index: pd.DatetimeIndex) -> Times:
    import numpy as np  # noqa: PLC0415 - already imported for the frame

    datetimes: Any = (index if index.tz is None else index.tz_convert(None)).to_numpy()  # in UTC
    ns = unit(np.datetime_data(datetimes.dtype)[0])
    counts = datetimes.view("int64")

    def integers(start: int, stop: int) -> Sequence[Any]:
        missing = np.isnat(datetimes[start:stop]).tolist()
        times = counts[start:stop].tolist()
        return [None if is_missing else time * ns for time, is_missing in zip(times, missing, strict=True)]

    return Times(integers, lambda start, stop: (counts[start:stop], ns))


def _read_integer_times(reader: Reader, ns: int) -> Times:
    import numpy as np  # noqa: PLC0415 - already imported for the frame

    def integers(start: int, stop: int) -> tuple[Any, int] | None:
        counts = reader.array(start, stop)
        if isinstance(counts, np.ma.MaskedArray) or int(counts.max()) > LAST:
            return None
        return counts.astype("int64", copy=False), ns

    return Times(lambda start, stop: scale_times(reader.cells(start, stop), ns), integers)


def _read_time_objects(objects: Any) -> Times:
    """Return the timestamps of an array of `date` and `datetime` objects, None and NaT."""
    import pandas as pd  # noqa: PLC0415 - already imported for the frame

    def datetimes(start: int, stop: int) -> Sequence[Any]:
        return [None if time is pd.NaT else time for time in objects[start:stop]]

    return Times(datetimes, _no_array)


def _index_error(index: pd.Index[Any]) -> SerializationError:
    import pandas as pd  # noqa: PLC0415 - already imported for the frame

    type_name = type(index).__name__
    if isinstance(index, pd.MultiIndex):
        advice = (
            "the index must contain only the timestamps; convert the other levels to columns with "
            "frame.reset_index(level=[...]), and name those that are tags in tag_columns"
        )
    elif isinstance(index, pd.PeriodIndex):
        advice = "convert periods to their start times with frame.to_timestamp()"
    elif isinstance(index, pd.RangeIndex):
        advice = (
            "row numbers are not timestamps; pass time_column= to name the time column, or call frame.set_index(...)"
        )
    elif pd.api.types.is_numeric_dtype(index.dtype):
        advice = "numbers require a unit; convert them with frame.index = pandas.to_datetime(frame.index, unit=...)"
    else:
        advice = "convert it with frame.index = pandas.to_datetime(frame.index, utc=True)"
    msg = f"the index of the frame must be a DatetimeIndex, not a {type_name} of {index.dtype}; {advice}"
    return SerializationError(msg)


def _to_arrow(array: Any) -> Any:
    converted = array.__arrow_array__()
    return converted.combine_chunks() if hasattr(converted, "combine_chunks") else converted


def _no_array(_start: int, _stop: int) -> None:
    return None


def _column(name: str, values: pd.Series[Any] | pd.Index[Any]) -> tuple[Column, Reader]:
    """Return how to read a column, with cells as Python objects, or as numpy scalars of types that Python lacks."""
    import numpy as np  # noqa: PLC0415 - already imported for the frame
    import pandas as pd  # noqa: PLC0415 - already imported for the frame

    dtype: Any = values.dtype
    if isinstance(dtype, np.dtype):
        return _numpy_column(name, values.to_numpy())
    array: Any = values.array

    def arrow(start: int, stop: int) -> Any:
        return _to_arrow(array[start:stop])

    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(name, array)
    if isinstance(dtype, pd.ArrowDtype):
        column, convert = arrow_column(name, dtype.pyarrow_dtype)
        measure = arrow_size(dtype.pyarrow_dtype)
        return column, Reader(
            lambda start, stop: convert(array[start:stop].__arrow_array__()),
            lambda start, stop: with_codes(arrow(start, stop), convert),
            None if measure is None else lambda start, stop: measure(array[start:stop].__arrow_array__()),
        )

    def numbers(start: int, stop: int) -> Any:
        selected = array[start:stop]
        if dtype.kind == "f":
            return selected.to_numpy(dtype.type, na_value=np.nan)  # NaN and NA are both missing
        missing = selected.isna()
        values = selected.to_numpy(dtype.type, na_value=0)
        return np.ma.array(values, mask=missing, copy=False) if missing.any() else values

    def objects(start: int, stop: int) -> Sequence[Any]:
        selected = array[start:stop]
        # Unlike pandas, pyarrow raises an error that names the string of invalid UTF-8.
        has_arrow = getattr(dtype, "storage", None) == "pyarrow"
        cells: list[Any] = (
            selected.__arrow_array__().to_pylist() if has_arrow else selected.to_numpy(object, na_value=None).tolist()
        )
        return cells

    if isinstance(dtype, pd.Float64Dtype | pd.Float32Dtype):
        return Column(name), Reader(lambda start, stop: _numpy_cells(numbers(start, stop)), numbers)
    signed = pd.Int8Dtype | pd.Int16Dtype | pd.Int32Dtype | pd.Int64Dtype
    unsigned = pd.UInt8Dtype | pd.UInt16Dtype | pd.UInt32Dtype | pd.UInt64Dtype
    if isinstance(dtype, pd.StringDtype | pd.BooleanDtype | signed | unsigned):
        column = Column(name, unsigned=isinstance(dtype, pd.UInt64Dtype))
        has_strings = isinstance(dtype, pd.StringDtype)
        return column, Reader(objects, arrow if has_strings else numbers, _string_size(array) if has_strings else None)
    raise _dtype_error(name, dtype)


def _string_size(array: Any) -> Size:
    def size(start: int, stop: int) -> int:
        part = array[start:stop]
        return int(part.nbytes) if array.dtype.storage == "pyarrow" else objects_size(part.to_numpy(object))

    return size


def _categories(name: str, array: Any) -> tuple[Column, Reader]:
    if len(array.categories) > max(len(array), _FEW_CATEGORIES):  # as in a few rows of a large frame
        array = array.remove_unused_categories()
    column, reader = _column(name, array.categories)
    categories = [*reader.values(0, len(array.categories)), None]  # missing cells have the code -1

    def cells(codes: Any) -> list[Any]:
        return [categories[code] for code in codes.tolist()]

    codes = array.codes
    return column, Reader(
        lambda start, stop: cells(codes[start:stop]),
        lambda start, stop: Codes(codes[start:stop], cells),
        categories_size(categories, codes),
    )


def _numpy_column(name: str, array: Any) -> tuple[Column, Reader]:
    def cells(start: int, stop: int) -> Sequence[Any]:
        return _numpy_cells(array[start:stop])

    if array.dtype.kind in _NUMBERS:
        return _numpy_properties(name, array.dtype), Reader(cells, lambda start, stop: array[start:stop])
    if array.dtype.kind == "O":
        size = partial(_measure_objects, array)
        return Column(name, objects=True), Reader(cells, _no_array, size)
    raise _dtype_error(name, array.dtype)


def _numpy_properties(name: str, dtype: Any) -> Column:
    return Column(name, unsigned=dtype.kind == "u" and dtype.itemsize == 8)


def _numpy_cells(array: Any) -> Sequence[Any]:
    # float32 stays a numpy scalar, since a Python float has more digits.
    return list(array) if array.dtype.kind == "f" and array.dtype.itemsize != 8 else array.tolist()


def _measure_objects(array: Any, start: int, stop: int) -> int:
    return objects_size(array[start:stop])


def _dtype_error(name: str, dtype: Any) -> SerializationError:
    dtype_kind = getattr(dtype, "kind", "")
    if dtype_kind == "M":
        advice = "integers (.astype('datetime64[ns]').astype('int64')) or strings (.astype('str'))"
    elif dtype_kind == "m":
        advice = "numbers (.dt.total_seconds())"
    else:
        advice = "numbers, booleans or strings (.astype(...))"
    return SerializationError(f"column {short_repr(name)}: unsupported dtype {dtype}; convert it to {advice}")
