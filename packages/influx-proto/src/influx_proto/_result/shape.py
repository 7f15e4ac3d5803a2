"""The structure of query results in InfluxDB's JSON: which entries belong together, and which rows are malformed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .._errors import ProtocolError


class Chunk(Protocol):
    """A query result or a chunk of one: `chunk["results"]`, and the unit of its timestamps."""

    @property
    def epoch(self) -> str | None:
        """The unit of integer timestamps; None if timestamps are strings in RFC 3339 format."""
        ...

    def __getitem__(self, key: str, /) -> Any:
        """Return `results`, a list with an entry for each statement."""
        ...


def same_statement(before: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Return whether an entry of `results` continues the statement of the entry before it (`{}` for the first entry).

    `partial` does not decide if there are statement ids: SHOW TAG KEYS has an entry per measurement without `partial`.
    """
    if "statement_id" in part:
        return bool(before.get("statement_id") == part["statement_id"])
    return bool(before.get("partial"))


def malformed_row(series: str, columns: Sequence[str]) -> ProtocolError:
    """Return the error for a row that does not match the columns of its series."""
    return ProtocolError(
        f"not an InfluxDB response: series {series!r} has a row that does not match its columns {list(columns)!r}"
    )
