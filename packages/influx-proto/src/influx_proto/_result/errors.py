"""The error of a failed query, with the results before it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._errors import ResponseError, define_combined

if TYPE_CHECKING:
    from .result import QueryResult


class QueryError(ResponseError):
    """A query, or one statement of it, failed."""

    #: The index of the failed statement, counted from 0; None if the server rejected the whole query.
    statement_id: int | None = None
    #: The results before the error; None for queries that return DataFrames or objects, and for streams.
    partial_result: QueryResult | None = None

    def __str__(self) -> str:
        # An error within a result arrives with status 200, which would be misleading in the message.
        if self.statement_id is not None:
            return f"{self.message} (statement {self.statement_id})"
        return self.message if self.status == 200 else super().__str__()


class QueryTooLarge(QueryError):
    """The query reads more files or partitions than the server allows; query a shorter time range."""


define_combined(QueryError, globals())
QueryError.by_message = (
    (re.compile(r"exceed(?:ing)?(?: the)? file limit|would process more than \d+ partitions"), QueryTooLarge),
)
