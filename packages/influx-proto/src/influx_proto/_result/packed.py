"""Rows that are kept as columns: what is made of an answer with many rows without an object for each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from .column import Fragment


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows(Sequence[list[Any]]):
    """Some rows of a block that is kept as columns; as a sequence they are lists, made when they are asked for."""

    #: The columns of all rows that were read together, be they of one series or of several.
    block: Sequence[Fragment]
    #: Which rows of the block these are: from here on, and to here.
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    @overload
    def __getitem__(self, index: int) -> list[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Any]]: ...
    def __getitem__(self, index: int | slice) -> list[Any]:
        return list(self)[index]

    def __iter__(self) -> Iterator[list[Any]]:
        return map(list, zip(*[fragment.cells() for fragment in self.columns()], strict=True))

    def columns(self) -> list[Fragment]:
        """Give the columns of these rows."""
        return [fragment.part(self.begin, self.end) for fragment in self.block]

    def joined(self, following: object) -> PackedRows | None:
        """Give these rows and those following as one, if they stand one behind the other in a block."""
        if isinstance(following, PackedRows) and following.block is self.block and following.begin == self.end:
            return PackedRows(self.block, self.begin, following.end)
        return None
