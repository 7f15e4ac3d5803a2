"""pandas frames as tables. A column is read by its dtype, and by nothing that pandas would guess.

The index has the times; it is a `DatetimeIndex` of any unit, naive (UTC is meant) or with a zone, or an index of
`datetime` objects, as there are where their offsets differ. A frame can have them in a column instead, which may also
be of dates, or of integers in the precision of the write. Times stay integers on their way.

Columns are numbers and booleans (numpy's dtypes, the nullable and the Arrow-backed ones), texts, categories of these,
and objects. The frame is only looked at, a slice of rows at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from ..._errors import SerializationError
from ..._repr import short_repr
from ..._time import LAST, unit
from .model import Codes, Column, Reader, Slice, Table, column_names, time_place, wrong_times
from .read_arrow import arrow_column, arrow_size, arrow_times, scaled_times, times_reader, with_codes
from .size import Size, categories_size, objects_size

if TYPE_CHECKING:
    import pandas as pd


def is_frame(kind: type) -> bool:
    """Whether a class is pandas' frame; nobody has one who has not loaded pandas."""
    return issubclass(kind, getattr(sys.modules.get("pandas"), "DataFrame", ()))


def is_series(kind: type) -> bool:
    """Whether a class is pandas' Series."""
    return issubclass(kind, getattr(sys.modules.get("pandas"), "Series", ()))


def read_series(series: pd.Series[Any], precision: str, time_column: str | None) -> Table:
    """Open a Series as a table of one column, which has its name.

    Raises:
        SerializationError: it has no name, or `time_column` is passed; others are those of `read_pandas`.
    """
    if time_column is not None:
        msg = f"time_column: the timestamps of a Series are in its index; omit time_column={short_repr(time_column)}"
        raise SerializationError(msg)
    if series.name is None:
        msg = "the Series has no name, which is the field key; pass series.rename('...')"
        raise SerializationError(msg)
    return read_pandas(series.to_frame(), precision, None)


def read_pandas(frame: pd.DataFrame, precision: str, time_column: str | None) -> Table:
    """Open a frame as a table.

    Args:
        frame: the frame. It is read while the slices are taken.
        precision: the unit of times that are integers.
        time_column: the column with the times; None if they are in the index.

    Raises:
        SerializationError: the index or the column does not have times, a column is of a type that InfluxDB has no
            field for, or the names of the columns are not distinct texts.
    """
    names = column_names(frame.columns)
    count = len(frame)
    at = None if time_column is None else time_place(names, time_column)
    # Before the columns, of which one that cannot be written may be the times that are missing there. A frame without
    # cells often has no proper index either.
    times = None
    if len(names) > (at is not None) and count:
        times = _times(frame.index) if at is None else _times_of_column(names[at], frame.iloc[:, at], precision)
    found = [_column(name, frame.iloc[:, place]) for place, name in enumerate(names) if place != at]
    columns = [column for column, _ in found]
    if times is None:
        return Table(columns, lambda _: iter(()))
    readers = [reader for _, reader in found]

    def slices(rows: int) -> Iterator[Slice]:
        return (Slice(start, min(start + rows, count), times, readers) for start in range(0, count, rows))

    return Table(columns, slices)


def _times(index: pd.Index[Any]) -> Reader:
    import pandas as pd  # noqa: PLC0415 - whoever has a frame has loaded it

    if isinstance(index, pd.DatetimeIndex):
        return _instants(index)
    if index.dtype == object and not isinstance(index, pd.MultiIndex):
        objects = index.to_numpy()
        if all(isinstance(time, datetime) for time in objects):
            return _objects_as_times(objects)
    raise _wrong_index(index)


def _times_of_column(name: str, values: pd.Series[Any], precision: str) -> Reader:
    import pandas as pd  # noqa: PLC0415 - as above

    dtype: Any = values.dtype
    if isinstance(dtype, pd.ArrowDtype):
        to_integers, ns = arrow_times(name, dtype.pyarrow_dtype, precision)
        return times_reader(to_integers(_as_arrow(values.array)), ns)
    if isinstance(dtype, pd.CategoricalDtype):
        raise wrong_times(name, dtype)
    if dtype.kind == "M":
        return _instants(pd.DatetimeIndex(values))
    if dtype.kind in {"i", "u"}:
        return _integers_as_times(_column(name, values)[1], unit(precision))
    if pd.api.types.is_object_dtype(dtype):
        objects = values.to_numpy()
        if all(time is None or isinstance(time, date) for time in objects):
            return _objects_as_times(objects)
    raise wrong_times(name, dtype, f"; frame[{name!r}] = pandas.to_datetime(frame[{name!r}], utc=True) may do it")


def _instants(index: pd.DatetimeIndex) -> Reader:
    import numpy as np  # noqa: PLC0415 - as above

    instants: Any = (index if index.tz is None else index.tz_convert(None)).to_numpy()  # in UTC
    ns = unit(np.datetime_data(instants.dtype)[0])
    counts = instants.view("int64")

    def integers(start: int, stop: int) -> Sequence[Any]:
        absent = np.isnat(instants[start:stop]).tolist()
        times = counts[start:stop].tolist()
        return [None if missing else time * ns for time, missing in zip(times, absent, strict=True)]

    return Reader(integers, lambda start, stop: (counts[start:stop], ns))


def _integers_as_times(reader: Reader, ns: int) -> Reader:
    import numpy as np  # noqa: PLC0415 - as above

    def array(start: int, stop: int) -> tuple[Any, int] | None:
        counts = reader.array(start, stop)
        if isinstance(counts, np.ma.MaskedArray) or int(counts.max()) > LAST:
            return None
        return counts.astype("int64", copy=False), ns

    return Reader(lambda start, stop: scaled_times(reader.cells(start, stop), ns), array)


def _objects_as_times(objects: Any) -> Reader:
    """Read an array of `date` and `datetime` objects, None and NaT."""
    import pandas as pd  # noqa: PLC0415 - as above

    def datetimes(start: int, stop: int) -> Sequence[Any]:
        return [None if time is pd.NaT else time for time in objects[start:stop]]

    return Reader(datetimes, _no_array)


def _wrong_index(index: pd.Index[Any]) -> SerializationError:
    import pandas as pd  # noqa: PLC0415 - as above

    kind = type(index).__name__
    if isinstance(index, pd.MultiIndex):
        advice = (
            "the times must be alone in it; frame.reset_index(level=[...]) makes columns of the other levels, which "
            "tag_columns can name"
        )
    elif isinstance(index, pd.PeriodIndex):
        advice = "a period is no time; frame.to_timestamp() takes the beginning of each"
    elif isinstance(index, pd.RangeIndex):
        advice = (
            "its numbers are not times; pass time_column= to name the column that has them, or frame.set_index(...)"
        )
    elif pd.api.types.is_numeric_dtype(index.dtype):
        advice = "a number is no time without its unit; frame.index = pandas.to_datetime(frame.index, unit=...)"
    else:
        advice = "frame.index = pandas.to_datetime(frame.index, utc=True) makes times of it where it tells any"
    msg = f"the index of the frame must be a DatetimeIndex, not a {kind} of {index.dtype}: {advice}"
    return SerializationError(msg)


def _as_arrow(array: Any) -> Any:
    found = array.__arrow_array__()
    return found.combine_chunks() if hasattr(found, "combine_chunks") else found


def _no_array(_start: int, _stop: int) -> None:
    return None


def _column(name: str, values: pd.Series[Any] | pd.Index[Any]) -> tuple[Column, Reader]:
    """Find how to read a column: its cells come as values of Python, or of numpy where Python has no such type."""
    import numpy as np  # noqa: PLC0415 - as above
    import pandas as pd  # noqa: PLC0415 - as above

    dtype: Any = values.dtype
    array: Any = values.array

    def arrow(start: int, stop: int) -> Any:
        return _as_arrow(array[start:stop])

    if isinstance(dtype, np.dtype):
        return _numpy_column(name, values.to_numpy())
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(name, dtype, array)
    if isinstance(dtype, pd.ArrowDtype):
        column, convert = arrow_column(name, dtype.pyarrow_dtype)
        measure = arrow_size(dtype.pyarrow_dtype)
        return column, Reader(
            lambda start, stop: convert(array[start:stop].__arrow_array__()),
            lambda start, stop: with_codes(arrow(start, stop), convert),
            None if measure is None else lambda start, stop: measure(array[start:stop].__arrow_array__()),
        )

    def numbers(start: int, stop: int) -> Any:
        part = array[start:stop]
        if dtype.kind == "f":
            return part.to_numpy(dtype.type, na_value=np.nan)  # NaN and NA are both missing
        missing = part.isna()
        values = part.to_numpy(dtype.type, na_value=0)
        return np.ma.array(values, mask=missing, copy=False) if missing.any() else values

    def objects(start: int, stop: int) -> Sequence[Any]:
        part = array[start:stop]
        # pyarrow says which text is not valid UTF-8.
        by_arrow = getattr(dtype, "storage", None) == "pyarrow"
        cells: list[Any] = (
            part.__arrow_array__().to_pylist() if by_arrow else part.to_numpy(object, na_value=None).tolist()
        )
        return cells

    if isinstance(dtype, pd.Float64Dtype | pd.Float32Dtype):
        return Column(name), Reader(lambda start, stop: _floats(numbers(start, stop)), numbers)
    signed = pd.Int8Dtype | pd.Int16Dtype | pd.Int32Dtype | pd.Int64Dtype
    unsigned = pd.UInt8Dtype | pd.UInt16Dtype | pd.UInt32Dtype | pd.UInt64Dtype
    if isinstance(dtype, pd.StringDtype | pd.BooleanDtype | signed | unsigned):
        column = Column(name, unsigned=isinstance(dtype, pd.UInt64Dtype))
        texts = isinstance(dtype, pd.StringDtype)
        return column, Reader(objects, arrow if texts else numbers, _string_size(array) if texts else None)
    raise _wrong_column(name, dtype)


def _string_size(array: Any) -> Size:
    def size(start: int, stop: int) -> int:
        part = array[start:stop]
        return int(part.nbytes) if array.dtype.storage == "pyarrow" else objects_size(part.to_numpy(object))

    return size


def _categories(name: str, dtype: Any, array: Any) -> tuple[Column, Reader]:
    column, reader = _column(name, dtype.categories)
    categories = [*reader.values(0, len(dtype.categories)), None]  # the code of a missing one is -1

    def cells(codes: Any) -> list[Any]:
        return [categories[code] for code in codes.tolist()]

    codes = array.codes
    return column, Reader(
        lambda start, stop: cells(codes[start:stop]),
        lambda start, stop: Codes(codes[start:stop], cells),
        categories_size(categories, codes),
    )


def _numpy_column(name: str, array: Any) -> tuple[Column, Reader]:
    def numbers(start: int, stop: int) -> Any:
        return array[start:stop]

    match array.dtype.kind:
        case "b" | "i" | "u":
            column = Column(name, unsigned=array.dtype.kind == "u" and array.dtype.itemsize == 8)
            return column, Reader(lambda start, stop: array[start:stop].tolist(), numbers)
        case "f":
            return Column(name), Reader(lambda start, stop: _floats(array[start:stop]), numbers)
        case "O":
            return Column(name, objects=True), Reader(
                lambda start, stop: array[start:stop].tolist(),
                _no_array,
                lambda start, stop: objects_size(array[start:stop].tolist()),
            )
        case _:
            raise _wrong_column(name, array.dtype)


def _floats(array: Any) -> Sequence[Any]:
    # The digits of a float32 are those of its own size, so it must not become a float of Python.
    return array.tolist() if array.dtype.itemsize == 8 else list(array)


def _wrong_column(name: str, dtype: Any) -> SerializationError:
    kind = getattr(dtype, "kind", "")
    if kind == "M":
        advice = "integers (.astype('datetime64[ns]').astype('int64')) or text (.astype('str'))"
    elif kind == "m":
        advice = "numbers of some unit (.dt.total_seconds())"
    else:
        advice = "numbers, booleans or text (.astype(...))"
    msg = f"column {short_repr(name)}: a field or tag cannot be of dtype {dtype}; convert it to {advice}"
    return SerializationError(msg)
