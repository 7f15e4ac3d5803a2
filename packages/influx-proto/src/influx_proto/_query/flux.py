"""Queries in Flux, for InfluxDB 2.x, and 1.8 and later where it is enabled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from .._checks import check_str, given_params
from .._http.messages import Repeat, Request, add_params
from .._http.timeout import Timeout, as_timeout
from .._result.result import QueryResult
from .._runtime.op import Op
from .params import flux_params
from .response import WholeResult

#: Annotations must be requested: without them the response has no types.
_DIALECT: Final = {"header": True, "annotations": ["datatype", "group", "default"]}

#: Words with which a query may write: the functions `to` and `wideTo` under any name, and packages, except those that
#: certainly only compute.
_MAY_WRITE: Final = re.compile(
    r"\b(?:to|wideTo)\b|\bimport\b(?!\s+(?:[A-Za-z_]\w*\s+)?"
    r'"(?:array|date|dict|internal/debug|join|json|math|regexp|runtime|sampledata|strings|timezone|types'
    r'|influxdata/influxdb(?:/schema|/sample)?)")'
)


def query_flux(
    q: str,
    *,
    org: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: float | Timeout | None = None,
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
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        TypeError: a parameter has an unsupported type.
        QueryError: the server rejects the script, the script fails, or the server has no Flux. Its `partial_result`
            holds the tables before the error.
        AuthenticationError: the credentials are invalid or do not permit the query.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    request = flux_request(q, org=org, params=params)
    return Op(request, partial(WholeResult, epoch="ns", language="flux"), as_timeout(timeout))


def flux_request(q: str, *, org: str | None, params: Mapping[str, object] | None) -> Request:
    """Return the request of a Flux query. It is repeated only if the script certainly writes nothing."""
    if not check_str("q", q).strip():
        msg = "q: the query is empty"
        raise ValueError(msg)
    body: dict[str, object] = {"query": q, "type": "flux", "dialect": _DIALECT}
    if params:
        body["extern"] = flux_params(params)
    return Request(
        "POST",
        add_params("/api/v2/query", given_params(org=org)),
        (("Content-Type", "application/json"),),
        msgspec.json.encode(body),
        repeat=Repeat.NEVER if _MAY_WRITE.search(q) else Repeat.ALWAYS,
        wants_org=org is None,
    )
