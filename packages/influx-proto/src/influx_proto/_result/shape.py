"""The shape of query results, as InfluxDB's JSON has it: which entries belong together, and which rows do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .._errors import ProtocolError


class Chunk(Protocol):
    """A query result, or a part of one that arrived on its own: `chunk["results"]`, and the unit of its times."""

    @property
    def epoch(self) -> str | None:
        """The unit of the times, which are integers; None where they are RFC 3339 text."""
        ...

    def __getitem__(self, key: str, /) -> Any:
        """Return `results`, a list with an entry for each statement."""
        ...


def same_statement(before: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Say whether an entry of `results` goes on with the statement of the entry before it, `{}` where there is none.

    Not by `partial` where statements are numbered: SHOW TAG KEYS comes as an entry a measurement without it.
    """
    if "statement_id" in part:
        return bool(before.get("statement_id") == part["statement_id"])
    return bool(before.get("partial"))


def misshapen(series: str, columns: Sequence[str]) -> ProtocolError:
    """Make the error for a row that does not fit the columns of its series."""
    return ProtocolError(
        f"not the shape of an InfluxDB answer: series {series!r} has a row without a cell for each of its columns "
        f"{list(columns)!r}"
    )
