"""Requests of queries, in each language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from .._checks import check_choice, check_limit, check_optional_str, check_str, given_params
from .._http.messages import Repeat, Request, add_params, encode_params
from .._influxql.bind import encode_bind_parameters
from .._influxql.classify import is_about_diagnostics, is_empty, is_read
from .._time import wire_precision

Language: TypeAlias = Literal["influxql", "sql", "flux"]
ResponseFormat: TypeAlias = Literal["msgpack", "json", "csv"]

#: A query with a longer URL is sent as a form body: many proxies reject URLs above 8 KiB, some above 2 KiB.
_MAX_URL = 2000

#: A single media type without parameters, since InfluxDB up to 1.7 and 3 compare the whole header.
_ACCEPT: Final = {"msgpack": "application/x-msgpack", "json": "application/json", "csv": "application/csv"}

#: The default number of rows of a chunk, with which influxd is fastest.
_CHUNK_ROWS = 10_000

#: Annotations must be requested: without them the response has no types.
_DIALECT: Final = {"header": True, "annotations": ["datatype", "group", "default"]}

#: Words with which a query may write: the functions `to` and `wideTo` under any name, and packages, except those that
#: certainly only compute.
_MAY_WRITE: Final = re.compile(
    r"\b(?:to|wideTo)\b|\bimport\b(?!\s+(?:[A-Za-z_]\w*\s+)?"
    r'"(?:array|date|dict|join|json|math|regexp|runtime|sampledata|strings|timezone|types'
    r'|influxdata/influxdb(?:/schema|/sample|/v1)?)")'
)


def query_request(
    language: Language,
    q: str,
    *,
    db: str | None,
    rp: str | None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None,
    chunk_size: int | None = None,
    response_format: ResponseFormat,
) -> Request:
    """Return the request of a query.

    Raises:
        ValueError: an argument has an invalid value, or the language does not have this argument.
        TypeError: an argument has the wrong type.
    """
    check_choice("language", language, ("influxql", "sql", "flux"))
    if language == "influxql":
        return _influxql_request(
            q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=chunk_size, response_format=response_format
        )
    check_limit("chunk_size", chunk_size)
    for name, is_given in (("rp", rp is not None), ("epoch", epoch != "ns"), ("format", response_format != "msgpack")):
        if is_given:
            raise ValueError(f"{name}: only InfluxQL has it; remove it, or pass language='influxql'")
    if language == "sql":
        return sql_request(q, db=db, params=params)
    if db is not None:
        raise ValueError('db: a Flux query names its bucket itself, as in from(bucket: "b"); remove it')
    return flux_request(q, org=None, params=params)


def _influxql_request(
    q: str,
    *,
    db: str | None,
    rp: str | None,
    epoch: str | None,
    params: Mapping[str, object] | None,
    chunk_size: int | None,
    response_format: ResponseFormat,
) -> Request:
    check_choice("format", response_format, _ACCEPT)
    if is_empty(check_str("q", q)):
        raise ValueError("q: the query is empty")
    # Always request chunks: influxd streams them much faster than it builds one document, and marks the end of each
    # statement.
    url_params = [("chunked", "true"), ("chunk_size", str(check_limit("chunk_size", chunk_size) or _CHUNK_ROWS))]
    if epoch is not None:
        url_params.append(("epoch", wire_precision(epoch, "epoch")))
    url_params += given_params(db=db, rp=rp)
    bind_params = encode_bind_parameters(params) if params else None
    # Queries with parameters rarely repeat, and large ones would fill the memory.
    encode = _encode_statement if params or len(q) > _MAX_URL else _encode_repeated
    parts = encode(q, tuple(url_params), response_format, bind_params)
    return Request(*parts, wants_db=db is None)  # not cached, since callers can change it


def _encode_statement(
    q: str, url_params: tuple[tuple[str, str], ...], response_format: ResponseFormat, bind_params: str | None
) -> tuple[str, str, tuple[tuple[str, str], ...], bytes, Repeat]:
    """Return the method, target, headers, body and repeatability of a query whose arguments are already checked."""
    if response_format == "msgpack" and is_about_diagnostics(q):
        # In MessagePack influxd omits values that are durations, which makes the response unreadable.
        response_format = "json"
    headers: tuple[tuple[str, str], ...] = (("Accept", _ACCEPT[response_format]),)
    statement = given_params(q=q, params=bind_params)
    only_reads = is_read(q)
    repeat = Repeat.ALWAYS if only_reads else Repeat.NEVER
    path = add_params("/query", url_params)
    target = add_params(path, statement)
    if only_reads and len(target) <= _MAX_URL:
        return "GET", target, headers, b"", repeat
    headers = (*headers, ("Content-Type", "application/x-www-form-urlencoded"))
    return "POST", path, headers, encode_params(statement).encode("ascii"), repeat


#: Programs repeat queries, such as those of a dashboard; to classify and encode one takes longer than the rest.
_encode_repeated: Final = lru_cache(maxsize=64)(_encode_statement)


def sql_request(q: str, *, db: str | None, params: Mapping[str, object] | None) -> Request:
    """Return the request of an SQL query. Repeating it is safe, since SQL of InfluxDB 3 only reads."""
    import msgspec  # noqa: PLC0415 - slow to import

    if not check_str("q", q).strip("; \t\r\n"):
        raise ValueError("q: the query is empty")
    if check_optional_str("db", db) == "":
        raise ValueError("db: must not be empty; pass None for the client's database")
    body: dict[str, object] = {"q": q, "format": "jsonl"}
    if db is not None:
        body["db"] = db
    if params:
        from .params import sql_params  # noqa: PLC0415 - only needed with parameters

        body["params"] = sql_params(params)
    headers = (("Content-Type", "application/json"),)
    return Request("POST", "/api/v3/query_sql", headers, msgspec.json.encode(body), wants_db_in_body=db is None)


def flux_request(q: str, *, org: str | None, params: Mapping[str, object] | None) -> Request:
    """Return the request of a Flux query. It is repeated only if the script certainly writes nothing."""
    import msgspec  # noqa: PLC0415 - slow to import

    if not check_str("q", q).strip():
        raise ValueError("q: the query is empty")
    body: dict[str, object] = {"query": q, "type": "flux", "dialect": _DIALECT}
    if params:
        from .params import flux_params  # noqa: PLC0415 - only needed with parameters

        body["extern"] = flux_params(params)
    return Request(
        "POST",
        add_params("/api/v2/query", given_params(org=org)),
        (("Content-Type", "application/json"),),
        msgspec.json.encode(body),
        repeat=Repeat.NEVER if _MAY_WRITE.search(q) else Repeat.ALWAYS,
        wants_org=org is None,
    )
