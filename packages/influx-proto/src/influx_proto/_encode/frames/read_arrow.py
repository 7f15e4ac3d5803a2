"""Objects with Arrow's C stream as tables: polars, pyarrow, duckdb and all that speak it.

The column `time`, or the one that `time_column` names, has the times: timestamps of any unit, naive (UTC is meant) or
with a zone, dates, or integers in the precision of the write. All other columns are numbers, booleans, texts, or
dictionaries of these.

polars frames are read by polars, anything else by pyarrow, which reads batch after batch as the producer gives them;
where pyarrow is not installed by polars, which takes all of them into memory first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..._errors import SerializationError
from ..._repr import short_repr
from ..._time import unit
from .model import Codes, Column, Reader, Slice, Table, column_names, time_place, wrong_times
from .size import SHORT_TEXT, Size

if TYPE_CHECKING:
    import polars as pl

#: Gives the cells, or the times, of a slice of a column.
Convert: TypeAlias = Callable[[Any], Sequence[Any]]

_TIME: Final = "time"

#: Nanoseconds.
_DAY: Final = 24 * 3600 * 10**9


def read_arrow(value: Any, precision: str, time_column: str | None) -> Table:
    """Open an object with `__arrow_c_stream__` as a table.

    Args:
        value: the object. A stream that can be read only once is used up.
        precision: the unit of times that are integers.
        time_column: the column with the times; `time` if it is None.

    Raises:
        SerializationError: there is no such column or it does not have times, a column is of a type that InfluxDB has
            no field for, the names are not distinct, or neither pyarrow nor polars is installed.
    """
    time_column = _TIME if time_column is None else time_column
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(value, polars.DataFrame):
        return _read_polars(value, precision, time_column)
    try:
        pa = _pyarrow()
    except ImportError:
        return _read_polars(_to_polars(value), precision, time_column)
    try:
        reader = pa.RecordBatchReader.from_stream(value)
        fields = list(reader.schema)
        all_names = [field.name for field in fields]
    except UnicodeDecodeError as error:
        msg = f"the column name {short_repr(error.object)} is not valid UTF-8; rename the column"
        raise SerializationError(msg) from None
    except Exception as error:  # the class is pyarrow's or the producer's
        msg = f"a {type(value).__name__} is no table: {error}"
        raise SerializationError(msg) from error
    names = column_names(all_names)
    at = time_place(names, time_column)
    to_integers, ns = arrow_times(time_column, fields[at].type, precision)
    found = {place: arrow_column(names[place], field.type) for place, field in enumerate(fields) if place != at}
    sizes = {place: arrow_size(fields[place].type) for place in found}

    def slices(rows: int) -> Iterator[Slice]:
        for batch in reader:
            when = times_reader(to_integers(batch.column(at)), ns)
            readers = [
                _reader(batch.column(place), convert, _sliced_size(batch.column(place), sizes[place]))
                for place, (_, convert) in found.items()
            ]
            for start in range(0, batch.num_rows, rows):
                yield Slice(start, min(start + rows, batch.num_rows), when, readers)

    return Table([column for column, _ in found.values()], slices)


def _pyarrow() -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - for those who have such data; has no types

    return pa


def arrow_times(name: str, kind: Any, precision: str) -> tuple[Callable[[Any], Any], int]:
    """Find how to read times of an Arrow type as integers, which unlike Python's dates have no last year.

    Args:
        name: the column.
        kind: the type, a `pyarrow.DataType`.
        precision: the unit of times that are integers.

    Returns:
        A function from an Array of the type to an Array of integers, and their unit in nanoseconds.

    Raises:
        SerializationError: values of the type are not times.
    """
    pa = _pyarrow()
    types = pa.types
    if types.is_timestamp(kind):
        return lambda array: array.view(pa.int64()), unit(kind.unit)
    if types.is_date32(kind):
        return lambda array: array.view(pa.int32()), _DAY
    if types.is_date64(kind):
        return lambda array: array.view(pa.int64()), unit("ms")
    if types.is_integer(kind):
        return lambda array: array, unit(precision)
    raise wrong_times(name, kind)


def arrow_column(name: str, kind: Any) -> tuple[Column, Convert]:
    """Find how to read a column of an Arrow type.

    Args:
        name: the column.
        kind: the type, a `pyarrow.DataType`.

    Returns:
        What there is to know of the column, and a function from an Array or ChunkedArray of it to its cells.

    Raises:
        SerializationError: InfluxDB has no field for the type.
    """
    types = _pyarrow().types
    plain = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_float16(plain) or types.is_float32(plain):
        return Column(name), _narrow_floats(name, "float16" if types.is_float16(plain) else "float32")
    if (
        types.is_boolean(plain)
        or types.is_integer(plain)
        or types.is_float64(plain)
        or types.is_decimal(plain)
        or types.is_null(plain)
        or is_text(plain)
    ):
        return Column(name, unsigned=types.is_uint64(plain)), _to_list
    raise _wrong_column(name, plain, temporal=types.is_temporal(plain))


def is_text(kind: Any) -> bool:
    """Say whether an Arrow type is one of strings."""
    types = _pyarrow().types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def arrow_size(kind: Any) -> Callable[[Any], int] | None:
    """Return how to measure the texts of arrays, also chunked ones, of an Arrow type; None if it has no texts."""
    pa = _pyarrow()
    if pa.types.is_dictionary(kind):
        return _dictionary_size if is_text(kind.value_type) else None
    if pa.types.is_string_view(kind):  # its own `nbytes` counts the texts of other rows also
        return lambda array: int(array.cast(pa.large_string()).nbytes)
    return (lambda array: int(array.nbytes)) if is_text(kind) else None


def _sliced_size(column: Any, size: Callable[[Any], int] | None) -> Size | None:
    return None if size is None else lambda start, stop: size(column.slice(start, stop - start))


def _dictionary_size(array: Any) -> int:
    pa = _pyarrow()
    import pyarrow.compute as pc  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    compute: Any = pc  # its functions are created when it is imported, so no type checker knows them
    size = 0
    for chunk in getattr(array, "chunks", [array]):
        texts = chunk.dictionary
        lengths = compute.binary_length(texts.cast(pa.large_string()) if pa.types.is_string_view(texts.type) else texts)
        if (compute.max(lengths).as_py() or 0) > SHORT_TEXT:
            size += compute.sum(compute.take(lengths, chunk.indices)).as_py() or 0
    return size


def _to_polars(value: Any) -> pl.DataFrame:
    try:
        import polars as pl  # noqa: PLC0415 - as above
    except ImportError:
        msg = f"a table of type {type(value).__name__} needs pyarrow or polars; install pyarrow"
        raise SerializationError(msg) from None
    try:
        return pl.DataFrame(value)
    except (Exception, pl.exceptions.PanicException) as error:  # the class is polars' or the producer's
        msg = f"a {type(value).__name__} is no table that polars {pl.__version__} can read: {error}"
        raise SerializationError(msg) from error


def _read_polars(frame: pl.DataFrame, precision: str, time_column: str) -> Table:
    schema = frame.schema
    names = column_names(schema)
    ns = _polars_unit(time_column, schema[names[time_place(names, time_column)]], precision)
    found = {name: _polars_column(name, kind) for name, kind in schema.items() if name != time_column}
    count = frame.height

    def slices(rows: int) -> Iterator[Slice]:
        when = times_reader(frame[time_column].to_physical(), ns)
        readers = [
            _reader(column := frame[name], convert, _polars_size(column)) for name, (_, convert) in found.items()
        ]
        return (Slice(start, min(start + rows, count), when, readers) for start in range(0, count, rows))

    return Table([column for column, _ in found.values()], slices)


def _polars_unit(name: str, kind: pl.DataType, precision: str) -> int:
    """Return the nanoseconds of one unit of a column's physical integers."""
    import polars as pl  # noqa: PLC0415 - as above

    if isinstance(kind, pl.Datetime):
        return unit(kind.time_unit)
    if kind.is_integer():
        return unit(precision)
    if kind == pl.Date:
        return _DAY
    raise wrong_times(name, kind)


def _polars_column(name: str, kind: pl.DataType) -> tuple[Column, Convert]:
    import polars as pl  # noqa: PLC0415 - as above

    if isinstance(kind, pl.String | pl.Categorical | pl.Enum):
        return Column(name), _polars_texts
    if kind.is_float() and kind != pl.Float64:
        return Column(name), _narrow_floats(name, "float32" if kind == pl.Float32 else "float16")
    if kind.is_numeric() or isinstance(kind, pl.Boolean | pl.Decimal | pl.Null):
        return Column(name, unsigned=kind == pl.UInt64), _to_list
    raise _wrong_column(name, kind, temporal=kind.is_temporal())


def _polars_texts(array: Any) -> list[Any]:
    """Return the cells of a text column of polars, or of its dictionary as an Array of Arrow.

    Raises:
        UnicodeDecodeError: a text is not valid UTF-8. polars does not validate what it imports, and panics on it later.
    """
    import polars as pl  # noqa: PLC0415 - as above

    if not isinstance(array, pl.Series):
        return _to_list(array)
    return [None if cell is None else cell.decode() for cell in array.cast(pl.String).cast(pl.Binary).to_list()]


def _polars_size(column: pl.Series) -> Size | None:
    """Return how to measure a column; None if its texts are short or it has none."""
    import polars as pl  # noqa: PLC0415 - as above

    if not isinstance(column.dtype, (pl.String, pl.Categorical, pl.Enum)):
        return None
    lengths = column.cast(pl.String).str.len_bytes()
    if _longest(lengths) <= SHORT_TEXT:
        return None
    return lambda start, stop: int(lengths.slice(start, stop - start).sum())


def _longest(lengths: pl.Series) -> int:
    found: Any = lengths.max()
    return found or 0


def _reader(column: Any, convert: Convert, size: Size | None) -> Reader:
    """Read a column of polars or of Arrow."""
    return Reader(
        lambda start, stop: convert(column.slice(start, stop - start)),
        lambda start, stop: with_codes(_to_arrow(column.slice(start, stop - start)), convert),
        size,
    )


def times_reader(column: Any, ns: int) -> Reader:
    """Read a column of integers as times; `ns` is their unit in nanoseconds."""
    return Reader(
        lambda start, stop: scaled_times(_to_list(column.slice(start, stop - start)), ns),
        lambda start, stop: time_counts(_to_arrow(column.slice(start, stop - start)), ns),
    )


def _to_arrow(column: Any) -> Any:
    # Without its name: to hand over one with a NUL makes polars panic.
    return column.alias("").to_arrow() if hasattr(column, "to_arrow") else column


def with_codes(array: Any, convert: Convert) -> Any:
    """Give an array as it is, unless it is one of dictionary codes.

    Args:
        array: an array of Arrow.
        convert: gives the cells of such an array.
    """
    pa = _pyarrow()
    if not pa.types.is_dictionary(array.type):
        return array
    dictionary = array.dictionary
    codes = array.indices.cast(pa.int64()).fill_null(-1).to_numpy()
    return Codes(codes, lambda codes: list(convert(dictionary.take(pa.array(codes, mask=codes < 0)))))


def time_counts(array: Any, ns: int) -> tuple[Any, int] | None:
    """Return an Array of integers as one of numpy, and their unit; None if one is missing or exceeds int64."""
    if array.null_count:
        return None
    try:
        return array.cast(_pyarrow().int64()).to_numpy(), ns
    except Exception:  # noqa: BLE001 - a time is too large; the rows are encoded one by one, which says where
        return None


def _to_list(array: Any) -> list[Any]:
    cells: list[Any] = array.to_list() if hasattr(array, "to_list") else array.to_pylist()
    return cells


def scaled_times(times: Sequence[int | None], ns: int) -> list[int | None]:
    return [None if time is None else time * ns for time in times]


def _narrow_floats(name: str, size: str) -> Convert:
    """Give floats of 16 or 32 bits as numpy's, since their digits are those of their own size."""
    try:
        import numpy as np  # noqa: PLC0415 - polars does without
    except ImportError:
        msg = f"column {short_repr(name)}: {size} needs numpy, which is not installed; install it or convert to float64"
        raise SerializationError(msg) from None
    narrow = getattr(np, size)
    return lambda array: [None if cell is None else narrow(cell) for cell in _to_list(array)]


def _wrong_column(name: str, kind: object, *, temporal: bool) -> SerializationError:
    advice = "integers of some unit, or text" if temporal else "numbers, booleans or text"
    msg = f"column {short_repr(name)}: a field or tag cannot be of type {kind}; convert it to {advice}"
    return SerializationError(msg)
