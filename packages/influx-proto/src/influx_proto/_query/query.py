"""Builders of queries, one for each form of the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .._http.messages import Headers
from .._http.timeout import TimeoutLike, as_timeout
from .._influxql.classify import statement_count
from .._result.result import QueryResult
from .._runtime.op import Decoder, FlatMap, Op
from .._runtime.stream import StreamOp
from .language import Language
from .request import ResponseFormat, query_request
from .response import ChunkCollector, WholeResult, chunk_decoder, split_rows

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
    request = query_request(
        "influxql", q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=None, response_format=format
    )
    return Op(request, partial(WholeResult, epoch=epoch, statements=statement_count(q)), as_timeout(timeout))


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

    Each chunk has rows of one series. Memory use is bounded by the size of a chunk. Exiting the `with` block early ends
    the query on the server.

    Args:
        q: see `query`, also for the other arguments; with `language`, a query in that language.
        db: see `query`.
        rp: see `query`.
        epoch: see `query`.
        params: see `query`.
        chunk_size: the maximum number of rows of a chunk.
        format: see `query`.
        language: the language of `q`: `influxql`; `sql` on InfluxDB 3, see `query_sql`; `flux` on InfluxDB 2.x, see
            `query_flux`. SQL and Flux have no `rp`, `epoch` or `format`, and Flux no `db`.
        timeout: see `query`.

    Raises:
        QueryError: as `query`, after the chunks before the error.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    request = query_request(
        language, q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=chunk_size, response_format=format
    )
    decoder = partial(
        _limited_decoder, epoch=epoch, language=language, statements=_statements(language, q), chunk_size=chunk_size
    )
    return StreamOp(request, decoder, as_timeout(timeout))


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

    Each point is a dict of columns and group tags. Otherwise it works as `query_chunks`.

    Args:
        q: see `query`, also for the other arguments.
        db: see `query`.
        rp: see `query`.
        epoch: see `query`.
        params: see `query`.
        chunk_size: the maximum number of rows held in memory.
        format: see `query`.
        language: see `query_chunks`.
        timeout: see `query`.

    Raises:
        QueryError: as `query`, after the points before the error.
        ProtocolError: the response is not from InfluxDB, or is truncated.
    """
    chunks = query_chunks(
        q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=chunk_size, format=format, language=language,
        timeout=timeout,
    )  # fmt: skip
    return _flat_map(chunks, QueryResult.points)


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

    Args:
        q: one InfluxQL statement. See `query` for the other arguments.
        db: see `query`.
        rp: see `query`.
        params: see `query`.
        measurement_column: whether to add a column `measurement`; None adds it if the result has several measurements.
        format: see `query`.
        language: see `query_chunks`.
        timeout: see `query`.

    Raises:
        ValueError: the query has several statements; it is not sent. Use `query_dataframes`.
        QueryError: as `query`.
        ProtocolError: as `query`.
        ImportError: pandas is not installed.
    """
    _check_pandas()
    request = query_request(
        language, q, db=db, rp=rp, epoch="ns", params=params, chunk_size=None, response_format=format
    )
    if language == "influxql":
        _check_single_statement(statement_count(q))
    receiver = partial(_frame_receiver, language=language, measurement_column=measurement_column, finish=_only_frame)
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
    request = query_request(
        language, q, db=db, rp=rp, epoch="ns", params=params, chunk_size=None, response_format=format
    )
    receiver = partial(
        _frame_receiver,
        language=language,
        statements=_statements(language, q),
        measurement_column=measurement_column,
        finish=list,
    )
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
    request = query_request(
        language, q, db=db, rp=rp, epoch="ns", params=params, chunk_size=chunk_size, response_format=format
    )
    decoder = partial(
        _chunk_frame_decoder,
        language=language,
        statements=_statements(language, q),
        chunk_size=chunk_size,
        measurement_column=measurement_column,
    )
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

    Args:
        cls: a class decorated with `@lineprotocol`. An attribute is read from the column or group tag with its name.
        q: see `query`, also for the other arguments.
        db: see `query`.
        rp: see `query`.
        params: see `query`.
        format: see `query`.
        language: see `query_chunks`.
        timeout: see `query`.

    Raises:
        SchemaError: the class is not decorated, or its objects cannot be created from rows.
        SerializationError: a row has no value for an attribute, or a value of another type.
        QueryError: as `query`.
        ProtocolError: as `query`.
    """
    from .typed import instances  # noqa: PLC0415 - only needed for objects

    instances(cls, QueryResult([]))  # raises for an unsuitable class, before the query is sent
    request = query_request(
        language, q, db=db, rp=rp, epoch="ns", params=params, chunk_size=None, response_format=format
    )
    receiver = partial(_instance_receiver, cls=cls, language=language, statements=_statements(language, q))
    return Op(request, receiver, as_timeout(timeout))


def _statements(language: Language, q: str) -> int:
    """Return the number of statements that the response must have a result of, 0 if that is unknown."""
    return statement_count(q) if language == "influxql" else 0


def _instance_receiver(
    status: int, headers: Headers, *, cls: type[T], language: Language, statements: int
) -> ChunkCollector[list[T]]:
    from .typed import instances  # noqa: PLC0415 - see above

    found: list[T] = []

    def add(chunk: QueryResult) -> None:
        found.extend(instances(cls, chunk))

    decoder = chunk_decoder(status, headers, epoch="ns", language=language, statements=statements)
    return ChunkCollector(decoder, add, lambda: found)


def _frame_receiver(
    status: int,
    headers: Headers,
    *,
    language: Language,
    statements: int = 1,
    measurement_column: bool | None,
    finish: Callable[[list[DataFrame]], T],
) -> ChunkCollector[T]:
    from .._result.to_pandas import FrameCollector  # noqa: PLC0415 - only needed for DataFrames

    frames = FrameCollector(measurement_column=measurement_column)
    decoder = chunk_decoder(
        status, headers, epoch="ns", language=language, statements=statements, packed=True, buffered=True
    )
    return ChunkCollector(decoder, frames.add, lambda: finish(frames.finish()))


def _check_pandas() -> None:
    """Raise ImportError if pandas is not installed, before the query is sent."""
    try:
        import_module("pandas")
    except ImportError as error:
        msg = "DataFrames need pandas; install pandas"
        raise ImportError(msg) from error


def _only_frame(frames: list[DataFrame]) -> DataFrame:
    _check_single_statement(len(frames))
    return frames[0]


def _check_single_statement(count: int) -> None:
    if count != 1:
        msg = f"q: must be one statement, not {count}; use query_dataframes for several"
        raise ValueError(msg)


def _chunk_frame_decoder(
    status: int,
    headers: Headers,
    *,
    language: Language,
    statements: int,
    chunk_size: int | None,
    measurement_column: bool | None,
) -> Decoder[DataFrame]:
    from .._result.to_pandas import ChunkFrames  # noqa: PLC0415 - see above

    decoder = _limited_decoder(
        status, headers, epoch="ns", language=language, statements=statements, chunk_size=chunk_size, packed=True
    )
    return FlatMap(decoder, ChunkFrames(measurement_column=measurement_column).add)


def _limited_decoder(
    status: int,
    headers: Headers,
    *,
    epoch: str | None,
    language: Language,
    statements: int,
    chunk_size: int | None,
    packed: bool = False,
) -> Decoder[QueryResult]:
    """Return a decoder whose chunks have at most `chunk_size` rows, which the server ensures only for InfluxQL."""
    is_cut_here = language != "influxql"
    # A DataFrame of a few rows takes as long as one of thousands.
    buffered = is_cut_here and packed
    decoder = chunk_decoder(
        status, headers, epoch=epoch, language=language, statements=statements, packed=packed, buffered=buffered
    )
    if not is_cut_here or chunk_size is None:
        return decoder
    return FlatMap(decoder, partial(split_rows, chunk_size))


def _flat_map(chunks: StreamOp[QueryResult], function: Callable[[QueryResult], Iterable[T]]) -> StreamOp[T]:
    def decoder(status: int, headers: Headers) -> Decoder[T]:
        return FlatMap(chunks.decoder(status, headers), function)

    return StreamOp(chunks.request, decoder, chunks.timeout)
