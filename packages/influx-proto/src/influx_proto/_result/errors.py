"""The error of a failed query, with the results before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import ResponseError

if TYPE_CHECKING:
    from .result import QueryResult


class QueryError(ResponseError):
    """A query, or one statement of it, failed."""

    #: Which statement of the query failed, counted from 0; None where the query was refused as a whole.
    statement_id: int | None = None
    #: The results of the statements before it; None where DataFrames or objects were to be made of them.
    partial_result: QueryResult | None = None

    def __str__(self) -> str:
        # Of a single statement the answer tells within a success, and its status would say nothing.
        return super().__str__() if self.statement_id is None else f"{self.message} (statement {self.statement_id})"
