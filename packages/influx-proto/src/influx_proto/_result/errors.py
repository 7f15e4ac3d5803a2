"""The error of a failed query, with the results before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import (
    AuthenticationError,
    AuthorizationError,
    DatabaseNotFound,
    RateLimited,
    ResponseError,
    ServerUnavailable,
)

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


# Every error response to a query is also a `QueryError`.


class QueryErrorAuthenticationError(QueryError, AuthenticationError):
    """A query failed: the credentials are missing or wrong."""


class QueryErrorAuthorizationError(QueryError, AuthorizationError):
    """A query failed: the credentials do not allow it."""


class QueryErrorDatabaseNotFound(QueryError, DatabaseNotFound):
    """A query failed: the database does not exist."""


class QueryErrorRateLimited(QueryError, RateLimited):
    """A query failed: the server asks for fewer requests."""


class QueryErrorServerUnavailable(QueryError, ServerUnavailable):
    """A query failed: the server is unavailable."""


QueryError.combined = {
    AuthenticationError: QueryErrorAuthenticationError,
    AuthorizationError: QueryErrorAuthorizationError,
    DatabaseNotFound: QueryErrorDatabaseNotFound,
    RateLimited: QueryErrorRateLimited,
    ServerUnavailable: QueryErrorServerUnavailable,
}
