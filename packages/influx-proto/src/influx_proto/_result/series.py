"""The series of a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, SupportsIndex, overload


@dataclass(frozen=True, slots=True)
class Series:
    """The rows of a statement with the same measurement and the same tags of `GROUP BY`."""

    #: The measurement; empty for statements without one, such as `SHOW USERS`.
    name: str
    #: The tags of `GROUP BY`; a missing tag is `""`.
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    #: A list for each row, in the order of `columns`.
    values: list[list[Any]] = field(repr=False)
    #: The index of the statement, counted from 0.
    statement_id: int = 0


class SeriesList(list[Series]):
    """The series of a result. `series["cpu"]` is the list of those of the measurement `cpu`."""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Series: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[Series]: ...
    @overload
    def __getitem__(self, index: str, /) -> SeriesList: ...
    def __getitem__(self, index: SupportsIndex | slice | str, /) -> Series | list[Series]:
        """Return the series at an index, those of a slice, or those of a measurement.

        Raises:
            KeyError: the result has no series of the measurement.
            IndexError: there are fewer series.
        """
        if not isinstance(index, str):
            return super().__getitem__(index)
        found = SeriesList(series for series in self if series.name == index)
        if not found:
            names = ", ".join(map(repr, dict.fromkeys(series.name for series in self))) or "none"
            raise KeyError(f"no series of measurement {index!r}; measurements of the result: {names}")
        return found
