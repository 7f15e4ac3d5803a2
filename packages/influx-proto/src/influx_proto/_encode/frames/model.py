"""How tables are read: a slice of rows at a time, and of these each column as one or the other needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ..._errors import SerializationError
from ..._line_protocol.unreadable import Unreadable
from ..._repr import short_repr


@dataclass(frozen=True, slots=True)
class Codes:
    """A column in which cells of a few kinds come again and again."""

    #: For each row the code of its cell, as an array of numpy; -1 where it is missing.
    codes: Any
    #: Gives the cells of some codes, None for -1.
    cells: Callable[[Any], list[Any]]


@dataclass(frozen=True, slots=True)
class Reader:
    """How a column is read, from one row to before another."""

    #: Gives the cells as points have them, None where they are missing.
    cells: Callable[[int, int], Sequence[Any]]
    #: Gives an array of numpy, in which missing cells are NaN or masked, codes, or an array of Arrow; None where there
    #: are only cells; raises ImportError without pyarrow where that is needed. For times: an array of numpy with
    #: integers, and their unit in nanoseconds.
    array: Callable[[int, int], Any]
    #: Returns how many bytes of text the rows have, or an estimate; None if the cells are numbers or short texts.
    size: Callable[[int, int], int] | None = None
    #: Whether all cells are known to be of the type `str`, or None.
    has_texts: bool = False

    def values(self, start: int, stop: int) -> Sequence[Any]:
        """Return the cells; each that raises an exception when it is read is an `Unreadable`."""
        try:
            return self.cells(start, stop)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the class is the library's, or that of a cell's `__str__`
            if stop - start == 1:
                return [Unreadable(error)]
        middle = (start + stop) // 2
        return [*self.values(start, middle), *self.values(middle, stop)]


class Slice(NamedTuple):
    """Rows of a table."""

    start: int
    stop: int
    #: A time is an integer of nanoseconds or anything else that tells one, None where there is none.
    times: Reader
    #: The columns of the table, in their order.
    columns: Sequence[Reader]


#: Reads a table in slices of so many rows at the most.
Slices: TypeAlias = Callable[[int], Iterator[Slice]]


@dataclass(frozen=True, slots=True)
class Column:
    """What there is to know of a column besides its cells."""

    name: str
    #: Whether its cells may be of any type, each of its own.
    objects: bool = False
    #: Whether its type is an unsigned integer of 64 bits, also where the values would fit into a signed one.
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, and how their cells are read."""

    columns: Sequence[Column]
    slices: Slices


def column_names(names: Iterable[object]) -> list[str]:
    """Check the names of a table's columns.

    Raises:
        SerializationError: one of them is no text, or two are the same.
    """
    found: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str):
            msg = f"the name of a column must be a str, not {type(name).__name__} ({short_repr(name)}); rename it"
            raise SerializationError(msg)
        if name in found:
            msg = f"two columns are called {short_repr(name)}; of two fields or tags of that name one would be lost"
            raise SerializationError(msg)
        found[name] = None
    return list(found)


def time_place(names: Sequence[str], time_column: str) -> int:
    """Return the place of the column with the times.

    Raises:
        SerializationError: there is no such column.
    """
    if time_column in names:
        return names.index(time_column)
    some = ", ".join(map(short_repr, names[:10])) + (", ..." if len(names) > 10 else "")
    msg = (
        f"there is no column {short_repr(time_column)} among {some or 'no columns at all'}; "
        "pass time_column= to name the column with the times"
    )
    raise SerializationError(msg)


def wrong_times(name: str, kind: object, advice: str = "") -> SerializationError:
    """Return the error for a column whose type has no times."""
    msg = f"column {short_repr(name)}: it must have timestamps, dates or integers, not {kind}; convert it{advice}"
    return SerializationError(msg)


def table_columns(tag_columns: object, time_column: object) -> tuple[tuple[str, ...], str | None]:
    """Return the arguments `tag_columns` and `time_column` after a check.

    Args:
        tag_columns: any iterable of str, such as a list or a `pandas.Index`.
        time_column: a str or None.

    Raises:
        ValueError: an argument has another type, `tag_columns` is a single str, or a column is in both.
    """
    if type(tag_columns) is tuple and not tag_columns and time_column is None:
        return (), None  # the default, in every small write
    try:
        items = None if isinstance(tag_columns, (str, bytes)) else iter(tag_columns)  # type: ignore[call-overload]
    except TypeError:
        items = None
    if items is None:
        msg = f"tag_columns: must be a list or another iterable of column names, not {short_repr(tag_columns)}"
        raise ValueError(msg)
    names = []
    for name in items:
        if not isinstance(name, str):
            msg = f"tag_columns: a column name must be a str, not {type(name).__name__} ({short_repr(name)})"
            raise ValueError(msg)  # noqa: TRY004 - every wrong option is a ValueError
        names.append(str.__str__(name))
    if time_column is not None:
        if not isinstance(time_column, str):
            msg = f"time_column: must be a column name, got {type(time_column).__name__} {short_repr(time_column)}"
            raise ValueError(msg)
        if time_column in names:
            msg = f"time_column: {short_repr(time_column)} is also in tag_columns; remove it from one of them"
            raise ValueError(msg)
    return tuple(names), time_column
