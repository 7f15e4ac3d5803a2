"""Builders of queries, one for each form of the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .._http.messages import Headers
from .._http.timeout import TimeoutLike, as_timeout
from .._influxql.classify import statement_count
from .._result.result import QueryResult
from .._runtime.op import Decoder, FlatMap, Op
from .._runtime.stream import StreamOp
from .request import Language, ResponseFormat, flux_request, query_request, sql_request
from .response import ChunkCollector, Expected, WholeResult, chunk_decoder, split_rows

if TYPE_CHECKING:
    import pandas as pd

#: A forward reference, so that importing this module does not import pandas.
DataFrame: TypeAlias = "pd.DataFrame"

T = TypeVar("T")


def query(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the common name
    timeout: TimeoutLike | None = None,
) -> Op[QueryResult]:
    """Execute a query and return its result.

    Args:
        q: one or more InfluxQL statements, separated by semicolons.
        db: the default database of the query; None for the client's database.
        rp: the default retention policy of the query; None for the database's default.
        epoch: the unit of the timestamps in the result, which are integers: `ns`, `u`, `ms`, `s`, `m` or `h`; None for
            strings in RFC 3339 format.
        params: bind parameters, the values for `$name` in the query: str, numbers, bool, times and more, see
            `influxql.encode_bind_parameters`. Pass user input here instead of formatting it into `q`.
        format: the response format to request: `msgpack` preserves all types and is the fastest; `json` cannot
            distinguish whole floats from integers; `csv` hides errors of single statements. A response in another of
            these formats is also accepted. InfluxDB 3 does not send this MessagePack: the client then requests JSON, in
            which `82.0` arrives as `82`. There, `query_sql` keeps the types.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        QueryError: the server rejects the query or one of its statements. Its `partial_result` holds the results
            before the error.
        DatabaseNotFound: the database does not exist.
        AuthenticationError: the credentials are invalid or do not permit the query.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    request = query_request("influxql", q, db=db, rp=rp, epoch=epoch, params=params, response_format=format)
    return Op(request, partial(WholeResult, Expected("influxql", epoch, statement_count(q))), as_timeout(timeout))


def query_sql(
    q: str,
    *,
    db: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[QueryResult]:
    """Execute a query in SQL and return its result: one series without a name or tags. InfluxDB 3 Core or Enterprise.

    The column `time` is the first one, in integer nanoseconds since 1970, and becomes the index of a DataFrame. Give
    other timestamps this name (`date_bin(...) AS time`); otherwise they are strings, in UTC without a zone. Integers
    and floats keep their types. `query_points`, `query_dataframe` and the other queries accept `language="sql"`.

    Args:
        q: one SQL statement.
        db: the database of the query; None for the client's database, or else its bucket.
        params: the values for `$name` in the query: None, str, bool, numbers, Enum members and times. The server binds
            a time as a string in RFC 3339 format. Pass user input here instead of formatting it into `q`.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ValueError: the query is empty, or neither the call nor the client has a database; it is not sent.
        TypeError: a parameter has an unsupported type.
        QueryError: the server rejects the query, or has no SQL.
        QueryTooLarge: the query reads more files than the server allows; query a shorter time range.
        DatabaseNotFound: the database does not exist.
        AuthenticationError: the credentials are invalid or do not permit the query.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    request = sql_request(q, db=db, params=params)
    return Op(request, partial(WholeResult, _expected("sql", q)), as_timeout(timeout))


def query_flux(
    q: str,
    *,
    org: str | None = None,
    params: Mapping[str, object] | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[QueryResult]:
    """Execute a query in Flux and return its result: one series for each table, one statement for each `yield`.

    The strings and timestamps of the group key are the tags of a series, and `_measurement` is its name. The column
    `_time` is called `time` and is the first one, in integer nanoseconds since 1970. An empty string is None: Flux does
    not distinguish them. `query_points`, `query_dataframe` and the other queries accept `language="flux"`. InfluxDB
    2.x, or 1.8 and later with `flux-enabled = true`.

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
    return Op(request, partial(WholeResult, _expected("flux", q)), as_timeout(timeout))


def query_chunks(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
    chunk_size: int | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the common name
    language: Language = "influxql",
    timeout: TimeoutLike | None = None,
) -> StreamOp[QueryResult]:
    """Execute a query and stream its result in chunks: `with client.query_chunks(q) as chunks: ...`.

    Each chunk has rows of one series, at most `chunk_size`. Memory use is bounded by the size of a chunk. Exiting the
    `with` block early ends the query on the server.

    `language` is the language of `q`: `influxql`; `sql` on InfluxDB 3, see `query_sql`; `flux` on InfluxDB 2.x, see
    `query_flux`. SQL and Flux have no `rp`, `epoch` or `format`, and Flux no `db`. The other arguments are those of
    `query`.

    Raises:
        QueryError: as `query`, after the chunks before the error.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    request = query_request(
        language, q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=chunk_size, response_format=format
    )
    return StreamOp(request, partial(_limited_decoder, _expected(language, q, epoch), chunk_size), as_timeout(timeout))


def query_points(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
    chunk_size: int | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the common name
    language: Language = "influxql",
    timeout: TimeoutLike | None = None,
) -> StreamOp[dict[str, Any]]:
    """Execute a query and stream its points: `with client.query_points(q) as points: ...`.

    Each point is a dict of columns and group tags. At most `chunk_size` rows are held in memory. The other arguments
    are those of `query_chunks`.

    Raises:
        QueryError: as `query`, after the points before the error.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    chunks = query_chunks(
        q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=chunk_size, format=format, language=language,
        timeout=timeout,
    )  # fmt: skip

    def decoder(status: int, headers: Headers) -> Decoder[dict[str, Any]]:
        return FlatMap(chunks.decoder(status, headers), QueryResult.points)

    return StreamOp(chunks.request, decoder, chunks.timeout)


def query_dataframe(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    measurement_column: bool | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the common name
    language: Language = "influxql",
    timeout: TimeoutLike | None = None,
) -> Op[DataFrame]:
    """Execute a query of one statement and return its result as a pandas DataFrame; see `QueryResult.to_pandas`.

    `measurement_column` says whether to add a column `measurement`; None adds it if there are several measurements.
    The other arguments are those of `query` and, for `language`, of `query_chunks`.

    Raises:
        ValueError: the query has several statements; it is not sent. Use `query_dataframes`.
        QueryError: as `query`.
        ProtocolError: as `query`.
        ImportError: pandas is not installed.
    """
    _check_pandas()
    request = query_request(language, q, db=db, rp=rp, params=params, response_format=format)
    if language == "influxql":
        _check_single_statement(statement_count(q))
    receiver = partial(_frame_receiver, _expected(language, q), measurement_column, _only_frame)
    return Op(request, receiver, as_timeout(timeout))


def query_dataframes(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    measurement_column: bool | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the common name
    language: Language = "influxql",
    timeout: TimeoutLike | None = None,
) -> Op[list[DataFrame]]:
    """Execute a query and return a pandas DataFrame for each of its statements; otherwise as `query_dataframe`."""
    _check_pandas()
    request = query_request(language, q, db=db, rp=rp, params=params, response_format=format)
    receiver = partial(_frame_receiver, _expected(language, q), measurement_column, list)
    return Op(request, receiver, as_timeout(timeout))


def query_dataframe_chunks(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    chunk_size: int | None = None,
    measurement_column: bool | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the common name
    language: Language = "influxql",
    timeout: TimeoutLike | None = None,
) -> StreamOp[DataFrame]:
    """Execute a query and stream its result as pandas DataFrames, one per chunk; see `query_chunks`.

    The frames of a statement can be concatenated. A column keeps its type in all frames, always a nullable one:
    `Int64`, `UInt64`, `float64`, `boolean` or strings. It is `object` in frames before its first value, and in frames
    with values of another type.
    """
    _check_pandas()
    request = query_request(language, q, db=db, rp=rp, params=params, chunk_size=chunk_size, response_format=format)
    decoder = partial(_chunk_frame_decoder, _expected(language, q), chunk_size, measurement_column)
    return StreamOp(request, decoder, as_timeout(timeout))


def query_as(
    cls: type[T],
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the common name
    language: Language = "influxql",
    timeout: TimeoutLike | None = None,
) -> Op[list[T]]:
    """Execute a query and return an object for each row, equal to the object that was written.

    The annotation of an attribute decides about missing values. `X | None` is None. Otherwise a null is an error, and
    the default of the constructor applies only if the result has neither a column nor a group tag for the attribute.

    `cls` is a class decorated with `@lineprotocol`. An attribute is read from the column or group tag with its name.
    The other arguments are those of `query` and, for `language`, of `query_chunks`.

    Raises:
        SchemaError: the class is not decorated, or its objects cannot be created from rows.
        SerializationError: a row has no value for an attribute, or a value of another type.
        QueryError: as `query`.
        ProtocolError: as `query`.
    """
    from .typed import instances  # noqa: PLC0415 - only needed for objects

    instances(cls, QueryResult([]))  # raises for an unsuitable class, before the query is sent
    request = query_request(language, q, db=db, rp=rp, params=params, response_format=format)
    return Op(request, partial(_instance_receiver, cls, _expected(language, q)), as_timeout(timeout))


def _expected(language: Language, q: str, epoch: str | None = "ns") -> Expected:
    return Expected(language, epoch, statement_count(q) if language == "influxql" else 0)


def _instance_receiver(cls: type[T], expected: Expected, status: int, headers: Headers) -> ChunkCollector[list[T]]:
    from .typed import instances  # noqa: PLC0415 - see above

    found: list[T] = []
    decoder = chunk_decoder(expected, status, headers)
    return ChunkCollector(decoder, lambda chunk: found.extend(instances(cls, chunk)), lambda: found)


def _frame_receiver(
    expected: Expected,
    measurement_column: bool | None,
    finish: Callable[[list[DataFrame]], T],
    status: int,
    headers: Headers,
) -> ChunkCollector[T]:
    from .._result.table import Tables  # noqa: PLC0415 - only needed for DataFrames
    from .._result.to_pandas import to_frame  # noqa: PLC0415 - see above

    tables = Tables(measurement_column=measurement_column)
    decoder = chunk_decoder(expected, status, headers, packed=True, buffered=True)
    return ChunkCollector(decoder, tables.add, lambda: finish(list(map(to_frame, tables.finish()))))


def _check_pandas() -> None:
    """Raise ImportError if pandas is not installed, before the query is sent."""
    try:
        import_module("pandas")
    except ImportError as error:
        raise ImportError("DataFrames need pandas; install pandas") from error


def _only_frame(frames: list[DataFrame]) -> DataFrame:
    _check_single_statement(len(frames))
    return frames[0]


def _check_single_statement(count: int) -> None:
    if count != 1:
        raise ValueError(f"q: must be one statement, not {count}; use query_dataframes for several")


def _chunk_frame_decoder(
    expected: Expected, chunk_size: int | None, measurement_column: bool | None, status: int, headers: Headers
) -> Decoder[DataFrame]:
    from .._result.to_pandas import ChunkFrames  # noqa: PLC0415 - see above

    decoder = _limited_decoder(expected, chunk_size, status, headers, packed=True)
    return FlatMap(decoder, ChunkFrames(measurement_column=measurement_column).add)


def _limited_decoder(
    expected: Expected, chunk_size: int | None, status: int, headers: Headers, *, packed: bool = False
) -> Decoder[QueryResult]:
    """Return a decoder whose chunks have at most `chunk_size` rows, which the server ensures only for InfluxQL."""
    if expected.language == "influxql":
        return chunk_decoder(expected, status, headers, packed=packed)
    # Buffered for DataFrames: one of a few rows takes as long as one of thousands.
    decoder = chunk_decoder(expected, status, headers, packed=packed, buffered=packed)
    return decoder if chunk_size is None else FlatMap(decoder, partial(split_rows, chunk_size))
