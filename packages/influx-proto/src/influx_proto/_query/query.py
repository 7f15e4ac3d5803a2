"""Queries: the requests, and in which of several forms the answer is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from .._checks import check_choice, check_limit, check_str, given_params
from .._decode.formats import can_be_packed
from .._http.messages import Headers, Repeat, Request, add_params, encode_params
from .._http.timeout import Timeout, as_timeout
from .._influxql.bind import encode_bind_parameters
from .._influxql.classify import is_about_diagnostics, is_empty, is_read, statement_count
from .._result.result import QueryResult
from .._runtime.op import Decoder, FlatMap, Op
from .._runtime.stream import StreamOp
from .._time import wire_precision
from .response import Collected, WholeResult, chunk_decoder

if TYPE_CHECKING:
    import pandas as pd

#: A forward reference, so that importing this module does not import pandas.
DataFrame: TypeAlias = "pd.DataFrame"

T = TypeVar("T")

#: A longer URL is sent as a form body instead: proxies refuse URLs from about 8 KiB on, some from 2 KiB.
_LONGEST_URL = 2000

ResponseFormat: TypeAlias = Literal["msgpack", "json", "csv"]

#: Alone and exact: InfluxDB up to 1.7 compares the whole header.
_ACCEPT: Final = {"msgpack": "application/x-msgpack", "json": "application/json", "csv": "application/csv"}

#: Rows a chunk, where the caller does not mind: what influxd produces fastest.
_CHUNK_ROWS = 10_000


def query(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the usual name
    timeout: float | Timeout | None = None,
) -> Op[QueryResult]:
    """Run InfluxQL: one statement or several, separated by semicolons.

    Args:
        q: the query.
        db: the database of measurements that name none; the client's own where it is None.
        rp: the retention policy of measurements that name none.
        epoch: the unit of the times in the answer, which are integers: `ns`, `u`, `ms`, `s`, `m` or `h`; None for RFC
            3339 text.
        params: values for `$name` in the query: str, numbers, bool, times and more, see
            `influxql.encode_bind_parameters`. Users' input belongs here, not into `q`.
        format: what to ask the server for: `msgpack`, which keeps all types apart and is the fastest; `json`, which
            cannot tell whole floats from integers; or `csv`, which hides the errors of single statements. What the
            server sends instead is understood as well.
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Raises:
        QueryError: the server refused the query or one of its statements; what came before is with the error.
        DatabaseNotFound: the database does not exist.
        AuthenticationError: the credentials are wrong or do not allow this.
        ProtocolError: the answer is not InfluxDB's, or not complete.
    """
    request = _query_request(q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=None, answer_format=format)
    return Op(request, partial(WholeResult, epoch=epoch), as_timeout(timeout))


def query_chunks(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
    chunk_size: int | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the usual name
    timeout: float | Timeout | None = None,
) -> StreamOp[QueryResult]:
    """Run a query and give its result in parts, as they arrive: `with client.query_chunks(q) as chunks: ...`.

    Each part has rows of one series; memory is bounded by it. Leaving the block early ends the query on the server.

    Args:
        q: see `query`, as for the other arguments.
        db: see `query`.
        rp: see `query`.
        epoch: see `query`.
        params: see `query`.
        chunk_size: rows in one part at the most.
        format: see `query`.
        timeout: see `query`.

    Raises:
        QueryError: as `query`, once the parts before it have been given.
        ProtocolError: the answer is not InfluxDB's, or ends too early.
    """
    request = _query_request(q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=chunk_size, answer_format=format)
    return StreamOp(request, partial(chunk_decoder, epoch=epoch), as_timeout(timeout))


def query_points(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
    chunk_size: int | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the usual name
    timeout: float | Timeout | None = None,
) -> StreamOp[dict[str, Any]]:
    """Run a query and give its points as they arrive: `with client.query_points(q) as points: ...`.

    Each point is a dict of columns and group tags. Otherwise as `query_chunks`.

    Args:
        q: see `query`, as for the other arguments.
        db: see `query`.
        rp: see `query`.
        epoch: see `query`.
        params: see `query`.
        chunk_size: rows that are held in memory at the most.
        format: see `query`.
        timeout: see `query`.

    Raises:
        QueryError: as `query`, once the points before it have been given.
        ProtocolError: the answer is not InfluxDB's, or ends too early.
    """
    chunks = query_chunks(
        q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=chunk_size, format=format, timeout=timeout
    )
    return _mapped(chunks, QueryResult.points)


def query_dataframe(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    measurement: bool | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the usual name
    timeout: float | Timeout | None = None,
) -> Op[DataFrame]:
    """Run a query of one statement and give its result as one tidy pandas DataFrame; see `QueryResult.to_pandas`.

    Args:
        q: see `query`, as for the other arguments.
        db: see `query`.
        rp: see `query`.
        params: see `query`.
        measurement: whether the frame has a column `measurement`; None: where it tells several apart.
        format: see `query`.
        timeout: see `query`.

    Raises:
        ValueError: the query has several statements, and is not sent; `query_dataframes` returns a frame for each.
        QueryError: as `query`.
        ProtocolError: as `query`.
        ImportError: pandas is not installed.
    """
    _check_pandas()
    request = _query_request(q, db=db, rp=rp, epoch="ns", params=params, chunk_size=None, answer_format=format)
    _check_one(statement_count(q))
    receiver = partial(_collected_frames, measurement=measurement, finish=_only_frame)
    return Op(request, receiver, as_timeout(timeout))


def query_dataframes(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    measurement: bool | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the usual name
    timeout: float | Timeout | None = None,
) -> Op[list[DataFrame]]:
    """Run a query of any number of statements and give a pandas DataFrame for each; otherwise as `query_dataframe`."""
    _check_pandas()
    request = _query_request(q, db=db, rp=rp, epoch="ns", params=params, chunk_size=None, answer_format=format)
    receiver = partial(_collected_frames, measurement=measurement, finish=list)
    return Op(request, receiver, as_timeout(timeout))


def query_dataframe_chunks(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    chunk_size: int | None = None,
    measurement: bool | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the usual name
    timeout: float | Timeout | None = None,
) -> StreamOp[DataFrame]:
    """Run a query and give its result in parts, as they arrive, each as a pandas DataFrame; see `query_chunks`.

    The frames of a statement can be put together. A column keeps its type, in which cells may be missing: `Int64`,
    `UInt64`, `float64`, `boolean` or strings. It is `object` as long as it had no value, and where values are of
    another type than its first.
    """
    _check_pandas()
    chunks = query_chunks(q, db=db, rp=rp, params=params, chunk_size=chunk_size, format=format, timeout=timeout)
    return StreamOp(chunks.request, partial(_frames_of_chunks, measurement=measurement), chunks.timeout)


def query_as(
    cls: type[T],
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    params: Mapping[str, object] | None = None,
    format: ResponseFormat = "msgpack",  # noqa: A002 - the usual name
    timeout: float | Timeout | None = None,
) -> Op[list[T]]:
    """Run a query and make an object of each row: what was written as such objects comes back as it was.

    Args:
        cls: a class decorated with `@lineprotocol`; its attributes are read from columns and group tags of their names.
        q: see `query`, as for the other arguments.
        db: see `query`.
        rp: see `query`.
        params: see `query`.
        format: see `query`.
        timeout: see `query`.

    Raises:
        SchemaError: the class is not decorated, or does not say how its objects are made.
        SerializationError: a row has no value for an attribute, or one of another type.
        QueryError: as `query`.
        ProtocolError: as `query`.
    """
    from .typed import instances  # noqa: PLC0415 - not needed by those who want no objects

    instances(cls, QueryResult([]))  # a class that will not do is told before anything is sent
    request = _query_request(q, db=db, rp=rp, epoch="ns", params=params, chunk_size=None, answer_format=format)
    return Op(request, partial(_collected_instances, cls=cls), as_timeout(timeout))


def _collected_instances(status: int, headers: Headers, *, cls: type[T]) -> Collected[list[T]]:
    from .typed import instances  # noqa: PLC0415 - as above

    found: list[T] = []

    def add(chunk: QueryResult) -> None:
        found.extend(instances(cls, chunk))

    return Collected(chunk_decoder(status, headers, epoch="ns"), add, lambda: found)


def _collected_frames(
    status: int, headers: Headers, *, measurement: bool | None, finish: Callable[[list[DataFrame]], T]
) -> Collected[T]:
    from .._result.to_pandas import FrameCollector  # noqa: PLC0415 - not needed by those who want no frames

    frames = FrameCollector(measurement=measurement)
    gathered = can_be_packed(headers.get("Content-Type"))
    decoder = chunk_decoder(status, headers, epoch="ns", packed=True, gathered=gathered)
    return Collected(decoder, frames.add, lambda: finish(frames.finish()))


def _check_pandas() -> None:
    """See, before anything is sent, that there is what makes frames."""
    try:
        import_module("pandas")
    except ImportError as error:
        msg = "DataFrames need pandas; install pandas"
        raise ImportError(msg) from error


def _only_frame(frames: list[DataFrame]) -> DataFrame:
    _check_one(len(frames))
    return frames[0]


def _check_one(count: int) -> None:
    if count != 1:
        msg = f"q: the query is of {count} statements, and query_dataframe of one; query_dataframes takes any number"
        raise ValueError(msg)


def _frames_of_chunks(status: int, headers: Headers, *, measurement: bool | None) -> Decoder[DataFrame]:
    from .._result.to_pandas import ChunkFrames  # noqa: PLC0415 - as above

    decoder = chunk_decoder(status, headers, epoch="ns", packed=True)
    return FlatMap(decoder, ChunkFrames(measurement=measurement).add)


def _mapped(chunks: StreamOp[QueryResult], function: Callable[[QueryResult], Iterable[T]]) -> StreamOp[T]:
    def decoder(status: int, headers: Headers) -> Decoder[T]:
        return FlatMap(chunks.decoder(status, headers), function)

    return StreamOp(chunks.request, decoder, chunks.timeout)


def _query_request(
    q: str,
    *,
    db: str | None,
    rp: str | None,
    epoch: str | None,
    params: Mapping[str, object] | None,
    chunk_size: int | None,
    answer_format: ResponseFormat,
) -> Request:
    check_choice("format", answer_format, _ACCEPT)
    if is_empty(check_str("q", q)):
        msg = "q: the query is empty"
        raise ValueError(msg)
    if answer_format == "msgpack" and is_about_diagnostics(q):
        # In MessagePack influxd leaves out the values that are durations, and what is left cannot be read.
        answer_format = "json"
    statement = [("q", q)]
    if params:
        statement.append(("params", encode_bind_parameters(params)))
    # Chunks even for a whole answer: influxd streams them far faster than it builds one answer, and the end of each
    # statement is marked.
    around = [("chunked", "true"), ("chunk_size", str(check_limit("chunk_size", chunk_size) or _CHUNK_ROWS))]
    if epoch is not None:
        around.append(("epoch", wire_precision(epoch, "epoch")))
    around += given_params(db=db, rp=rp)
    headers = (("Accept", _ACCEPT[answer_format]),)
    read = is_read(q)
    repeat = Repeat.ALWAYS if read else Repeat.NEVER
    target = add_params("/query", around + statement)
    if read and len(target) <= _LONGEST_URL:
        return Request("GET", target, headers, repeat=repeat, wants_db=db is None)
    return Request(
        "POST",
        add_params("/query", around),
        (*headers, ("Content-Type", "application/x-www-form-urlencoded")),
        encode_params(statement).encode("ascii"),
        repeat=repeat,
        wants_db=db is None,
    )
