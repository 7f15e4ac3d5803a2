"""Rows to columns: what a statement answered as one table, for any library of data frames.

The series of a statement stand one below the other, in the server's order. A table has

- the times as int64 nanoseconds, where the rows begin with a column `time`, as those of SELECT do;
- a label for each tag of GROUP BY, in alphabetical order: categories and codes, so that a series costs one code and not
  a string a row. A tag that points lack is `""`, as in the answer;
- a label `measurement` where SELECT reads several measurements (or where asked for). SHOW statements that list
  something per measurement always have it, and those that list something per database have a label `database`, unless
  a column of theirs tells it;
- the columns, each of one kind. Whole numbers and floats in one column, which in JSON are the same to the server, are
  floats; a column without any value is one of floats, as that of an aggregate that found nothing.

No two columns have the same name: a second `v` is called `v_1`, as the server itself does it for a tag and a field of
one name. Columns keep their names before tags do, and tags before `measurement`.

Rows can be given chunk by chunk and forgotten: what is kept are machine numbers, not Python objects, which spares
memory and the garbage collector.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, starmap
from typing import Any, Final

from .._errors import ProtocolError, SerializationError
from .._gc_pause import gc_paused
from .._time import to_nanoseconds, unit
from .column import PACKED, Cells, Column, Fragment
from .packed import PackedRows
from .shape import Chunk, misshapen, same_statement


@dataclass(frozen=True, slots=True)
class Label:
    """What all rows of a series have in common: a group tag, or the measurement."""

    name: str
    #: The distinct values, sorted.
    categories: list[str]
    #: For each row the place of its value among them; -1 where its series has no such tag.
    codes: array[int]


@dataclass(frozen=True, slots=True)
class Table:
    """What one statement answered."""

    rows: int
    #: Nanoseconds since 1970, in UTC; None where the rows are not about times.
    times: array[int] | None
    labels: list[Label]
    columns: list[Column]


def tables(result: Chunk, *, measurement: bool | None = None) -> list[Table]:
    """Give one table a statement; for `measurement` see `Tables`."""
    answer = Tables(measurement=measurement)
    answer.add(result)
    return answer.finish()


def only_table(result: Chunk, *, measurement: bool | None = None) -> Table:
    """Give the table of the only statement.

    Raises:
        ValueError: there is none, or more than one.
    """
    if len(result["results"]) != 1:
        msg = (
            f"the result is of {len(result['results'])} statements, and one table holds one; "
            "query_dataframes, or to_pandas_list of the result, gives one a statement"
        )
        raise ValueError(msg)
    return tables(result, measurement=measurement)[0]


class Tables:
    """Takes an answer, whole or chunk by chunk, and gives one table a statement."""

    def __init__(self, *, measurement: bool | None = None) -> None:
        """Begin.

        Args:
            measurement: whether rows with times are labelled with their measurement. None: where there are several.
        """
        self._measurement = measurement
        self._statements: list[_Rows] = []
        self._before: Mapping[str, Any] = {}

    def add(self, chunk: Chunk) -> None:
        """Take a chunk, or a whole result; the rows are not needed afterwards.

        Raises:
            ProtocolError: a row does not fit the columns, or a time is none.
        """
        for part in chunk["results"]:
            self.add_entry(part, chunk.epoch)

    def add_entry(self, part: Mapping[str, Any], epoch: str | None) -> None:
        """Take one entry of a chunk's `results`.

        Raises:
            ProtocolError: a row does not fit the columns, or a time is none.
        """
        if not same_statement(self._before, part):
            self._statements.append(_Rows(epoch))
        self._before = {key: value for key, value in part.items() if key != "series"}
        for series in part.get("series", ()):
            self._statements[-1].add(series)

    def finish(self) -> list[Table]:
        """Give the tables, at the end."""
        return [rows.finish(measurement=self._measurement) for rows in self._statements]


class _Rows:
    """Collects the series of a statement."""

    def __init__(self, epoch: str | None) -> None:
        self._rows = 0
        self._runs: list[tuple[int, str, Mapping[str, str]]] = []  # rows, name and tags of each series
        # Without an epoch times are text, but in CSV nanoseconds.
        self._times = _Times(1 if epoch is None else unit(epoch, "epoch"))
        self._timed: bool | None = None  # not known before the first series
        self._columns: dict[str, Cells] = {}
        self._header: list[str] | None = None  # of the series before
        self._targets: list[Cells | _Times] = []  # for each column of it, where the cells go
        self._packed: PackedRows | None = None  # which have not gone there yet

    def add(self, series: Mapping[str, Any]) -> None:
        header = list(series["columns"])
        if header != self._header:
            self._unpack()
            self._take_header(header)
        rows = series.get("values", ())
        self._runs.append((len(rows), series.get("name", ""), series.get("tags", {})))
        if isinstance(rows, PackedRows):
            joined = None if self._packed is None else self._packed.joined(rows)
            if joined is None:
                self._unpack()
            self._packed = joined or rows
            return
        self._unpack()
        for begin in range(0, len(rows), PACKED):
            block = rows[begin : begin + PACKED]
            for target, cells in zip(self._targets, _transposed(block, series), strict=True):
                target.extend(self._rows, cells)
            self._rows += len(block)

    def _unpack(self) -> None:
        """Take the packed rows that have been waiting for some that stand behind them."""
        if self._packed is not None:
            for target, fragment in zip(self._targets, self._packed.columns(), strict=True):
                target.add(self._rows, fragment)
            self._rows += len(self._packed)
            self._packed = None

    def _take_header(self, header: list[str]) -> None:
        timed = header[:1] == ["time"]
        if self._timed is None:
            self._timed = timed
        elif self._timed and not timed:
            msg = f"one statement answered rows with times and rows without: {header!r}"
            raise ProtocolError(msg)
        self._header = header
        names = distinct(header[1:], {"time"}) if self._timed else distinct(header, ())
        cells = [self._columns.setdefault(name, Cells()) for name in names]
        self._targets = [self._times, *cells] if self._timed else [*cells]

    def finish(self, *, measurement: bool | None) -> Table:
        self._unpack()
        columns = [cells.finish(name, self._rows) for name, cells in self._columns.items()]
        keys = sorted({key for _, _, tags in self._runs for key in tags})
        label = self._measurement_label(measurement)
        names = distinct([*keys, *label], self._columns.keys() | ({"time"} if self._timed else set()))
        labels = [
            self._label(name, [tags.get(key) for _, _, tags in self._runs])
            for name, key in zip(names, keys, strict=False)
        ]
        if label:
            labels.insert(0, self._label(names[-1], [name for _, name, _ in self._runs]))
        # A statement without series found nothing, which is what SELECT answers.
        times = None if self._timed is False else self._times.finish()
        return Table(self._rows, times, labels, columns)

    def _label(self, name: str, values: Sequence[str | None]) -> Label:
        runs = [(rows, value) for (rows, _, _), value in zip(self._runs, values, strict=True) if rows]
        categories = sorted({value for _, value in runs if value is not None})
        code = {value: array("i", [number]) for number, value in enumerate(categories)}
        codes = array("i")
        missing = array("i", [-1])
        for rows, value in runs:
            codes += (missing if value is None else code[value]) * rows
        return Label(name, categories, codes)

    def _measurement_label(self, asked: bool | None) -> list[str]:
        """Give what the names of the series are to be called in the table, if they are to be in it."""
        names = {name for _, name, _ in self._runs}
        if self._timed is not False:
            return ["measurement"] if asked or (asked is None and len(names) > 1) else []
        if names <= {""}:  # SHOW USERS and others are about the whole server, or one database
            return []
        columns = self._columns.keys()
        if {"name", "query"} <= columns or "destinations" in columns:  # SHOW CONTINUOUS QUERIES, SUBSCRIPTIONS
            return ["database"]
        if "database" in columns or ("name" in columns and len(names) == 1):  # SHOW SHARDS; SHOW DATABASES
            return []
        return ["measurement"]


def distinct(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Give each name, or with `_1`, `_2`, ... what is free where it was taken before."""
    used = set(taken)
    reserved = used.union(names)
    found = []
    for name in names:
        free, count = name, 0
        while free in used or (count and free in reserved):
            count += 1
            free = f"{name}_{count}"
        used.add(free)
        found.append(free)
    return found


#: From so many iterators on, one a row, the garbage collector would come in between.
_MANY: Final = 500
#: Without Python, as `gc_paused` wants it.
_ZIP: Final = partial(zip, strict=True)


def _transposed(rows: Sequence[Sequence[Any]], series: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    try:
        zipped = chain.from_iterable(starmap(_ZIP, [rows]))
        columns: list[tuple[Any, ...]] = list(zipped) if len(rows) < _MANY else gc_paused(list, zipped)
    except (ValueError, TypeError):
        columns = []
    if len(columns) != len(series["columns"]):
        raise misshapen(series.get("name", ""), series["columns"])
    return columns


class _Times:
    """Collects the column `time`."""

    def __init__(self, unit: int) -> None:
        self._unit = unit  # of integers, in nanoseconds
        self._cells: list[Any] = []
        self._nanoseconds = array("q")

    def extend(self, _before: int, cells: Sequence[Any]) -> None:
        self._cells.extend(cells)
        if len(self._cells) >= PACKED:
            self._pack_cells()

    def add(self, before: int, fragment: Fragment) -> None:
        self._pack_cells()
        if fragment.dtype == "int" and fragment.missing is None and self._unit == 1:
            self._nanoseconds.frombytes(memoryview(fragment.values).cast("B"))
        else:
            self.extend(before, fragment.cells())

    def finish(self) -> array[int]:
        self._pack_cells()
        return self._nanoseconds

    def _pack_cells(self) -> None:
        cells, self._cells = self._cells, []
        kinds = set(map(type, cells))
        times: list[Any]
        if kinds <= {int}:
            times = cells if self._unit == 1 else [time * self._unit for time in cells]
        elif kinds <= {int, str}:
            try:
                times = [time * self._unit if isinstance(time, int) else to_nanoseconds(time) for time in cells]
            except SerializationError as error:
                msg = f"the column time holds what is no time: {error}"
                raise ProtocolError(msg) from None
        else:
            names = ", ".join(sorted(kind.__name__ for kind in kinds - {int, str}))
            msg = f"the column time holds what is no time: {names}"
            raise ProtocolError(msg)
        try:
            self._nanoseconds.fromlist(times)
        except OverflowError:
            msg = "the column time holds a time that does not fit int64 nanoseconds; is the result's epoch right?"
            raise ProtocolError(msg) from None
