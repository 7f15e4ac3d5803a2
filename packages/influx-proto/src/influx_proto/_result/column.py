"""Typed columns, built from cells without loss of precision.

Cells arrive in portions of any size and are packed regularly, so that only few of them are Python objects at a time.
The dtype of a column is only known at its end. For example, portions of integers and of floats become a column of
floats, if each integer has an exact float.
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

#: `other`: cells of several types, or of a type that InfluxDB does not store. They stay Python objects.
DType = Literal["int", "uint", "float", "bool", "str", "other"]

#: The number of cells to pack at a time.
PACK_SIZE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    dtype: DType
    #: An `array` of `q`, `Q` or `d`, a `bytearray` of 0 and 1 for booleans, a list or `DictionaryStrings` of str and
    #: None, or a list of objects. A missing number is NaN or 0.
    values: Any
    #: 1 for each missing cell, 0 for the others; None if no cell is missing.
    missing: bytearray | None

    def cells(self) -> list[Any]:
        """Return the cells as Python objects, None for missing ones."""
        values = self.values
        if self.dtype == "bool":
            values = memoryview(values).cast("?").tolist()
        if self.missing is None or self.dtype in {"str", "other"}:
            return list(values)
        return [None if missing else value for value, missing in zip(values, self.missing, strict=True)]


class DictionaryStrings:
    """Dictionary-encoded strings, or None. Each part has the distinct values, and the index of each cell into them."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[tuple[list[str | None], memoryview]]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[str | None]:
        return chain.from_iterable(map(distinct.__getitem__, indices) for distinct, indices in self.parts)

    def __getitem__(self, cells: slice) -> DictionaryStrings:
        [(distinct, indices)] = self.parts
        return DictionaryStrings([(distinct, indices[cells])])


class Cells:
    """Collects the cells of a column."""

    def __init__(self) -> None:
        self._cells: list[Any] = []
        self._fragments: list[Fragment] = []
        self._rows = 0

    def extend(self, before: int, cells: Sequence[Any]) -> None:
        """Append cells after `before` rows. Rows without a cell so far are padded with missing cells."""
        self._pad(before)
        self._cells.extend(cells)
        self._rows += len(cells)
        if len(self._cells) >= PACK_SIZE:
            self._pack_cells()

    def add(self, before: int, fragment: Fragment) -> None:
        """Append packed cells; otherwise as `extend`."""
        self._pad(before)
        if self._cells:
            self._pack_cells()
        self._fragments.append(fragment)
        self._rows += fragment.rows

    def finish(self, name: str, rows: int) -> Column:
        """Return the column, padded with missing cells to the number of rows."""
        self._pad(rows)
        if self._cells:
            self._pack_cells()
        fragments, self._fragments = self._fragments, []  # freed before the next column is built
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
        self._fragments.append(make_fragment(cells))


class StableDType:
    """Keeps the dtype of a column that arrives in parts, starting with its first value.

    The parts can then be concatenated without loss: an integer without an exact float is not converted to a float.
    """

    def __init__(self) -> None:
        self._dtype: DType | None = None
        self._are_floats = True  # whether all integers so far have exact floats

    def unify(self, part: Column) -> Column:
        """Convert a part to the dtype of the parts before it, or to `other` if its values do not fit that dtype."""
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


#: `number`: integers and floats, where each integer has an exact float. They stay Python objects until the dtype of the
#: whole column is known.
FragmentDType: TypeAlias = DType | Literal["number"]


@dataclass(slots=True)
class Fragment:
    """A part of a column. Fields as in `Column`, but numbers and booleans may also be a `memoryview` of any format."""

    rows: int
    dtype: FragmentDType | None  # None if all cells are missing
    values: Any
    missing: bytearray | None

    def part(self, begin: int, end: int) -> Fragment:
        """Return the cells from `begin` to `end`, exclusive."""
        if end - begin == self.rows:
            return self
        missing = None if self.missing is None else self.missing[begin:end]
        if missing is not None and 0 not in missing:
            return Fragment(end - begin, None, None, missing)
        if missing is not None and 1 not in missing:
            missing = None
        return Fragment(end - begin, self.dtype, None if self.dtype is None else self.values[begin:end], missing)

    def cells(self) -> list[Any]:
        """Return the cells as Python objects, None for missing ones."""
        if self.dtype is None:
            return [None] * self.rows
        if self.dtype == "number":
            return list(self.values)
        return Column("", self.dtype, self.values, self.missing).cells()


_DTYPES: Final[dict[type, DType]] = {int: "int", float: "float", bool: "bool", str: "str"}
#: Functions that create the values of a dtype from a list, which is the fastest source of an array.
_PACK: Final[dict[FragmentDType, Callable[[list[Any]], Any]]] = {
    "int": partial(array, "q"),
    "uint": partial(array, "Q"),
    "float": partial(array, "d"),
    "bool": bytearray,
    "str": list,
    "number": list,
    "other": list,
}
#: Placeholder values of missing cells; None for other dtypes.
_FILLERS: Final[dict[FragmentDType, Any]] = {"int": 0, "uint": 0, "float": float("nan"), "bool": False}


def make_fragment(cells: list[Any]) -> Fragment:
    """Pack cells, None for missing ones."""
    types = set(map(type, cells))
    missing = None
    if type(None) in types:
        types.discard(type(None))
        missing = bytearray(map(is_, cells, repeat(None)))
    if not types:
        return Fragment(len(cells), None, None, missing)
    dtype: FragmentDType = "other"
    if len(types) == 1:
        dtype = _DTYPES.get(types.pop(), "other")
    elif types == {int, float} and all(type(cell) is not int or _is_float(cell) for cell in cells):
        dtype = "number"
    try:
        return _packed(cells, dtype, missing)
    except OverflowError:  # integers beyond int64
        return _packed(cells, _integer_dtype(cells), missing)


def _packed(cells: list[Any], dtype: FragmentDType, missing: bytearray | None) -> Fragment:
    filler = _FILLERS.get(dtype)
    if missing is not None and filler is not None:
        cells = [filler if cell is None else cell for cell in cells]
    return Fragment(len(cells), dtype, _PACK[dtype](cells), missing)


def _integer_dtype(cells: list[int | None]) -> DType:
    integers = [cell for cell in cells if cell is not None]
    low, high = min(integers), max(integers)
    if low >= -(1 << 63) and high < 1 << 63:
        return "int"
    return "uint" if low >= 0 and high < 1 << 64 else "other"


def _common_dtype(fragments: Sequence[Fragment]) -> DType:
    dtypes = {fragment.dtype for fragment in fragments if fragment.dtype is not None}
    if not dtypes or dtypes == {"number"}:
        return "float"
    if len(dtypes) == 1:
        return cast("DType", dtypes.pop())
    integers = [fragment.values for fragment in fragments if fragment.dtype in {"int", "uint"}]
    if dtypes == {"int", "uint"}:
        return "uint" if min(map(min, integers)) >= 0 else "other"
    if dtypes <= {"int", "uint", "float", "number"} and all(map(_are_floats, integers)):
        return "float"
    return "other"


def _are_floats(integers: array[int]) -> bool:
    if min(integers) >= -(1 << 53) and max(integers) <= 1 << 53:
        return True
    return all(map(_is_float, integers))


def _is_float(integer: int) -> bool:
    """Return whether an integer may be a float of the server, which prints 1e19 with all its zeros in JSON."""
    return abs(integer) <= 1 << 53 or int(Decimal(repr(float(integer)))) == integer


def _joined(fragments: Sequence[Fragment], dtype: DType) -> Any:
    """Concatenate the values of fragments, converted to a dtype."""
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
