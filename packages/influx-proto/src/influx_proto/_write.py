"""Writing: the requests that a write consists of, and reading their answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Literal, Self, TypeAlias

from ._arguments import given, limit
from ._coding import GZIP_MAGIC
from ._encoder import BATCH_BYTES, BATCH_LINES, Batch, Encoder
from ._errors import InfluxDBError, SerializationError
from ._flow import AsyncTransport, Clock, Flow, arun
from ._op import Op
from ._policy import FieldType
from ._refusals import Refusal
from ._settings import Settings
from ._table import ObjectColumns
from ._time import wire_precision
from ._wire import Headers, Repeat, Request, add_params

#: Makes the encoder of a write, with a clock for points without a time or without one.
MakeEncoder: TypeAlias = Callable[[Callable[[], int] | None], Encoder]


def write_op(batch: Batch, params: Sequence[tuple[str, str]], *, wants_db: bool) -> Op[bool]:
    """Make the request that writes a batch."""
    target = add_params("/write", [*params, ("precision", batch.precision)])
    repeat = Repeat.ALWAYS if batch.timed else Repeat.UNLESS_RECEIVED
    return Op(
        Request("POST", target, body=batch.data, repeat=repeat, wants_db=wants_db, compressible=True), WriteReceiver
    )


class WriteReceiver:
    """Receives the answer to a write, of which 204 is the only one that says that all is stored."""

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._refusal = Refusal("write", status, headers)

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._refusal.feed(data)

    def close(self) -> bool:
        """Take the end of the answer."""
        if self._status != 204:
            self._refusal.close()
        return True


class Writes:
    """The requests of one write, made one by one while they are sent; iterating it gives their `Op`s."""

    def __init__(
        self, data: object, make_encoder: MakeEncoder, make_op: Callable[[Batch], Op[bool]], *, stamp: bool
    ) -> None:
        # Wrong options are told at once, not when the first batch is due; the encoder is then there for it.
        self._first: Encoder | None = make_encoder(None)
        self._data = data
        self._make_encoder = make_encoder
        self._make_op = make_op
        self._stamp = stamp

    def __iter__(self) -> Iterator[Op[bool]]:
        if self._stamp:
            msg = "stamp: needs a client, which has a clock"
            raise ValueError(msg)
        return map(self._make_op, self._make_encoder(None).encode(self._data))

    def only(self) -> Op[bool]:
        """Give the one request of a write that was not divided.

        Raises:
            SerializationError: there is nothing to write; or ready-made lines in another precision than nanoseconds
                stand beside points, whose times are in nanoseconds, and one request can have but one precision.
        """
        found = list(self)
        if len(found) != 1:
            msg = (
                "ready-made lines with a precision of their own beside points need several requests: use write_batches"
                if found
                else "there is nothing to write"
            )
            raise SerializationError(msg)
        return found[0]

    def flow(self, settings: Settings, clock: Clock) -> Flow[bool]:
        """Write batch after batch; an error says how much was stored before it."""
        with _Account() as account:
            for batch in self._encoder(clock).encode(self._data):
                yield from self._make_op(batch).flow(settings, clock)
                account.stored += batch.lines
        return True

    async def arun(self, settings: Settings, transport: AsyncTransport) -> bool:
        """Do what `flow` says, over data that may come from an asynchronous iterable."""
        if not isinstance(self._data, AsyncIterable):
            return await arun(self.flow(settings, transport), transport)
        encoder = self._encoder(transport)
        with _Account() as account:

            async def send(batches: Iterable[Batch]) -> None:
                for batch in batches:
                    await arun(self._make_op(batch).flow(settings, transport), transport)
                    account.stored += batch.lines

            async with AsyncExitStack() as stack:
                if isinstance(self._data, AsyncGenerator):
                    # A generator that is left half-way would be finished by nobody knows whom.
                    await stack.enter_async_context(aclosing(self._data))
                async for item in self._data:
                    await send(encoder.add(item, bulk=True))
            await send(encoder.close())
        return True

    def _encoder(self, clock: Clock) -> Encoder:
        encoder, self._first = self._first, None
        if encoder is None or self._stamp:
            return self._make_encoder(clock.time_ns if self._stamp else None)
        return encoder


class _Account:
    """Notes on an error what was stored before it."""

    def __init__(self) -> None:
        self.stored = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, InfluxDBError) and self.stored:
            error.add_note(f"the {self.stored} lines before this request were stored")


def _params(db: str | None, rp: str | None, consistency: str | None) -> Sequence[tuple[str, str]]:
    if consistency is not None and consistency not in {"any", "one", "quorum", "all"}:
        msg = f"consistency: must be one of any, one, quorum, all, not {consistency!r}"
        raise ValueError(msg)
    return given(db=db, rp=rp, consistency=consistency)


def write_compressed(
    data: bytes | bytearray | memoryview,
    *,
    db: str | None = None,
    rp: str | None = None,
    precision: str | None = None,
    consistency: str | None = None,
) -> Op[bool]:
    """Write lines that are compressed with gzip already: a file of them, for instance. They are not looked into.

    Whether they carry times is not known, so that after a failure they are sent again only where they cannot have
    arrived.

    Args:
        data: line protocol, compressed with gzip.
        db: the database; the client's own where it is None.
        rp: the retention policy; the database's default where it is None.
        precision: the unit of the times: `ns` (the default), `u`, `ms`, `s`, `m` or `h`.
        consistency: for a cluster: `any`, `one`, `quorum` or `all`.

    Returns:
        True.

    Raises:
        SerializationError: this is not compressed with gzip.
        WriteError: the server refused points.
    """
    body = bytes(data)
    if not body.startswith(GZIP_MAGIC):
        msg = "data: is not compressed with gzip"
        raise SerializationError(msg)
    unit = wire_precision("ns" if precision is None else precision)
    target = add_params("/write", [*_params(db, rp, consistency), ("precision", unit)])
    headers = (("Content-Encoding", "gzip"),)
    request = Request("POST", target, headers, body, repeat=Repeat.UNLESS_RECEIVED, wants_db=db is None)
    return Op(request, WriteReceiver)


def write(
    data: object,
    measurement: str | None = None,
    *,
    db: str | None = None,
    rp: str | None = None,
    precision: str | None = None,
    consistency: str | None = None,
    tag_columns: Iterable[str] = (),
    object_columns: ObjectColumns = "str",
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
        object_columns=object_columns,
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
    object_columns: ObjectColumns = "str",
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
            `tags` and `fields`; an object of a `@lineprotocol` class; a pandas DataFrame with a `DatetimeIndex`; any
            table with Arrow's C stream (polars, pyarrow, duckdb) and a column `time`; an iterable or generator of
            these, nested at will, which is read while it is written (over an awaiting client also an asynchronous
            one).
        measurement: the measurement of points that name none.
        db: the database; the client's own where it is None.
        rp: the retention policy; the database's default where it is None.
        precision: the unit of times given as bare integers, and of the times in line protocol: `ns` (the default),
            `u`, `ms`, `s`, `m` or `h`.
        consistency: for a cluster: `any`, `one`, `quorum` or `all`.
        tag_columns: the columns of a DataFrame that are tags.
        object_columns: how the cells of a DataFrame's object columns are written: `str` for their text, `infer` for
            each by its own type, which has to be one in a column.
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
    if isinstance(data, (bytes, bytearray, memoryview)) and bytes(data[:2]) == GZIP_MAGIC:
        msg = "data: is compressed with gzip; write_compressed sends it as it is"
        raise SerializationError(msg)
    params = _params(db, rp, consistency)
    # Copies: what the caller does to theirs afterwards does not change a write that is under way.
    all_tags = {**(tags or {}), **extra_tags}
    columns = tag_columns if isinstance(tag_columns, str) else tuple(tag_columns)  # a str is refused below

    def make_encoder(clock: Callable[[], int] | None) -> Encoder:
        return Encoder(
            measurement,
            precision="ns" if precision is None else precision,
            tag_columns=columns,
            object_columns=object_columns,
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
