"""Cells to columns of machine numbers: exact, and of one kind each.

Cells come in any portions and are packed from time to time, so that few of them are Python objects at any moment. What
kind a column is of is known at its end: portions of integers and of floats make one of floats, for example, but only
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
Kind = Literal["int", "uint", "float", "bool", "str", "other"]

#: Cells that are turned into machine numbers at a time.
PACKED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    kind: Kind
    #: `array` of `q`, `Q` or `d`, a `bytearray` of 0 and 1 for booleans, a list or `Texts` of `str` and None, or a list
    #: of anything. What stands in for a missing number is NaN or 0.
    values: Any
    #: 1 where the cell is missing; None where none is.
    missing: bytearray | None

    def cells(self) -> list[Any]:
        """Give the cells as Python has them, None where they are missing."""
        values = self.values
        if self.kind == "bool":
            values = memoryview(values).cast("?").tolist()
        if self.missing is None or self.kind in {"str", "other"}:
            return list(values)
        return [None if missing else value for value, missing in zip(values, self.missing, strict=True)]


class Texts:
    """Strings, or None, that repeat: parts, each the distinct ones and for each cell its place among them."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[tuple[list[str | None], memoryview]]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[str | None]:
        return chain.from_iterable(map(distinct.__getitem__, places) for distinct, places in self.parts)

    def __getitem__(self, cells: slice) -> Texts:
        [(distinct, places)] = self.parts
        return Texts([(distinct, places[cells])])


class Cells:
    """Collects the cells of a column."""

    def __init__(self) -> None:
        self._cells: list[Any] = []
        self._pieces: list[Piece] = []
        self._rows = 0

    def extend(self, before: int, cells: Sequence[Any]) -> None:
        """Take more cells; those of the `before` rows before them that have not come are missing."""
        self._pad(before)
        self._cells.extend(cells)
        self._rows += len(cells)
        if len(self._cells) >= PACKED:
            self._settle()

    def add(self, before: int, piece: Piece) -> None:
        """Take more cells that are packed already; otherwise as `extend`."""
        self._pad(before)
        if self._cells:
            self._settle()
        self._pieces.append(piece)
        self._rows += piece.rows

    def finish(self, name: str, rows: int) -> Column:
        """Give the column; cells that have not come are missing."""
        self._pad(rows)
        if self._cells:
            self._settle()
        pieces, self._pieces = self._pieces, []  # gone when they are together, before the next column's are
        kind = _common_kind(pieces)
        values = _joined(pieces, kind)
        missing = None
        if any(piece.missing for piece in pieces):
            missing = bytearray().join(piece.missing or bytes(piece.rows) for piece in pieces)
        return Column(name, kind, values, missing)

    def _pad(self, rows: int) -> None:
        if self._rows < rows:
            self._cells.extend(repeat(None, rows - self._rows))
            self._rows = rows

    def _settle(self) -> None:
        cells, self._cells = self._cells, []
        self._pieces.append(_piece(cells))


class LastingKind:
    """Keeps the kind of a column that comes in parts, from its first value on.

    Parts can then be put together again: no integer comes to stand among floats that cannot hold it.
    """

    def __init__(self) -> None:
        self._kind: Kind | None = None
        self._are_floats = True  # whether all integers so far have floats of their own

    def applied(self, part: Column) -> Column:
        """Give a part the kind of those before it; `other` where it has values that cannot be of that kind."""
        kind = self._kind_of(part)
        if kind == part.kind:
            return part
        filler = _FILLERS.get(kind)
        return Column(
            part.name, kind, _PACK[kind]([filler if cell is None else cell for cell in part.cells()]), part.missing
        )

    def _kind_of(self, part: Column) -> Kind:
        if part.missing is not None and 0 not in part.missing:
            return self._kind or "other"
        are_floats = part.kind == "float" or (part.kind in {"int", "uint"} and _are_floats(part.values))
        if self._kind is None or (part.kind == "float" and self._kind in {"int", "uint"} and self._are_floats):
            self._kind = part.kind
        self._are_floats &= are_floats
        fits = (
            self._kind == part.kind
            or (self._kind == "float" and are_floats)
            or (self._kind == "uint" and part.kind == "int" and min(part.values) >= 0)
        )
        return self._kind if fits else "other"


#: `number`: integers among floats, all of which can be floats. They are kept as they are until the whole column is
#: known to be numbers.
PieceKind: TypeAlias = Kind | Literal["number"]


@dataclass(slots=True)
class Piece:
    """Some cells of a column; fields as in `Column`, except that numbers and booleans may be a `memoryview` of any."""

    rows: int
    kind: PieceKind | None  # None where all are missing
    values: Any
    missing: bytearray | None

    def part(self, begin: int, end: int) -> Piece:
        """Give the cells between two of these."""
        if end - begin == self.rows:
            return self
        missing = None if self.missing is None else self.missing[begin:end]
        if missing is not None and 0 not in missing:
            return Piece(end - begin, None, None, missing)
        if missing is not None and 1 not in missing:
            missing = None
        return Piece(end - begin, self.kind, None if self.kind is None else self.values[begin:end], missing)

    def cells(self) -> list[Any]:
        """Give the cells as Python has them, None where they are missing."""
        if self.kind is None:
            return [None] * self.rows
        if self.kind == "number":
            return list(self.values)
        return Column("", self.kind, self.values, self.missing).cells()


_KINDS: Final[dict[type, Kind]] = {int: "int", float: "float", bool: "bool", str: "str"}
#: Makes the values of a kind out of a list, or nothing; arrays are made of lists much faster than of anything else.
_PACK: Final[dict[PieceKind, Callable[[list[Any]], Any]]] = {
    "int": partial(array, "q"),
    "uint": partial(array, "Q"),
    "float": partial(array, "d"),
    "bool": bytearray,
    "str": list,
    "number": list,
    "other": list,
}
#: What stands in for missing cells; for others it is None.
_FILLERS: Final[dict[PieceKind, Any]] = {"int": 0, "uint": 0, "float": float("nan"), "bool": False}


def _piece(cells: list[Any]) -> Piece:
    kinds = set(map(type, cells))
    missing = None
    if type(None) in kinds:
        kinds.discard(type(None))
        missing = bytearray(map(is_, cells, repeat(None)))
    if not kinds:
        return Piece(len(cells), None, None, missing)
    kind: PieceKind = "other"
    if len(kinds) == 1:
        kind = _KINDS.get(kinds.pop(), "other")
    elif kinds == {int, float} and all(type(cell) is not int or _is_float(cell) for cell in cells):
        kind = "number"
    filler = _FILLERS.get(kind)
    if missing is not None and filler is not None:
        cells = [filler if cell is None else cell for cell in cells]
    if kind == "int":
        kind = _kind_of_integers(cells)
    return Piece(len(cells), kind, _PACK[kind](cells), missing)


def _kind_of_integers(cells: list[int]) -> Kind:
    low, high = min(cells), max(cells)
    if low >= -(1 << 63) and high < 1 << 63:
        return "int"
    return "uint" if low >= 0 and high < 1 << 64 else "other"


def _common_kind(pieces: Sequence[Piece]) -> Kind:
    kinds = {piece.kind for piece in pieces if piece.kind is not None}
    if not kinds or kinds == {"number"}:
        return "float"
    if len(kinds) == 1:
        return cast("Kind", kinds.pop())
    integers = [piece.values for piece in pieces if piece.kind in {"int", "uint"}]
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


def _joined(pieces: Sequence[Piece], kind: Kind) -> Any:
    """Put the values of pieces together, as those of a column of this kind."""
    if kind == "str" and all(isinstance(piece.values, Texts | None) for piece in pieces):
        parts = (_no_texts(piece.rows) if piece.values is None else piece.values.parts for piece in pieces)
        return Texts(list(chain.from_iterable(parts)))
    values = _PACK[kind]([])
    for piece in pieces:
        if piece.kind != kind:
            cells = piece.cells()
            values += _PACK[kind]([_FILLERS.get(kind) if cell is None else cell for cell in cells])
        elif isinstance(piece.values, memoryview):
            values.extend(piece.values) if kind == "bool" else values.frombytes(piece.values.cast("B"))
        else:
            values += piece.values
    return values


def _no_texts(rows: int) -> list[tuple[list[str | None], memoryview]]:
    return [([None], memoryview(bytes(rows * 4)).cast("i"))]
