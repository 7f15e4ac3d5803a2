"""Tables as columns that are read in slices of rows, and checks of their column names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ..._errors import SerializationError
from ..._line_protocol.unreadable import Unreadable
from ..._repr import short_repr


@dataclass(frozen=True, slots=True)
class Codes:
    """A dictionary-encoded column."""

    #: The code of each cell as a numpy array; -1 for missing cells.
    codes: Any
    #: Returns the cells for an array of codes, with None for -1.
    cells: Callable[[Any], list[Any]]


@dataclass(frozen=True, slots=True)
class Reader:
    """Functions that read the cells of a column from a start row up to, but excluding, a stop row."""

    #: Returns the cells as values of points, with None for missing cells.
    cells: Callable[[int, int], Sequence[Any]]
    #: Returns a numpy array with missing cells as NaN or masked, `Codes`, or an Arrow array; None if only `cells` is
    #: supported. Raises ImportError if it requires pyarrow, which is not installed.
    array: Callable[[int, int], Any]
    #: Returns how many bytes of text the rows have, or an estimate; None if the cells are numbers or short texts.
    size: Callable[[int, int], int] | None = None
    #: Whether all cells are known to be of the type `str`, or None.
    has_texts: bool = False
    #: Returns a numpy array of numbers with a column for each of several adjacent columns, and the index of this column
    #: among them. The columns have the same function, and are encoded together.
    block: Callable[[int, int], Any] | None = None
    index: int = 0

    def values(self, start: int, stop: int) -> Sequence[Any]:
        """Return the cells, with an `Unreadable` for each cell that raises an exception when it is read."""
        try:
            return self.cells(start, stop)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - raised by the library, or by `__str__` of a cell
            if stop - start == 1:
                return [Unreadable(error)]
        middle = (start + stop) // 2
        return [*self.values(start, middle), *self.values(middle, stop)]


@dataclass(frozen=True, slots=True)
class Times:
    """Functions that read the timestamps from a start row up to, but excluding, a stop row."""

    #: Returns nanoseconds as integers, any other type that points accept, or None if missing.
    cells: Callable[[int, int], Sequence[Any]]
    #: Returns a numpy array of integers and their unit in nanoseconds; None if only `cells` is supported.
    counts: Callable[[int, int], tuple[Any, int] | None]


class Slice(NamedTuple):
    """Rows of a table."""

    start: int
    stop: int
    times: Times
    #: The columns in the order of the table, without the time column.
    columns: Sequence[Reader]


#: Yields slices. The arguments are the maximum number of rows in a slice, and the maximum number of rows that are read
#: ahead from a stream.
Slices: TypeAlias = Callable[[int, int], Iterator[Slice]]


@dataclass(frozen=True, slots=True)
class Column:
    """Name and properties of a column."""

    name: str
    #: Whether the cells can have different types.
    objects: bool = False
    #: Whether the type is a 64-bit unsigned integer, even if the values fit into signed integers.
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, and a function that yields their cells in slices of rows."""

    columns: Sequence[Column]
    slices: Slices


def check_column_names(names: Iterable[object]) -> list[str]:
    """Return the column names of a table after a check.

    Raises:
        SerializationError: a name is not a str, or two names are equal.
    """
    checked: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            msg = f"a column name must be a str, not {type(name).__name__} ({short_repr(name)}); rename the column"
            raise SerializationError(msg)
        if name in checked:
            msg = f"two columns have the name {short_repr(name)}; rename one, since field and tag keys must be distinct"
            raise SerializationError(msg)
        checked[name] = None
    return list(checked)


def find_time_column(names: Sequence[str], time_column: str) -> int:
    """Return the position of the time column.

    Raises:
        SerializationError: the table does not have the column.
    """
    if time_column in names:
        return names.index(time_column)
    listed = ", ".join(map(short_repr, names[:10])) + (", ..." if len(names) > 10 else "")
    msg = (
        f"missing time column {short_repr(time_column)}; the columns are {listed or '(none)'}; "
        "pass time_column= to name the column with the timestamps"
    )
    raise SerializationError(msg)


def time_type_error(name: str, dtype: object, advice: str = "") -> SerializationError:
    """Return the error for a time column of an unsupported type."""
    msg = f"column {short_repr(name)}: must have timestamps, dates or integers, not {dtype}; convert it{advice}"
    return SerializationError(msg)


def check_table_columns(tag_columns: Any, time_column: object) -> tuple[tuple[str, ...], str | None]:
    """Return the arguments `tag_columns` and `time_column` after a check.

    Args:
        tag_columns: any iterable of str, such as a list or a `pandas.Index`.
        time_column: a str or None.

    Raises:
        TypeError: `tag_columns` is a single str or not an iterable, or a name is not a str.
        ValueError: a column is in both arguments.
    """
    if type(tag_columns) is tuple and not tag_columns and time_column is None:
        return (), None  # fast path for the defaults
    try:
        items = None if isinstance(tag_columns, (str, bytes)) else iter(tag_columns)
    except TypeError:
        items = None
    if items is None:
        msg = f"tag_columns: must be a list or another iterable of column names, not {short_repr(tag_columns)}"
        raise TypeError(msg)
    names = []
    for name in items:
        if not isinstance(name, str):
            raise TypeError(f"tag_columns: a column name must be a str, not {type(name).__name__} ({short_repr(name)})")
        names.append(str.__str__(name))
    if time_column is not None:
        if not isinstance(time_column, str):
            msg = f"time_column: must be a column name, not {type(time_column).__name__} ({short_repr(time_column)})"
            raise TypeError(msg)
        if time_column in names:
            msg = f"time_column: {short_repr(time_column)} is also in tag_columns; remove it from one of them"
            raise ValueError(msg)
    return tuple(names), time_column
