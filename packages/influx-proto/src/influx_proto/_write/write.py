"""Builders of writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from .._checks import check_bool, check_limit
from .._encode.batch import BATCH_BYTES, BATCH_LINES
from .._encode.encoder import Encoder
from .._encode.extra_tags import joined_tags, not_for_lines
from .._encode.frames.model import check_table_columns
from .._errors import SerializationError
from .._http.compression import GZIP_MAGIC
from .._http.messages import Repeat
from .._http.timeout import TimeoutLike, as_timeout
from .._line_protocol.options import FieldType, ObjectColumns
from .._runtime.op import Op
from .._runtime.settings import Settings
from .._time import wire_precision
from .keys import keeps_options
from .operation import WriteOperation, WriteOptions, check_not_compressed
from .request import WriteReceiver, as_target, bucket_precision_error, write_request


def write_compressed(
    data: bytes | bytearray | memoryview,
    *,
    db: str | None = None,
    rp: str | None = None,
    bucket: str | None = None,
    org: str | None = None,
    precision: str | None = None,
    consistency: str | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[bool]:
    """Write line protocol that is already compressed with gzip, such as the contents of a file.

    The data is not decompressed, and some lines may have no timestamp. So the client retries the request only if the
    server cannot have received it.

    Args:
        data: line protocol, compressed with gzip.
        db: the database; None for the client's database.
        rp: the retention policy; None for the database's default.
        bucket: the bucket, instead of `db` and `rp`; the write then uses `/api/v2/write`. None for the client's bucket,
            unless `db` or `rp` is passed.
        org: the organization of `bucket`; None for the client's organization.
        precision: the unit of the timestamps: `ns` (the default), `u`, `ms` or `s`, and except for a bucket, `m` or
            `h`.
        consistency: the write consistency of a cluster: `any`, `one`, `quorum` or `all`.
        timeout: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.

    Returns:
        True.

    Raises:
        SerializationError: the data is not compressed with gzip.
        WriteError: the server rejects points.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise SerializationError(f"data: must be bytes, not {type(data).__name__}")
    body = bytes(data)
    if not body.startswith(GZIP_MAGIC):
        raise SerializationError("data: must be compressed with gzip; use write for uncompressed data")
    unit = wire_precision("ns" if precision is None else precision)
    headers = (("Content-Encoding", "gzip"),)
    target = as_target(db, rp, consistency, bucket, org)
    if bucket is not None and (problem := bucket_precision_error(unit)) is not None:
        raise ValueError(problem)
    request = write_request(target, unit, body, headers, repeat=Repeat.UNLESS_RECEIVED)
    return Op(request, WriteReceiver, as_timeout(timeout))


def write(
    data: object,
    measurement: str | None = None,
    *,
    db: str | None = None,
    rp: str | None = None,
    bucket: str | None = None,
    org: str | None = None,
    precision: str | None = None,
    consistency: str | None = None,
    tag_columns: Iterable[str] = (),
    time_column: str | None = None,
    object_columns: ObjectColumns = "str",
    tags: Mapping[str, object] | None = None,
    unsigned: bool | None = None,
    nonfinite: Literal["raise", "omit"] | None = None,
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool | None = None,
    timeout: TimeoutLike | None = None,
    **extra_tags: object,
) -> Op[bool]:
    """Write points in one request, regardless of their number.

    See `write_batches` for the arguments. The `write` method of a client is `write_batches`.

    Raises:
        SerializationError: a point cannot be encoded, or the data has no points.
    """
    operation = write_batches(
        data,
        measurement,
        db=db,
        rp=rp,
        bucket=bucket,
        org=org,
        precision=precision,
        consistency=consistency,
        tag_columns=tag_columns,
        time_column=time_column,
        object_columns=object_columns,
        tags=tags,
        max_lines=None,
        max_bytes=None,
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
    return operation.single_op()


@keeps_options
def write_batches(
    data: object,
    measurement: str | None = None,
    *,
    db: str | None = None,
    rp: str | None = None,
    bucket: str | None = None,
    org: str | None = None,
    precision: str | None = None,
    consistency: str | None = None,
    tag_columns: Iterable[str] = (),
    time_column: str | None = None,
    object_columns: ObjectColumns = "str",
    tags: Mapping[str, object] | None = None,
    max_lines: int | None = BATCH_LINES,
    max_bytes: int | None = BATCH_BYTES,
    stamp: bool = False,
    find_rejected: bool = False,
    in_flight: int = 1,
    unsigned: bool | None = None,
    nonfinite: Literal["raise", "omit"] | None = None,
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool | None = None,
    timeout: TimeoutLike | None = None,
    **extra_tags: object,
) -> WriteOperation:
    """Write points, in one request or, if there are many, in several.

    Args:
        data: the points. `str` or `bytes` of raw line protocol, sent unchanged; a mapping with `measurement`, `time`,
            `tags` and `fields`; an object of a `@lineprotocol` class; a pandas DataFrame with a `DatetimeIndex`; a
            pandas Series with such an index, whose name is the field key; a table that supports the Arrow C stream
            interface (polars, pyarrow, duckdb) and has a column `time`, or the one that `time_column` names; or an
            iterable of these, which may be nested. Iterables are read lazily, while earlier batches are sent. An async
            client also accepts an async iterable.
        measurement: the measurement of points without one.
        db: the database; None for the client's database.
        rp: the retention policy; None for the database's default.
        bucket: the bucket, instead of `db` and `rp`; the write then uses `/api/v2/write`. None for the client's bucket,
            unless `db` or `rp` is passed.
        org: the organization of `bucket`; None for the client's organization.
        precision: the unit of integer timestamps and of the timestamps in raw line protocol: `ns` (the default), `u`,
            `ms`, `s`, `m` or `h`. A bucket does not support raw line protocol in `m` or `h`.
        consistency: the write consistency of a cluster: `any`, `one`, `quorum` or `all`.
        tag_columns: the columns of a DataFrame that are tags: a list, a `pandas.Index` or any other iterable of str.
        time_column: the column of a DataFrame or table that has the times: timestamps, dates, or integers in
            `precision`. None for the index of a pandas DataFrame and the column `time` of a table.
        object_columns: how to write object columns of a DataFrame: `str` converts each value to a str, `infer` writes
            each value by its type, which must be the same in the whole column.
        tags: tags for all points, in addition to the client's tags. A tag of a point takes precedence. Raw line
            protocol accepts no additional tags: `tags`, `measurement` and `field_types` raise with it.
        max_lines: the maximum number of lines of a request; None for no limit.
        max_bytes: the maximum size of a request in bytes, unless a single line is longer; None for no limit.
        stamp: add the client's time, strictly increasing, to points and lines without a timestamp. Otherwise the server
            stamps all points of a request with the same time. Then only one of several points of a series is stored,
            and the client cannot retry the request after a failure if the server may have received it.
        find_rejected: store all lines that the server accepts, and then raise an error with all rejected lines. The
            client writes parts of a batch again, which stores nothing twice: InfluxDB 1.x does not identify all of
            them, and InfluxDB 2, 3 and other servers store no line of a request with a rejected one.
        in_flight: the maximum number of concurrent requests, while the next batch is encoded. More are faster, but the
            server stores them in any order: of two values of one point, either may be stored last.
        unsigned: whether the server supports unsigned integers: `numpy.uint64` and integers beyond int64 are then
            written as such. For this and the following arguments, None means the setting of the client.
        nonfinite: how to write infinite floats: `raise` an error, or `omit` them like missing values.
        field_types: type overrides for fields: `{"temperature": "float"}` writes 21 as `21.0`. The types are `float`,
            `integer`, `unsigned`, `string` and `boolean`. The client's overrides apply to all other fields.
        integers_as_floats: write all integers as floats.
        timeout: replaces the client's timeout for each request of this call; see the client.
        extra_tags: more tags for all points, as keywords. A keyword that is an option of another method, or one edit
            away from an option, raises; `tags` accepts any name.

    Returns:
        True. Without points, no request is sent.

    Raises:
        TypeError: a keyword looks like a misspelled option.
        SerializationError: a point cannot be encoded. The message names the point and the problem. No line of its batch
            is sent.
        WriteError: the server rejects points: `PartialWriteError` if it stored the others, `PayloadTooLarge` if a
            single line is too large. Other requests that are too large are split.
        DatabaseNotFound: the database does not exist.
        AuthenticationError: the credentials are invalid or do not permit the write.
    """
    check_not_compressed(data)
    target = as_target(db, rp, consistency, bucket, org)
    # Copies, so that later changes by the caller do not affect a pending write.
    all_tags = joined_tags(tags, extra_tags)
    field_types = {**field_types} if isinstance(field_types, Mapping) else field_types  # others raise below
    columns, time_column = check_table_columns(tag_columns, time_column)  # the encoder rejects a str
    max_lines, max_bytes = check_limit("max_lines", max_lines), check_limit("max_bytes", max_bytes)

    def make_encoder(settings: Settings, *, stamp: Callable[[], int] | None = None, eager: bool = False) -> Encoder:
        problem = not_for_lines(measurement, all_tags, field_types)
        if precision is not None and (bucket is not None or (settings.bucket is not None and db is rp is None)):
            problem = problem or bucket_precision_error(wire_precision(precision))
        return Encoder(
            measurement,
            precision="ns" if precision is None else precision,
            tag_columns=columns,
            time_column=time_column,
            object_columns=object_columns,
            tags={**settings.tags, **all_tags},
            max_lines=max_lines,
            max_bytes=max_bytes,
            field_options=settings.types.with_overrides(unsigned, nonfinite, field_types, integers_as_floats),
            stamp=stamp,
            not_for_lines=problem,
            eager=eager,
        )

    options = WriteOptions(
        make_encoder,
        target,
        stamp=stamp is not False and check_bool("stamp", stamp),
        find_rejected=find_rejected is not False and check_bool("find_rejected", find_rejected),
        in_flight=check_limit("in_flight", in_flight) or 1,
        timeout=as_timeout(timeout),
    )
    return WriteOperation(data, options)
