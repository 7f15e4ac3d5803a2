"""Queries in Flux, for InfluxDB 2.x, and 1.8 and later where it is enabled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from .._http.timeout import TimeoutLike, as_timeout
from .._result.result import QueryResult
from .._runtime.op import Op
from .request import flux_request
from .response import WholeResult


def query_flux(
    q: str,
    *,
    org: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[QueryResult]:
    """Execute a query in Flux and return its result: one series for each table, one statement for each `yield`.

    The strings of the group key are the tags of a series, and `_measurement` is its name. The column `_time` is called
    `time` and is the first one, in integer nanoseconds since 1970. An empty string is None: Flux does not distinguish
    them. `query_points`, `query_dataframe` and the other queries accept `language="flux"`. InfluxDB 2.x, or 1.8 and
    later with `flux-enabled = true`.

    Args:
        q: the Flux script.
        org: the organization; None for the client's. InfluxDB 1.x ignores it.
        params: the values of variables in the script, `name` without a dollar: str, bool, numbers, Enum members, times,
            timedelta, `re.Pattern`, and lists of them. Pass user input here instead of formatting it into `q`.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        TypeError: a parameter has an unsupported type.
        QueryError: the server rejects the script, the script fails, or the server has no Flux. Its `partial_result`
            holds the tables before the error.
        AuthenticationError: the credentials are invalid or do not permit the query.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    request = flux_request(q, org=org, params=params)
    return Op(request, partial(WholeResult, epoch="ns", language="flux"), as_timeout(timeout))
