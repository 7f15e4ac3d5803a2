"""Every operation of the HTTP API, one builder each: arguments in, an `Op` out. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

from ._op import FlatMap, Op
from ._ping import PingReceiver, ServerInfo
from ._policy import FieldType
from ._query import WholeResult, chunk_decoder
from ._result import QueryResult
from ._serialize import BATCH_BYTES, BATCH_LINES, Encoder, limit
from ._stream import StreamOp
from ._time import wire_precision
from ._wire import Repeat, Request, add_params, encode_params
from ._write import Writes, write_op
from .influxql import encode_bind_parameters, is_read, quote_identifier

__all__ = [
    "create_database",
    "drop_database",
    "drop_measurement",
    "ping",
    "query",
    "query_chunks",
    "query_points",
    "select_all",
    "show_databases",
    "show_measurements",
    "show_retention_policies",
    "show_users",
    "write",
    "write_batches",
]

#: A longer URL is sent as a form body instead: proxies refuse URLs from about 8 KiB on, some from 2 KiB.
_LONGEST_URL = 2000

#: Rows a chunk, where the caller does not mind: what influxd produces fastest.
_CHUNK_ROWS = 10_000


def ping() -> Op[ServerInfo]:
    """Ask the server whether it is there and who it is.

    Returns:
        The headers of the answer, with `.version` and `.build`.
    """
    return Op(Request("GET", "/ping"), PingReceiver)


def query(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
) -> Op[QueryResult]:
    """Run InfluxQL: one statement or several, separated by semicolons.

    Args:
        q: the query.
        db: the database of measurements that name none; the client's own where it is None.
        rp: the retention policy of measurements that name none.
        epoch: the unit of the times in the answer, which are integers: `ns`, `u`, `ms`, `s`, `m` or `h`; None for RFC
            3339 text.
        params: values for `$name` in the query: str, int, float or bool. Users' input belongs here, not into `q`.

    Raises:
        QueryError: the server refused the query or one of its statements; what came before is with the error.
        DatabaseNotFound: the database does not exist.
        AuthenticationError: the credentials are wrong or do not allow this.
        ProtocolError: the answer is not InfluxDB's, or not complete.
    """
    request = _query_request(q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=_CHUNK_ROWS)
    return Op(request, WholeResult)


def query_chunks(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
    chunk_size: int | None = None,
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

    Raises:
        QueryError: as `query`, once the parts before it have been given.
        ProtocolError: the answer is not InfluxDB's, or ends too early.
    """
    request = _query_request(q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=_chunk_size(chunk_size))
    return StreamOp(request, chunk_decoder)


def query_points(
    q: str,
    *,
    db: str | None = None,
    rp: str | None = None,
    epoch: str | None = "ns",
    params: Mapping[str, object] | None = None,
    chunk_size: int | None = None,
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

    Raises:
        QueryError: as `query`, once the points before it have been given.
        ProtocolError: the answer is not InfluxDB's, or ends too early.
    """
    chunks = query_chunks(q, db=db, rp=rp, epoch=epoch, params=params, chunk_size=chunk_size)
    return StreamOp(chunks.request, lambda status, headers: FlatMap(chunks.decoder(status, headers), _points))


def _points(chunk: QueryResult) -> Iterator[dict[str, Any]]:
    return chunk.points()


def _chunk_size(rows: int | None) -> int:
    if rows is None:
        return _CHUNK_ROWS
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1:
        msg = f"chunk_size: must be a positive integer or None, not {rows!r}"
        raise ValueError(msg)
    return rows


def _query_request(
    q: str,
    *,
    db: str | None,
    rp: str | None,
    epoch: str | None,
    params: Mapping[str, object] | None,
    chunk_size: int,
) -> Request:
    if not _text("q", q).strip():
        msg = "q: the query is empty"
        raise ValueError(msg)
    statement = [("q", q)]
    if params:
        statement.append(("params", encode_bind_parameters(params)))
    # Chunks even for a whole answer: influxd streams them far faster than it builds one answer, and the end of each
    # statement is marked.
    around = [("chunked", "true"), ("chunk_size", str(chunk_size))]
    if epoch is not None:
        around.append(("epoch", wire_precision(epoch, "epoch")))
    around += _optional(db=db, rp=rp)
    headers = (("Accept", "application/x-msgpack"),)
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


def write(
    data: object,
    measurement: str | None = None,
    *,
    db: str | None = None,
    rp: str | None = None,
    precision: str | None = None,
    consistency: str | None = None,
    tag_columns: Iterable[str] = (),
    tags: Mapping[str, object] | None = None,
    unsigned: bool = False,
    nonfinite: Literal["raise", "omit"] = "raise",
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool = False,
    **extra_tags: object,
) -> Op[bool]:
    """Write points in one request, however many there are; see `write_batches`, which a client's `write` is.

    Raises:
        SerializationError: a point cannot be written, or there is none.
    """
    writes = write_batches(
        data,
        measurement,
        db=db,
        rp=rp,
        precision=precision,
        consistency=consistency,
        tag_columns=tag_columns,
        tags=tags,
        batch_lines=None,
        batch_bytes=None,
        stamp=False,
        unsigned=unsigned,
        nonfinite=nonfinite,
        field_types=field_types,
        integers_as_floats=integers_as_floats,
        **extra_tags,
    )
    return writes.only()


def write_batches(
    data: object,
    measurement: str | None = None,
    *,
    db: str | None = None,
    rp: str | None = None,
    precision: str | None = None,
    consistency: str | None = None,
    tag_columns: Iterable[str] = (),
    tags: Mapping[str, object] | None = None,
    batch_lines: int | None = BATCH_LINES,
    batch_bytes: int | None = BATCH_BYTES,
    stamp: bool = False,
    unsigned: bool = False,
    nonfinite: Literal["raise", "omit"] = "raise",
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool = False,
    **extra_tags: object,
) -> Writes:
    """Write points: in one request, or in several where there are many.

    Args:
        data: what to write. `str` or `bytes` of line protocol, sent as they are; a mapping with `measurement`, `time`,
            `tags` and `fields`; an iterable or generator of these, nested at will, which is read while it is written
            (over an awaiting client also an asynchronous one).
        measurement: the measurement of points that name none.
        db: the database; the client's own where it is None.
        rp: the retention policy; the database's default where it is None.
        precision: the unit of times given as bare integers, and of the times in line protocol: `ns` (the default),
            `u`, `ms`, `s`, `m` or `h`.
        consistency: for a cluster: `any`, `one`, `quorum` or `all`.
        tag_columns: the columns of a DataFrame that are tags.
        tags: tags for all points, ready-made lines apart; a point's own wins.
        batch_lines: lines in one request at the most; None for no limit.
        batch_bytes: bytes in one request at the most, unless a single line is longer; None for no limit.
        stamp: give points and lines that carry no time the client's, each a later one. Otherwise the server gives all
            of a request one time, so that of two points in a series one is lost, and such points cannot be sent again
            after a failure that leaves open whether they arrived.
        unsigned: whether the server stores unsigned integers, so that integers beyond int64 may be written.
        nonfinite: what is done with infinite floats: `raise`, or `omit` them like missing values.
        field_types: the type of single fields, whatever is handed over: `{"temperature": "float"}` writes 21 as
            `21.0`. One of `float`, `integer`, `unsigned`, `string`, `boolean`.
        integers_as_floats: write all integers as floats.
        extra_tags: more tags for all points, by keyword.

    Returns:
        True. Nothing is sent where there is nothing to write.

    Raises:
        SerializationError: a point cannot be written as it is; says which and why. Of its batch nothing was sent.
        WriteError: the server refused points: `PartialWriteError` if it stored the others, `PayloadTooLarge` if the
            request is too large for it.
        DatabaseNotFound: the database does not exist.
        AuthenticationError: the credentials are wrong or do not allow this.
    """
    if consistency is not None and consistency not in {"any", "one", "quorum", "all"}:
        msg = f"consistency: must be one of any, one, quorum, all, not {consistency!r}"
        raise ValueError(msg)
    params = _optional(db=db, rp=rp, consistency=consistency)
    # Copies: what the caller does to theirs afterwards does not change a write that is under way.
    all_tags = {**(tags or {}), **extra_tags}
    columns = tuple(tag_columns)

    def make_encoder(clock: Callable[[], int] | None) -> Encoder:
        return Encoder(
            measurement,
            precision="ns" if precision is None else precision,
            tag_columns=columns,
            tags=all_tags,
            max_lines=limit("batch_lines", batch_lines),
            max_bytes=limit("batch_bytes", batch_bytes),
            unsigned=unsigned,
            nonfinite=nonfinite,
            field_types=field_types,
            integers_as_floats=integers_as_floats,
            stamp=clock,
        )

    return Writes(data, make_encoder, partial(write_op, params=params, wants_db=db is None), stamp=stamp)


def create_database(db: str) -> Op[QueryResult]:
    """Create a database; nothing happens if it exists."""
    return query(f"CREATE DATABASE {_identifier('db', db)}")


def drop_database(db: str) -> Op[QueryResult]:
    """Delete a database with all that is in it; nothing happens if there is none."""
    return query(f"DROP DATABASE {_identifier('db', db)}")


def drop_measurement(measurement: str, *, db: str | None = None) -> Op[QueryResult]:
    """Delete a measurement with all its points; nothing happens if there is none."""
    return query(f"DROP MEASUREMENT {_identifier('measurement', measurement)}", db=db)


def show_databases() -> Op[QueryResult]:
    """List the databases that this user may see."""
    return query("SHOW DATABASES")


def show_measurements(*, db: str | None = None) -> Op[QueryResult]:
    """List the measurements of a database."""
    return query("SHOW MEASUREMENTS", db=db)


def show_retention_policies(db: str | None = None) -> Op[QueryResult]:
    """List the retention policies of a database."""
    return query("SHOW RETENTION POLICIES", db=db)


def show_users() -> Op[QueryResult]:
    """List the users."""
    return query("SHOW USERS")


def select_all(measurement: str, *, db: str | None = None) -> Op[QueryResult]:
    """Get all points of a measurement."""
    return query(f"SELECT * FROM {_identifier('measurement', measurement)}", db=db)  # noqa: S608 - it is quoted


def _optional(**params: str | None) -> list[tuple[str, str]]:
    return [(name, _text(name, value)) for name, value in params.items() if value is not None]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        msg = f"{name}: must be a str, not {type(value).__name__}"
        raise TypeError(msg)
    try:
        value.encode()
    except UnicodeEncodeError:
        msg = f"{name}: {value!r} contains a lone surrogate, which is no text"
        raise ValueError(msg) from None
    return value


def _identifier(name: str, value: str) -> str:
    try:
        return quote_identifier(_text(name, value))
    except ValueError as error:
        msg = f"{name}: {error}"
        raise ValueError(msg) from None
