"""Writing: the arguments of a write, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal

from .._checks import check_bool, check_choice, check_limit, given_params
from .._encode.batch import BATCH_BYTES, BATCH_LINES
from .._encode.extra_tags import joined_tags, not_for_lines
from .._errors import SerializationError
from .._http.compression import GZIP_MAGIC
from .._http.messages import Repeat, Request
from .._http.timeout import Timeout, as_timeout
from .._line_protocol.options import FieldType, ObjectColumns
from .._runtime.op import Op
from .._runtime.settings import Settings
from .._time import wire_precision
from .operation import WriteOperation
from .request import WriteReceiver, write_target

if TYPE_CHECKING:
    from .._encode.encoder import Encoder


def _params(db: str | None, rp: str | None, consistency: str | None) -> tuple[tuple[str, str], ...]:
    if db is rp is consistency is None:
        return ()
    if consistency is not None:
        check_choice("consistency", consistency, ("any", "one", "quorum", "all"))
    return tuple(given_params(db=db, rp=rp, consistency=consistency))


def write_compressed(
    data: bytes | bytearray | memoryview,
    *,
    db: str | None = None,
    rp: str | None = None,
    precision: str | None = None,
    consistency: str | None = None,
    timeout: float | Timeout | None = None,
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
        timeout: replaces the client's timeout for this call, in seconds or as a `Timeout`.

    Returns:
        True.

    Raises:
        SerializationError: this is not compressed with gzip.
        WriteError: the server refused points.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        msg = f"data: must be bytes, not {type(data).__name__}"
        raise SerializationError(msg)
    body = bytes(data)
    if not body.startswith(GZIP_MAGIC):
        msg = "data: is not compressed with gzip"
        raise SerializationError(msg)
    unit = wire_precision("ns" if precision is None else precision)
    headers = (("Content-Encoding", "gzip"),)
    target = write_target(_params(db, rp, consistency), unit)
    request = Request("POST", target, headers, body, repeat=Repeat.UNLESS_RECEIVED, wants_db=db is None)
    return Op(request, WriteReceiver, as_timeout(timeout))


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
    timeout: float | Timeout | None = None,
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
        in_flight=1,
        unsigned=unsigned,
        nonfinite=nonfinite,
        field_types=field_types,
        integers_as_floats=integers_as_floats,
        timeout=timeout,
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
    in_flight: int = 1,
    unsigned: bool | None = None,
    nonfinite: Literal["raise", "omit"] | None = None,
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool | None = None,
    timeout: float | Timeout | None = None,
    **extra_tags: object,
) -> WriteOperation:
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
        tags: tags for all points, besides the client's own; a tag of the point takes precedence. Raw line protocol has
            its own tags: `tags`, `measurement` and `field_types` beside it raise.
        batch_lines: lines in one request at the most; None for no limit.
        batch_bytes: bytes in one request at the most, unless a single line is longer; None for no limit.
        stamp: give points and lines that carry no time the client's, each a later one. Otherwise the server gives all
            of a request one time, so that of two points in a series one is lost, and such points cannot be sent again
            after a failure that leaves open whether they arrived.
        find_rejected: where the server refuses lines without telling which, find them, by writing what may be among
            them again in ever smaller parts, which stores nothing twice; and go on, so that all is stored that can be
            before the error is raised, with all rejected lines.
        in_flight: how many requests may be under way at a time, while the next batch is made. Several are stored
            faster, but in any order: of two values of one point, either may be the last.
        unsigned: whether the server stores unsigned integers, so that integers beyond int64 may be written. For this
            and the following, None is what the client was told when it was made.
        nonfinite: what is done with infinite floats: `raise`, or `omit` them like missing values.
        field_types: the type of single fields, whatever is handed over: `{"temperature": "float"}` writes 21 as
            `21.0`. One of `float`, `integer`, `unsigned`, `string`, `boolean`. The client's hold for all others.
        integers_as_floats: write all integers as floats.
        timeout: replaces the client's timeout for each request of this call, in seconds or as a `Timeout`.
        extra_tags: more tags for all points, by keyword. A keyword that is an option elsewhere, or one edit from an
            option, raises; `tags` accepts every name.

    Returns:
        True. Nothing is sent where there is nothing to write.

    Raises:
        TypeError: a keyword cannot be meant as a tag.
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
    all_tags = joined_tags(tags, extra_tags)
    columns = tag_columns if isinstance(tag_columns, str) else tuple(tag_columns)  # a str is refused below
    max_lines, max_bytes = check_limit("batch_lines", batch_lines), check_limit("batch_bytes", batch_bytes)

    def make_encoder(settings: Settings, *, stamp: Callable[[], int] | None = None, eager: bool = False) -> Encoder:
        return _encoder_class()(
            measurement,
            precision="ns" if precision is None else precision,
            tag_columns=columns,
            object_columns=object_columns,
            tags={**settings.tags, **all_tags},
            max_lines=max_lines,
            max_bytes=max_bytes,
            field_options=settings.types.with_overrides(unsigned, nonfinite, field_types, integers_as_floats),
            stamp=stamp,
            not_for_lines=not_for_lines(measurement, all_tags, field_types),
            eager=eager,
        )

    return WriteOperation(
        data,
        make_encoder,
        (params, db is None),
        stamp=stamp is not False and check_bool("stamp", stamp),
        find_rejected=find_rejected is not False and check_bool("find_rejected", find_rejected),
        in_flight=check_limit("in_flight", in_flight) or 1,
        timeout=as_timeout(timeout),
    )


@cache  # an import is felt in every small write
def _encoder_class() -> type[Encoder]:
    from .._encode.encoder import Encoder  # noqa: PLC0415 - not needed by those who only read, and slow to import

    return Encoder
