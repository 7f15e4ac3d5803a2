"""Writing: the requests that a write consists of, and reading their answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

from ._arguments import given, limit
from ._batch import BATCH_BYTES, BATCH_LINES, Batch
from ._coding import GZIP_MAGIC
from ._deliver import deliver, deliver_accepted, partial_write
from ._errors import InfluxDBError, RejectedLine, SerializationError
from ._flow import AsyncTransport, Clock, Flow, arun
from ._op import Op
from ._policy import FieldType, ObjectColumns
from ._refusals import Refusal
from ._settings import Settings
from ._time import wire_precision
from ._wire import Headers, Repeat, Request, add_params

if TYPE_CHECKING:
    from ._encoder import Encoder

#: Where lines go: the parameters of their request, and whether the client's database is one of them.
Target: TypeAlias = tuple[tuple[tuple[str, str], ...], bool]


class MakeEncoder(Protocol):
    """Makes the encoder of a write for a client's settings."""

    def __call__(
        self, settings: Settings, *, stamp: Callable[[], int] | None = None, at_once: bool = False
    ) -> Encoder: ...


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


#: What a client is told that is told nothing.
_PLAIN = Settings()


class Writes:
    """The requests of one write, made one by one while they are sent; iterating it gives their `Op`s."""

    def __init__(
        self,
        data: object,
        make_encoder: MakeEncoder,
        target: Target,
        *,
        stamp: bool,
        find_rejected: bool,
    ) -> None:
        # Wrong options are told at once, not when the first batch is due; the encoder may then be the one for it.
        self._first: Encoder | None = make_encoder(_PLAIN)
        self._data = data
        self._make_encoder = make_encoder
        #: Where it goes: the parameters of the request, and whether the client's database is one of them.
        self.target = target
        self._stamp = stamp
        self._find_rejected = find_rejected

    def __iter__(self) -> Iterator[Op[bool]]:
        if self._stamp:
            msg = "stamp: needs a client, which has a clock"
            raise ValueError(msg)
        return map(self._op, self._make_encoder(Settings()).encode(self._data))

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
            deliver = self._deliverer(account, settings, clock)
            for batch in self.batches(settings, clock):
                yield from deliver(batch)
        return True

    async def arun(self, settings: Settings, transport: AsyncTransport) -> bool:
        """Do what `flow` says, over data that may come from an asynchronous iterable."""
        if not isinstance(self._data, AsyncIterable):
            return await arun(self.flow(settings, transport), transport)
        with _Account() as account:
            deliver = self._deliverer(account, settings, transport)
            async with aclosing(self.abatches(settings, transport)) as batches:
                async for batch in batches:
                    await arun(deliver(batch), transport)
        return True

    def batches(self, settings: Settings, clock: Clock, *, at_once: bool = False) -> Iterator[Batch]:
        """Give the batches, made one by one as they are taken.

        Args:
            settings: the client's.
            clock: the client's.
            at_once: what a source gives that makes its values as it is read, a generator for instance, is not kept
                until a batch is full or the source ends.
        """
        return self._encoder(settings, clock, at_once=at_once).encode(self._data)

    async def abatches(self, settings: Settings, clock: Clock, *, at_once: bool = False) -> AsyncGenerator[Batch]:
        """Give the batches of data that may come from an asynchronous iterable; the generator is to be closed."""
        if not isinstance(self._data, AsyncIterable):
            for batch in self.batches(settings, clock, at_once=at_once):
                yield batch
            return
        encoder = self._encoder(settings, clock, at_once=at_once)
        async with AsyncExitStack() as stack:
            if isinstance(self._data, AsyncGenerator):
                # A generator that is left half-way would be finished by nobody knows whom.
                await stack.enter_async_context(aclosing(self._data))
            async for item in self._data:
                for batch in encoder.add(item, bulk=True):
                    yield batch
                for batch in encoder.close() if at_once else ():
                    yield batch
        for batch in encoder.close():
            yield batch

    def _deliverer(self, account: _Account, settings: Settings, clock: Clock) -> Callable[[Batch], Flow[None]]:
        def send(batch: Batch) -> Flow[bool]:
            yield from self._op(batch).flow(settings, clock)
            account.stored += batch.lines
            return True

        def deliver_and_collect(batch: Batch) -> Flow[None]:
            account.rejected += yield from deliver_accepted(batch, send)

        return deliver_and_collect if self._find_rejected else partial(deliver, send=send)

    def _op(self, batch: Batch) -> Op[bool]:
        params, wants_db = self.target
        return write_op(batch, params, wants_db=wants_db)

    def _encoder(self, settings: Settings, clock: Clock, *, at_once: bool = False) -> Encoder:
        first, self._first = self._first, None
        as_it_is = not at_once and not self._stamp and not settings.tags and settings.types is _PLAIN.types
        if first is not None and as_it_is:
            return first
        return self._make_encoder(settings, stamp=clock.time_ns if self._stamp else None, at_once=at_once)


class _Account:
    """Notes on an error what was stored before it; and raises one in the end where lines were rejected."""

    def __init__(self) -> None:
        self.stored = 0
        self.rejected: list[RejectedLine] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, InfluxDBError):
            if self.stored:
                error.add_note(f"the {self.stored} lines before this request were stored")
            if self.rejected:
                count = len(self.rejected)
                error.add_note(f"{count} lines before this request were rejected, the first: {self.rejected[0]}")
        elif error is None and self.rejected:
            raise partial_write(self.rejected)


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
    unsigned: bool | None = None,
    nonfinite: Literal["raise", "omit"] | None = None,
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool | None = None,
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
        find_rejected=False,
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
    find_rejected: bool = False,
    unsigned: bool | None = None,
    nonfinite: Literal["raise", "omit"] | None = None,
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool | None = None,
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
        tags: tags for all points, ready-made lines apart, besides the client's own; a point's own wins.
        batch_lines: lines in one request at the most; None for no limit.
        batch_bytes: bytes in one request at the most, unless a single line is longer; None for no limit.
        stamp: give points and lines that carry no time the client's, each a later one. Otherwise the server gives all
            of a request one time, so that of two points in a series one is lost, and such points cannot be sent again
            after a failure that leaves open whether they arrived.
        find_rejected: where the server refuses lines without telling which, find them, by writing what may be among
            them again in ever smaller parts, which stores nothing twice; and go on, so that all is stored that can be
            before the error is raised, with all rejected lines.
        unsigned: whether the server stores unsigned integers, so that integers beyond int64 may be written. For this
            and the following, None is what the client was told when it was made.
        nonfinite: what is done with infinite floats: `raise`, or `omit` them like missing values.
        field_types: the type of single fields, whatever is handed over: `{"temperature": "float"}` writes 21 as
            `21.0`. One of `float`, `integer`, `unsigned`, `string`, `boolean`. The client's hold for all others.
        integers_as_floats: write all integers as floats.
        extra_tags: more tags for all points, by keyword.

    Returns:
        True. Nothing is sent where there is nothing to write.

    Raises:
        SerializationError: a point cannot be written as it is; says which and why. Of its batch nothing was sent.
        WriteError: the server refused points: `PartialWriteError` if it stored the others, `PayloadTooLarge` if a
            single line is too large for it; what is too large otherwise is written in parts.
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

    def make_encoder(settings: Settings, *, stamp: Callable[[], int] | None = None, at_once: bool = False) -> Encoder:
        from ._encoder import Encoder  # noqa: PLC0415 - not needed by those who only read, and slow to import

        return Encoder(
            measurement,
            precision="ns" if precision is None else precision,
            tag_columns=columns,
            object_columns=object_columns,
            tags={**settings.tags, **all_tags},
            max_lines=limit("batch_lines", batch_lines),
            max_bytes=limit("batch_bytes", batch_bytes),
            policy=settings.types.but(unsigned, nonfinite, field_types, integers_as_floats),
            stamp=stamp,
            at_once=at_once,
        )

    return Writes(
        data,
        make_encoder,
        (tuple(params), db is None),
        stamp=stamp,
        find_rejected=find_rejected,
    )
