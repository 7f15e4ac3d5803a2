"""Rows that are stored as columns, to avoid an object for each cell of a large result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from .column import Fragment


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows(Sequence[list[Any]]):
    """A range of rows of a block of columns. As a sequence its items are lists, created on access."""

    #: The columns of all rows that were decoded together, of one or more series.
    block: Sequence[Fragment]
    #: The range of rows in the block; `end` is exclusive.
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
        """Return the columns of these rows."""
        return [fragment.part(self.begin, self.end) for fragment in self.block]

    def joined(self, following: object) -> PackedRows | None:
        """Return these and the following rows as one range, or None if they are not adjacent in the same block."""
        if isinstance(following, PackedRows) and following.block is self.block and following.begin == self.end:
            return PackedRows(self.block, self.begin, following.end)
        return None
