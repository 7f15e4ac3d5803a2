"""Cells to columns of machine numbers: exact, and of one dtype each.

Cells come in any portions and are packed from time to time, so that few of them are Python objects at any moment. What
dtype a column is of is known at its end: portions of integers and of floats make one of floats, for example, but only
where every integer has a float of its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import chain, repeat
from operator import is_
from typing import Any, Final, Literal, TypeAlias, cast

#: `other`: cells of several kinds, or of none that InfluxDB stores; they are kept as they are.
DType = Literal["int", "uint", "float", "bool", "str", "other"]

#: Cells that are turned into machine numbers at a time.
PACKED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    dtype: DType
    #: An `array` of `q`, `Q` or `d`, a `bytearray` of 0 and 1 for booleans, a list or `DictionaryStrings` of str and
    #: None, or a list of objects. A missing number is NaN or 0.
    values: Any
    #: 1 where the cell is missing; None where none is.
    missing: bytearray | None

    def cells(self) -> list[Any]:
        """Give the cells as Python has them, None where they are missing."""
        values = self.values
        if self.dtype == "bool":
            values = memoryview(values).cast("?").tolist()
        if self.missing is None or self.dtype in {"str", "other"}:
            return list(values)
        return [None if missing else value for value, missing in zip(values, self.missing, strict=True)]


class DictionaryStrings:
    """Strings, or None, that repeat: parts, each the distinct ones and for each cell its place among them."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[tuple[list[str | None], memoryview]]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[str | None]:
        return chain.from_iterable(map(distinct.__getitem__, places) for distinct, places in self.parts)

    def __getitem__(self, cells: slice) -> DictionaryStrings:
        [(distinct, places)] = self.parts
        return DictionaryStrings([(distinct, places[cells])])


class Cells:
    """Collects the cells of a column."""

    def __init__(self) -> None:
        self._cells: list[Any] = []
        self._fragments: list[Fragment] = []
        self._rows = 0

    def extend(self, before: int, cells: Sequence[Any]) -> None:
        """Take more cells; those of the `before` rows before them that have not come are missing."""
        self._pad(before)
        self._cells.extend(cells)
        self._rows += len(cells)
        if len(self._cells) >= PACKED:
            self._pack_cells()

    def add(self, before: int, fragment: Fragment) -> None:
        """Take more cells that are packed already; otherwise as `extend`."""
        self._pad(before)
        if self._cells:
            self._pack_cells()
        self._fragments.append(fragment)
        self._rows += fragment.rows

    def finish(self, name: str, rows: int) -> Column:
        """Give the column; cells that have not come are missing."""
        self._pad(rows)
        if self._cells:
            self._pack_cells()
        fragments, self._fragments = self._fragments, []  # gone when they are together, before the next column's are
        dtype = _common_dtype(fragments)
        values = _joined(fragments, dtype)
        missing = None
        if any(fragment.missing for fragment in fragments):
            missing = bytearray().join(fragment.missing or bytes(fragment.rows) for fragment in fragments)
        return Column(name, dtype, values, missing)

    def _pad(self, rows: int) -> None:
        if self._rows < rows:
            self._cells.extend(repeat(None, rows - self._rows))
            self._rows = rows

    def _pack_cells(self) -> None:
        cells, self._cells = self._cells, []
        self._fragments.append(_make_fragment(cells))


class StableDType:
    """Keeps the dtype of a column that comes in parts, from its first value on.

    Parts can then be put together again: no integer comes to stand among floats that cannot hold it.
    """

    def __init__(self) -> None:
        self._dtype: DType | None = None
        self._are_floats = True  # whether all integers so far have floats of their own

    def unify(self, part: Column) -> Column:
        """Give a part the dtype of those before it; `other` where it has values that cannot be of that dtype."""
        dtype = self._dtype_of(part)
        if dtype == part.dtype:
            return part
        filler = _FILLERS.get(dtype)
        return Column(
            part.name, dtype, _PACK[dtype]([filler if cell is None else cell for cell in part.cells()]), part.missing
        )

    def _dtype_of(self, part: Column) -> DType:
        if part.missing is not None and 0 not in part.missing:
            return self._dtype or "other"
        are_floats = part.dtype == "float" or (part.dtype in {"int", "uint"} and _are_floats(part.values))
        if self._dtype is None or (part.dtype == "float" and self._dtype in {"int", "uint"} and self._are_floats):
            self._dtype = part.dtype
        self._are_floats &= are_floats
        fits = (
            self._dtype == part.dtype
            or (self._dtype == "float" and are_floats)
            or (self._dtype == "uint" and part.dtype == "int" and min(part.values) >= 0)
        )
        return self._dtype if fits else "other"


#: `number`: integers among floats, all of which can be floats. They are kept as they are until the whole column is
#: known to be numbers.
FragmentDType: TypeAlias = DType | Literal["number"]


@dataclass(slots=True)
class Fragment:
    """Some cells of a column; fields as in `Column`, except that numbers and booleans may be a `memoryview` of any."""

    rows: int
    dtype: FragmentDType | None  # None where all are missing
    values: Any
    missing: bytearray | None

    def part(self, begin: int, end: int) -> Fragment:
        """Give the cells between two of these."""
        if end - begin == self.rows:
            return self
        missing = None if self.missing is None else self.missing[begin:end]
        if missing is not None and 0 not in missing:
            return Fragment(end - begin, None, None, missing)
        if missing is not None and 1 not in missing:
            missing = None
        return Fragment(end - begin, self.dtype, None if self.dtype is None else self.values[begin:end], missing)

    def cells(self) -> list[Any]:
        """Give the cells as Python has them, None where they are missing."""
        if self.dtype is None:
            return [None] * self.rows
        if self.dtype == "number":
            return list(self.values)
        return Column("", self.dtype, self.values, self.missing).cells()


_DTYPES: Final[dict[type, DType]] = {int: "int", float: "float", bool: "bool", str: "str"}
#: Makes the values of a dtype out of a list, or nothing; arrays are made of lists much faster than of anything else.
_PACK: Final[dict[FragmentDType, Callable[[list[Any]], Any]]] = {
    "int": partial(array, "q"),
    "uint": partial(array, "Q"),
    "float": partial(array, "d"),
    "bool": bytearray,
    "str": list,
    "number": list,
    "other": list,
}
#: What stands in for missing cells; for others it is None.
_FILLERS: Final[dict[FragmentDType, Any]] = {"int": 0, "uint": 0, "float": float("nan"), "bool": False}


def _make_fragment(cells: list[Any]) -> Fragment:
    kinds = set(map(type, cells))
    missing = None
    if type(None) in kinds:
        kinds.discard(type(None))
        missing = bytearray(map(is_, cells, repeat(None)))
    if not kinds:
        return Fragment(len(cells), None, None, missing)
    dtype: FragmentDType = "other"
    if len(kinds) == 1:
        dtype = _DTYPES.get(kinds.pop(), "other")
    elif kinds == {int, float} and all(type(cell) is not int or _is_float(cell) for cell in cells):
        dtype = "number"
    filler = _FILLERS.get(dtype)
    if missing is not None and filler is not None:
        cells = [filler if cell is None else cell for cell in cells]
    if dtype == "int":
        dtype = _integer_dtype(cells)
    return Fragment(len(cells), dtype, _PACK[dtype](cells), missing)


def _integer_dtype(cells: list[int]) -> DType:
    low, high = min(cells), max(cells)
    if low >= -(1 << 63) and high < 1 << 63:
        return "int"
    return "uint" if low >= 0 and high < 1 << 64 else "other"


def _common_dtype(fragments: Sequence[Fragment]) -> DType:
    kinds = {fragment.dtype for fragment in fragments if fragment.dtype is not None}
    if not kinds or kinds == {"number"}:
        return "float"
    if len(kinds) == 1:
        return cast("DType", kinds.pop())
    integers = [fragment.values for fragment in fragments if fragment.dtype in {"int", "uint"}]
    if kinds == {"int", "uint"}:
        return "uint" if min(map(min, integers)) >= 0 else "other"
    if kinds <= {"int", "uint", "float", "number"} and all(map(_are_floats, integers)):
        return "float"
    return "other"


def _are_floats(integers: array[int]) -> bool:
    if min(integers) >= -(1 << 53) and max(integers) <= 1 << 53:
        return True
    return all(map(_is_float, integers))


def _is_float(integer: int) -> bool:
    """Say whether the server can have meant a float by this integer: in JSON it prints 1e19 with all its zeros."""
    return abs(integer) <= 1 << 53 or int(Decimal(repr(float(integer)))) == integer


def _joined(fragments: Sequence[Fragment], dtype: DType) -> Any:
    """Put the values of fragments together, as those of a column of this dtype."""
    if dtype == "str" and all(isinstance(fragment.values, DictionaryStrings | None) for fragment in fragments):
        parts = (
            _missing_strings(fragment.rows) if fragment.values is None else fragment.values.parts
            for fragment in fragments
        )
        return DictionaryStrings(list(chain.from_iterable(parts)))
    values = _PACK[dtype]([])
    for fragment in fragments:
        if fragment.dtype != dtype:
            cells = fragment.cells()
            values += _PACK[dtype]([_FILLERS.get(dtype) if cell is None else cell for cell in cells])
        elif isinstance(fragment.values, memoryview):
            values.extend(fragment.values) if dtype == "bool" else values.frombytes(fragment.values.cast("B"))
        else:
            values += fragment.values
    return values


def _missing_strings(rows: int) -> list[tuple[list[str | None], memoryview]]:
    return [([None], memoryview(bytes(rows * 4)).cast("i"))]
