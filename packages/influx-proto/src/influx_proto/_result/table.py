"""Tables of typed columns, one per statement of a result, independent of any DataFrame library.

A table concatenates the series of a statement, in the server's order. It has

- the timestamps as int64 nanoseconds, if the rows begin with a column `time`, like those of SELECT;
- a label for each tag of GROUP BY, in alphabetical order. A label has categories and codes, so that a row costs a code
  instead of a string. A missing tag is `""`, as in the response;
- a label `measurement`, if SELECT reads several measurements or on request. SHOW statements that list something per
  measurement always have it. Those that list something per database have a label `database`, unless they have a column
  with the database;
- the columns, each with one dtype. A column of integers and floats, which JSON does not distinguish, has floats. A
  column without any value has floats too, like an aggregate without a result.

Column names are unique: a second `v` becomes `v_1`, which is also how the server names a tag and a field with the same
name. Columns keep their names before tags do, and tags before `measurement`.

Rows can be added chunk by chunk. A table holds packed numbers instead of Python objects, to save memory and time of the
garbage collector.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, starmap
from operator import mul
from struct import Struct
from typing import Any, Final

from .._errors import ProtocolError, SerializationError
from .._gc_pause import gc_paused
from .._time import to_nanoseconds, unit
from .column import PACK_SIZE, Cells, Column, Fragment
from .packed import PackedRows
from .shape import Chunk, malformed_row, same_statement


@dataclass(frozen=True, slots=True)
class Label:
    """A column with one value per series: a group tag, or the measurement."""

    name: str
    #: The distinct values, sorted.
    categories: list[str]
    #: For each row the index of its value in `categories`; -1 if its series does not have the tag.
    codes: array[int]


@dataclass(frozen=True, slots=True)
class Table:
    """The result of a statement, as columns."""

    rows: int
    #: Nanoseconds since 1970, in UTC; None if the rows have no timestamps.
    times: array[int] | None
    labels: list[Label]
    columns: list[Column]


def tables(result: Chunk, *, measurement_column: bool | None = None) -> list[Table]:
    """Return a table for each statement; for `measurement_column` see `Tables`."""
    collector = Tables(measurement_column=measurement_column)
    collector.add(result)
    return collector.finish()


def only_table(result: Chunk, *, measurement_column: bool | None = None) -> Table:
    """Return the table of a result with a single statement.

    Raises:
        ValueError: the result does not have exactly one statement.
    """
    if len(result["results"]) != 1:
        raise ValueError(
            f"the result must have one statement, not {len(result['results'])}; "
            "use query_dataframes or to_pandas_list for several"
        )
    return tables(result, measurement_column=measurement_column)[0]


class Tables:
    """Collects a result, whole or chunk by chunk, and returns a table for each statement."""

    def __init__(self, *, measurement_column: bool | None = None) -> None:
        """Create an empty collector.

        Args:
            measurement_column: whether to add a label `measurement` to tables with timestamps; None adds it if there
                are several measurements.
        """
        self._measurement_column = measurement_column
        self._statements: list[_StatementRows] = []
        self._before: Mapping[str, Any] = {}

    def add(self, chunk: Chunk) -> None:
        """Add a chunk or a whole result. Its rows are not referenced afterwards.

        Raises:
            ProtocolError: a row does not match the columns, or a timestamp is invalid.
        """
        for part in chunk["results"]:
            self.add_entry(part, chunk.epoch)

    def add_entry(self, part: Mapping[str, Any], epoch: str | None) -> None:
        """Add an entry of a chunk's `results`.

        Raises:
            ProtocolError: a row does not match the columns, or a timestamp is invalid.
        """
        if not same_statement(self._before, part):
            self._statements.append(_StatementRows(epoch))
        self._before = {key: value for key, value in part.items() if key != "series"}
        for series in part.get("series", ()):
            self._statements[-1].add(series)

    def finish(self) -> list[Table]:
        """Return the tables."""
        return [rows.finish(measurement_column=self._measurement_column) for rows in self._statements]


class _StatementRows:
    """Collects the series of a statement."""

    def __init__(self, epoch: str | None) -> None:
        self._rows = 0
        self._series: list[tuple[int, str, Mapping[str, str]]] = []  # number of rows, name and tags of each series
        # Without an epoch timestamps are strings, but in CSV nanoseconds.
        self._times = _Times(1 if epoch is None else unit(epoch, "epoch"))
        self._has_times: bool | None = None  # unknown before the first series
        self._columns: dict[str, Cells] = {}
        self._header: list[str] | None = None  # of the last series
        self._targets: list[Cells | _Times] = []  # the collectors of its columns
        self._packed: PackedRows | None = None  # pending rows, to be joined with following ones

    def add(self, series: Mapping[str, Any]) -> None:
        header = list(series["columns"])
        if header != self._header:
            self._unpack()
            self._set_header(header)
        rows = series.get("values", ())
        self._series.append((len(rows), series.get("name", ""), series.get("tags", {})))
        if isinstance(rows, PackedRows):
            joined = None if self._packed is None else self._packed.joined(rows)
            if joined is None:
                self._unpack()
            self._packed = joined or rows
            return
        self._unpack()
        for begin in range(0, len(rows), PACK_SIZE):
            block = rows[begin : begin + PACK_SIZE]
            for target, cells in zip(self._targets, _transposed(block, series), strict=True):
                target.extend(self._rows, cells)
            self._rows += len(block)

    def _unpack(self) -> None:
        """Add the pending packed rows to the columns."""
        if self._packed is not None:
            for target, fragment in zip(self._targets, self._packed.columns(), strict=True):
                target.add(self._rows, fragment)
            self._rows += len(self._packed)
            self._packed = None

    def _set_header(self, header: list[str]) -> None:
        has_times = header[:1] == ["time"]
        if self._has_times is None:
            self._has_times = has_times
        elif self._has_times and not has_times:
            raise ProtocolError(f"a statement has series with and without a column time: {header!r}")
        self._header = header
        names = distinct(header[1:], {"time"}) if self._has_times else distinct(header, ())
        cells = [self._columns.setdefault(name, Cells()) for name in names]
        self._targets = [self._times, *cells] if self._has_times else [*cells]

    def finish(self, *, measurement_column: bool | None) -> Table:
        self._unpack()
        columns = [cells.finish(name, self._rows) for name, cells in self._columns.items()]
        keys = sorted(set(chain.from_iterable(tags for _, _, tags in self._series)))
        label = self._measurement_label(measurement_column)
        names = distinct([*keys, *label], self._columns.keys() | ({"time"} if self._has_times else set()))
        series = [each for each in self._series if each[0]]
        rows = [each[0] for each in series]
        # All values in one list, since looking up one key in all series takes longer.
        values = list(chain.from_iterable(map(tags.get, keys) for _, _, tags in series))
        labels = [_label(name, rows, values[at :: len(keys)]) for at, name in enumerate(names[: len(keys)])]
        if label:
            labels.insert(0, _label(names[-1], rows, [name for _, name, _ in series]))
        # A statement without series is a SELECT without a result.
        times = None if self._has_times is False else self._times.finish()
        return Table(self._rows, times, labels, columns)

    def _measurement_label(self, measurement_column: bool | None) -> list[str]:
        """Return the name of the label with the names of the series; empty if the table has none."""
        names = {name for _, name, _ in self._series}
        if self._has_times is not False:
            return ["measurement"] if measurement_column or (measurement_column is None and len(names) > 1) else []
        if names <= {""}:  # SHOW USERS and others list objects of the server or of one database
            return []
        columns = self._columns.keys()
        if {"name", "query"} <= columns or "destinations" in columns:  # SHOW CONTINUOUS QUERIES, SUBSCRIPTIONS
            return ["database"]
        if "database" in columns or ("name" in columns and len(names) == 1):  # SHOW SHARDS; SHOW DATABASES
            return []
        return ["measurement"]


def _label(name: str, rows: Sequence[int], values: Sequence[str | None]) -> Label:
    """Return the label for the number of rows and the value of each series."""
    categories = sorted({value for value in values if value is not None})
    encoded = dict(zip(categories, map(_CODE.pack, range(len(categories))), strict=True)) | {None: _CODE.pack(-1)}
    codes = array("i")
    codes.frombytes(b"".join(map(mul, map(encoded.__getitem__, values), rows)))
    return Label(name, categories, codes)


_CODE: Final = Struct("i")


def distinct(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Return the names, with a suffix `_1`, `_2` and so on for names that are already taken."""
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


#: The number of rows, with an iterator each, from which on the garbage collector would run.
_GC_THRESHOLD: Final = 500
#: Implemented in C, as `gc_paused` requires.
_ZIP: Final = partial(zip, strict=True)


def _transposed(rows: Sequence[Sequence[Any]], series: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    try:
        zipped = chain.from_iterable(starmap(_ZIP, [rows]))
        columns: list[tuple[Any, ...]] = list(zipped) if len(rows) < _GC_THRESHOLD else gc_paused(list, zipped)
    except (ValueError, TypeError):
        columns = []
    if len(columns) != len(series["columns"]):
        raise malformed_row(series.get("name", ""), series["columns"])
    return columns


class _Times:
    """Collects the column `time`."""

    def __init__(self, unit: int) -> None:
        self._unit = unit  # of integer timestamps, in nanoseconds
        self._cells: list[Any] = []
        self._nanoseconds = array("q")

    def extend(self, _before: int, cells: Sequence[Any]) -> None:
        self._cells.extend(cells)
        if len(self._cells) >= PACK_SIZE:
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
        types = set(map(type, cells))
        times: list[Any]
        if types <= {int}:
            times = cells if self._unit == 1 else [time * self._unit for time in cells]
        elif types <= {int, str}:
            try:
                times = [time * self._unit if isinstance(time, int) else to_nanoseconds(time) for time in cells]
            except SerializationError as error:
                raise ProtocolError(f"invalid timestamp in the column time: {error}") from None
        else:
            names = ", ".join(sorted(cell_type.__name__ for cell_type in types - {int, str}))
            raise ProtocolError(f"invalid timestamp in the column time: value of type {names}")
        try:
            self._nanoseconds.fromlist(times)
        except OverflowError:
            msg = "a timestamp in the column time does not fit into int64 nanoseconds; check the epoch of the result"
            raise ProtocolError(msg) from None
