"""Reader of tables with an Arrow C stream, such as those of polars, pyarrow and duckdb.

The timestamps are in the column `time`, or in the column that `time_column` names. They are naive timestamps in UTC or
timestamps with a time zone, in any unit, or dates, or integers in the precision of the write. All other columns contain
numbers, booleans, strings, or dictionaries of these.

polars reads its own frames. pyarrow reads all other tables, one record batch at a time. If pyarrow is not installed,
polars reads the other tables, which loads all record batches into memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..._errors import SerializationError
from ..._repr import short_repr
from ..._time import unit
from .model import Codes, Column, Reader, Slice, Table, Times, check_column_names, find_time_column, time_type_error
from .size import SHORT_TEXT, SLICE_BYTES, Size

if TYPE_CHECKING:
    import polars as pl

#: Returns the cells of a slice of a column.
Convert: TypeAlias = Callable[[Any], Sequence[Any]]

_TIME: Final = "time"

#: One day in nanoseconds.
_DAY: Final = 24 * 3600 * 10**9


def read_arrow(value: Any, precision: str, time_column: str | None) -> Table:
    """Open an object with `__arrow_c_stream__` as a table.

    Args:
        value: the object. A single-use stream is consumed.
        precision: the unit of integer timestamps.
        time_column: the column with the timestamps; None for `time`.

    Raises:
        SerializationError: the time column is missing or has no timestamps, a column has an unsupported type, the
            column names are not distinct, or neither pyarrow nor polars is installed. The slices of the table raise it
            if the producer of the stream fails.
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
    except Exception as error:  # raised by pyarrow or the producer
        msg = f"cannot read a {type(value).__name__} as a table ({error}); convert it to a pyarrow.Table"
        raise SerializationError(msg) from error
    names = check_column_names(all_names)
    at = find_time_column(names, time_column)
    to_integers, ns = arrow_times(time_column, fields[at].type, precision)
    columns = {place: arrow_column(names[place], field.type) for place, field in enumerate(fields) if place != at}
    sizes = {place: arrow_size(fields[place].type) for place in columns}

    def slices(rows: int, ahead: int) -> Iterator[Slice]:
        for batch in _combine(_batches(reader, type(value).__name__), min(rows, ahead)):
            when = read_times(to_integers(batch.column(at)), ns)
            readers = [
                _reader(batch.column(place), convert, _slice_size(batch.column(place), sizes[place]))
                for place, (_, convert) in columns.items()
            ]
            for start in range(0, batch.num_rows, rows):
                yield Slice(start, min(start + rows, batch.num_rows), when, readers)

    return Table([column for column, _ in columns.values()], slices)


def _batches(reader: Any, name: str) -> Iterator[Any]:
    """Yield the record batches of a stream. Raises SerializationError if the producer fails."""
    batches = iter(reader)
    count = 0
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:  # raised by pyarrow or the producer; a C stream transmits only the message
            rows = "1 row" if count == 1 else f"{count} rows"
            raise SerializationError(f"the Arrow stream of a {name} failed after {rows}: {error}") from error
        count += batch.num_rows
        yield batch


def _combine(batches: Iterable[Any], rows: int) -> Iterator[Any]:
    """Yield record batches with up to a number of rows, each from consecutive smaller ones; encoding each is slower."""
    pending: list[Any] = []
    count = size = 0
    dictionaries: set[int] = set()
    try:
        for batch in batches:
            batch_size = _size(batch) - _shared_size(batch, dictionaries)
            if pending and (count + batch.num_rows > rows or size + batch_size > SLICE_BYTES):
                yield from _concatenate(pending)
                pending, count, size = [], 0, 0
            pending.append(batch)
            count += batch.num_rows
            size += batch_size
    except SerializationError:
        yield from _concatenate(pending)
        raise
    yield from _concatenate(pending)


def _size(data: Any) -> int:
    """Return the size of a batch or an array, or more if it shares its strings with others."""
    try:
        return int(data.nbytes)
    except _pyarrow().ArrowException:  # of string views, in some versions
        return int(data.get_total_buffer_size())


def _shared_size(batch: Any, dictionaries: set[int]) -> int:
    """Return the size of the dictionaries of a batch that the batch before it has too.

    Args:
        batch: the batch.
        dictionaries: the addresses of the dictionaries of the batch before; replaced by those of this one.
    """
    found = [column.dictionary for column in batch.columns if hasattr(column, "dictionary")]
    sizes = {buffer.address: _size(each) for each in found if (buffer := each.buffers()[-1]) is not None}
    shared = sum(size for address, size in sizes.items() if address in dictionaries)
    dictionaries.clear()
    dictionaries.update(sizes)
    return shared


def _concatenate(batches: list[Any]) -> list[Any]:
    pa = _pyarrow()
    if len(batches) < 2:
        return batches
    try:
        combined: list[Any] = pa.Table.from_batches(batches).combine_chunks().to_batches()
    except pa.ArrowException:  # such as more distinct values than the indices of a dictionary can have
        return batches
    return combined


def _pyarrow() -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - an optional dependency without type hints

    return pa


def arrow_times(name: str, dtype: Any, precision: str) -> tuple[Callable[[Any], Any], int]:
    """Return how to convert timestamps of an Arrow type to integers, which have a larger range than `datetime`.

    Args:
        name: the column.
        dtype: the type, a `pyarrow.DataType`.
        precision: the unit of integer timestamps.

    Returns:
        A function from an Array of the type to an Array of integers, and their unit in nanoseconds.

    Raises:
        SerializationError: the type is not a type of timestamps.
    """
    pa = _pyarrow()
    types = pa.types
    if types.is_timestamp(dtype):
        return lambda array: array.view(pa.int64()), unit(dtype.unit)
    if types.is_date32(dtype):
        return lambda array: array.view(pa.int32()), _DAY
    if types.is_date64(dtype):
        return lambda array: array.view(pa.int64()), unit("ms")
    if types.is_integer(dtype):
        return lambda array: array, unit(precision)
    raise time_type_error(name, dtype)


def arrow_column(name: str, dtype: Any) -> tuple[Column, Convert]:
    """Return how to read a column of an Arrow type.

    Args:
        name: the column.
        dtype: the type, a `pyarrow.DataType`.

    Returns:
        The properties of the column, and a function from an Array or ChunkedArray to its cells.

    Raises:
        SerializationError: the type is not supported as a field or tag.
    """
    types = _pyarrow().types
    plain = dtype.value_type if types.is_dictionary(dtype) else dtype
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
    raise _column_type_error(name, plain, temporal=types.is_temporal(plain))


def is_text(dtype: Any) -> bool:
    """Return whether an Arrow type is a string type."""
    types = _pyarrow().types
    return bool(types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype))


def arrow_size(dtype: Any) -> Callable[[Any], int] | None:
    """Return a function that measures the strings of an array of an Arrow type; None if the type has no strings."""
    pa = _pyarrow()
    if pa.types.is_dictionary(dtype):
        return _dictionary_size if is_text(dtype.value_type) else None
    if pa.types.is_string_view(dtype):  # its `nbytes` includes strings of other rows
        return lambda array: int(array.cast(pa.large_string()).nbytes)
    return (lambda array: int(array.nbytes)) if is_text(dtype) else None


def _slice_size(column: Any, size: Callable[[Any], int] | None) -> Size | None:
    return None if size is None else lambda start, stop: size(column.slice(start, stop - start))


def _dictionary_size(array: Any) -> int:
    pa = _pyarrow()
    import pyarrow.compute as pc  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    compute: Any = pc  # its functions are created when it is imported, so no type checker knows them
    size = 0
    for chunk in getattr(array, "chunks", [array]):
        texts, indices = chunk.dictionary, chunk.indices
        if len(texts) > len(indices):  # measure only the strings of these rows
            texts, indices = compute.take(texts, indices), None
        lengths = compute.binary_length(texts.cast(pa.large_string()) if pa.types.is_string_view(texts.type) else texts)
        if (compute.max(lengths).as_py() or 0) > SHORT_TEXT:
            size += compute.sum(lengths if indices is None else compute.take(lengths, indices)).as_py() or 0
    return size


def _to_polars(value: Any) -> pl.DataFrame:
    try:
        import polars as pl  # noqa: PLC0415 - an optional dependency
    except ImportError:
        msg = f"a table of type {type(value).__name__} requires pyarrow or polars; install pyarrow"
        raise SerializationError(msg) from None
    try:
        return pl.DataFrame(value)
    except (Exception, pl.exceptions.PanicException) as error:  # raised by polars or the producer
        msg = f"polars {pl.__version__} cannot read a {type(value).__name__} as a table ({error}); install pyarrow"
        raise SerializationError(msg) from error


def _read_polars(frame: pl.DataFrame, precision: str, time_column: str) -> Table:
    schema = frame.schema
    names = check_column_names(schema)
    ns = _polars_unit(time_column, schema[names[find_time_column(names, time_column)]], precision)
    columns = {name: _polars_column(name, dtype) for name, dtype in schema.items() if name != time_column}
    count = frame.height

    def slices(rows: int, _ahead: int) -> Iterator[Slice]:
        when = read_times(frame[time_column].to_physical(), ns)
        readers = [
            _reader(column := _polars_values(frame[name], schema[name]), convert, _polars_size(column))
            for name, (_, convert) in columns.items()
        ]
        return (Slice(start, min(start + rows, count), when, readers) for start in range(0, count, rows))

    return Table([column for column, _ in columns.values()], slices)


def _polars_values(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return the column, as strings if it is an Enum with more categories than rows, all of which Arrow would copy."""
    import polars as pl  # noqa: PLC0415 - an optional dependency

    return column.cast(pl.String) if isinstance(dtype, pl.Enum) and len(dtype.categories) > len(column) else column


def _polars_unit(name: str, dtype: pl.DataType, precision: str) -> int:
    """Return the unit of a column's physical integers in nanoseconds."""
    import polars as pl  # noqa: PLC0415 - an optional dependency

    if isinstance(dtype, pl.Datetime):
        return unit(dtype.time_unit)
    if dtype.is_integer():
        return unit(precision)
    if dtype == pl.Date:
        return _DAY
    raise time_type_error(name, dtype)


def _polars_column(name: str, dtype: pl.DataType) -> tuple[Column, Convert]:
    import polars as pl  # noqa: PLC0415 - an optional dependency

    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return Column(name), _polars_strings
    if dtype.is_float() and dtype != pl.Float64:
        return Column(name), _narrow_floats(name, "float32" if dtype == pl.Float32 else "float16")
    if dtype.is_numeric() or isinstance(dtype, pl.Boolean | pl.Decimal | pl.Null):
        return Column(name, unsigned=dtype == pl.UInt64), _to_list
    raise _column_type_error(name, dtype, temporal=dtype.is_temporal())


def _polars_strings(array: Any) -> list[Any]:
    """Return the cells of a polars string column, or of its dictionary as an Arrow Array.

    Raises:
        UnicodeDecodeError: a string is not valid UTF-8. polars does not validate imported strings, and panics later.
    """
    import polars as pl  # noqa: PLC0415 - an optional dependency

    if not isinstance(array, pl.Series):
        return _to_list(array)
    return [None if cell is None else cell.decode() for cell in array.cast(pl.String).cast(pl.Binary).to_list()]


def _polars_size(column: pl.Series) -> Size | None:
    """Return a function that measures the strings of a column; None if they are short or it has none."""
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
    """Return the reader of a polars Series or an Arrow array."""
    return Reader(
        lambda start, stop: convert(column.slice(start, stop - start)),
        lambda start, stop: with_codes(_to_arrow(column.slice(start, stop - start)), convert),
        size,
    )


def read_times(column: Any, ns: int) -> Times:
    """Return the timestamps of a column of integers; `ns` is their unit in nanoseconds."""
    return Times(
        lambda start, stop: scale_times(_to_list(column.slice(start, stop - start)), ns),
        lambda start, stop: _time_counts(_to_arrow(column.slice(start, stop - start)), ns),
    )


def _to_arrow(column: Any) -> Any:
    # The name is removed, since polars panics when it exports a name with a NUL.
    return column.alias("").to_arrow() if hasattr(column, "to_arrow") else column


def with_codes(array: Any, convert: Convert) -> Any:
    """Return a dictionary array as `Codes`, and other Arrow arrays unchanged.

    Args:
        array: an Arrow Array.
        convert: the function that returns the cells of an array.
    """
    pa = _pyarrow()
    if not pa.types.is_dictionary(array.type):
        return array
    dictionary = array.dictionary
    codes = array.indices.cast(pa.int64()).fill_null(-1).to_numpy()
    return Codes(codes, lambda codes: list(convert(dictionary.take(pa.array(codes, mask=codes < 0)))))


def _time_counts(array: Any, ns: int) -> tuple[Any, int] | None:
    """Return integers as a numpy array, and their unit; None if one is missing or exceeds int64."""
    if array.null_count:
        return None
    try:
        return array.cast(_pyarrow().int64()).to_numpy(), ns
    except Exception:  # noqa: BLE001 - a timestamp is too large; encoding row by row finds it
        return None


def _to_list(array: Any) -> list[Any]:
    cells: list[Any] = array.to_list() if hasattr(array, "to_list") else array.to_pylist()
    return cells


def scale_times(times: Sequence[int | None], ns: int) -> list[int | None]:
    """Return timestamps of a unit in nanoseconds."""
    return [None if time is None else time * ns for time in times]


def _narrow_floats(name: str, size: str) -> Convert:
    """Return the function that converts cells to numpy's narrow floats, which keep their shortest digits."""
    try:
        import numpy as np  # noqa: PLC0415 - optional with polars
    except ImportError:
        msg = f"column {short_repr(name)}: {size} requires numpy; install numpy, or convert the column to float64"
        raise SerializationError(msg) from None
    narrow = getattr(np, size)
    return lambda array: [None if cell is None else narrow(cell) for cell in _to_list(array)]


def _column_type_error(name: str, dtype: object, *, temporal: bool) -> SerializationError:
    advice = "integers or strings" if temporal else "numbers, booleans or strings"
    return SerializationError(f"column {short_repr(name)}: unsupported type {dtype}; convert it to {advice}")
