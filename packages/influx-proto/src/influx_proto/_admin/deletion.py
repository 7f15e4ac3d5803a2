"""Deletion of points: DELETE of InfluxQL, or a request to the HTTP API for buckets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from .._checks import check_optional_str, given_params
from .._http.timeout import TimeoutLike, as_timeout
from .._influxql.clauses import Name, Tags, delete_conditions
from .._influxql.quote import quote_identifier, quote_time, quoted
from .._runtime.flow import Flow
from .._runtime.op import Op
from .._runtime.settings import Settings
from .._runtime.transport import Clock
from .._time import to_rfc3339
from .http_api import APIReceiver, api_op, ignore_body
from .statement import execute

_PATH: Final = "/api/v2/delete"
_SERVERS: Final = (
    "InfluxDB 1.10 or later and InfluxDB 2 have it; for older versions pass db to delete with InfluxQL; InfluxDB 3 "
    "Core cannot delete points"
)
#: The earliest and latest times that InfluxDB 1.10 or later and InfluxDB 2 accept.
_MIN: Final = -(2**63) + 3
_MAX: Final = 2**63 - 2
#: Names that are not tags in a predicate, and their meaning.
_RESERVED_NAMES: Final = {"_measurement": "the measurement", "_field": "the field"}


def delete(
    measurement: Name | None = None,
    *,
    tags: Tags | None = None,
    start: object = None,
    end: object = None,
    db: str | None = None,
    bucket: str | None = None,
    org: str | None = None,
    timeout: TimeoutLike | None = None,
) -> Op[None]:
    """Delete points from all retention policies of a database, or from a bucket.

    The docstring of `influx_proto.admin` describes the first four arguments. InfluxDB compares names and values in a
    bucket only for equality: patterns, `Not` and `""` raise `ValueError` there, except for `re.compile("")` as
    `measurement`.

    Args:
        measurement: see `influx_proto.admin`.
        tags: see `influx_proto.admin`.
        start: see `influx_proto.admin`.
        end: see `influx_proto.admin`.
        db: delete from this database, with DELETE of InfluxQL.
        bucket: delete from this bucket, with `/api/v2/delete` (InfluxDB 2, InfluxDB 1.10 or later); None for `db`, or
            else for the client's bucket, or else for the client's database.
        org: the name or id of the organization of the bucket, which InfluxDB 2 requires; None for the client's `org`.
        timeout: replaces the client's timeout for each request, in seconds, as `(connect, idle)` or as a `Timeout`.

    Raises:
        ValueError: all conditions are None, or a condition that cannot be expressed for a bucket. To delete all points,
            pass `re.compile("")` as `measurement`.
        ResponseError: the bucket does not exist, the token does not permit it, or the server cannot delete points.
        QueryError: the database does not exist, or the server cannot delete points.
    """
    clauses = delete_conditions("delete", measurement, tags, start, end)
    if db is not None and (bucket is not None or org is not None):
        msg = f"{'org' if bucket is None else 'bucket'}: conflicts with db; pass db for InfluxQL, or bucket and org"
        raise ValueError(msg)
    check_optional_str("bucket", bucket)
    in_database = execute("DELETE", *clauses, db=db, timeout=timeout)
    if db is not None:
        return in_database
    # The bucket of a client is only known when the client executes the operation.
    conditions = [] if tags is None else [(f"tags: {key!r}", key, value) for key, value in tags.items()]
    # A pattern that matches everything adds no comparison.
    if not (measurement is None or (isinstance(measurement, re.Pattern) and not measurement.pattern)):
        conditions.insert(0, ("measurement", "_measurement", measurement))
    points = _Points(tuple(conditions), _nanoseconds("start", start), _nanoseconds("end", end), org)
    op = in_database if bucket is None else points.op(bucket, *points.first_range()).map(lambda _excludes_stop: None)
    return _Delete(op.request, op.receiver, as_timeout(timeout), points=points, bucket=bucket)


@dataclass(frozen=True, slots=True)
class _Delete(Op[None]):
    """Deletion from the bucket, or with the request of the `Op` for a client without a bucket."""

    points: _Points = field(kw_only=True)
    bucket: str | None = field(kw_only=True)

    def flow(self, settings: Settings, clock: Clock) -> Flow[None]:
        """Return the flow of this operation for a client with these settings, including retries."""
        bucket = settings.bucket if self.bucket is None else self.bucket
        if bucket is None:
            return Op.flow(self, settings, clock)
        return self.points.delete(bucket, settings.with_timeout(self.timeout), clock)


@dataclass(frozen=True, slots=True)
class _Points:
    """Points of a bucket: those that meet all conditions, from `start` up to but excluding `end`."""

    #: The argument, the name of the tag or `_measurement`, and the value.
    conditions: tuple[tuple[str, str, object], ...]
    start: int | None
    end: int | None
    org: str | None

    def delete(self, bucket: str, settings: Settings, clock: Clock) -> Flow[None]:
        """Delete the points."""
        excludes_stop = yield from self.op(bucket, *self.first_range()).flow(settings, clock)
        if excludes_stop and self.end is not None:
            yield from self.op(bucket, max(self.end - 1, self.start or _MIN), self.end).flow(settings, clock)

    def first_range(self) -> tuple[int, int]:
        """Return the range of the first request, which does not include the time `end` on any server.

        InfluxDB 2 deletes points at the time `stop`, InfluxDB 1.x does not. So the first request stops 1 ns earlier.
        The response tells the servers apart; InfluxDB 1.x receives a second request for the last nanosecond.
        """
        return _MIN if self.start is None else self.start, _MAX if self.end is None else self.end - 1

    def op(self, bucket: str, start: int, stop: int) -> Op[bool]:
        """Return the request, which returns whether the server excludes the time `stop` from the range."""
        predicate = " AND ".join(_comparison(*condition) for condition in self.conditions)
        document = {"start": to_rfc3339(start), "stop": to_rfc3339(stop), "predicate": predicate}
        params = given_params(bucket=bucket, org=self.org)
        op = api_op("POST", _PATH, ignore_body, servers=_SERVERS, params=params, document=document)
        request = replace(op.request, wants_org=self.org is None)
        return Op(request, partial(_Receiver, ignore_body, _PATH, _SERVERS))


class _Receiver(APIReceiver[Any]):
    """Receives 204 from InfluxDB 2, or 200 from InfluxDB 1.x."""

    def close(self) -> bool:
        super().close()
        return self._status == 200


def _nanoseconds(argument: str, time: object) -> int | None:
    return None if time is None else int(quoted(argument, quote_time, time))


def _comparison(argument: str, name: str, value: object) -> str:
    """Return a comparison of a predicate."""
    if not isinstance(value, str):
        msg = f"{argument}: a bucket supports only equality with a str; pass db to delete with InfluxQL"
        raise ValueError(msg)  # noqa: TRY004 - a database supports the type
    if argument != "measurement" and (meaning := _RESERVED_NAMES.get(name)) is not None:
        raise ValueError(f"{argument} means {meaning} in a bucket; pass db to delete with InfluxQL")
    if not value:  # InfluxDB 2 would delete nothing, without an error
        msg = f"{argument}: a bucket cannot be searched for points without the tag; pass db to delete with InfluxQL"
        raise ValueError(msg)
    # Both servers parse a value in double quotes; InfluxDB 1.x deletes nothing for a measurement in single quotes.
    return f"{quote_identifier(name)}={quote_identifier(value)}"
