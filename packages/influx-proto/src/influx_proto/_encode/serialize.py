"""Public functions that encode line protocol without a client, as one body or in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from .._checks import check_limit
from .._errors import SerializationError
from .._line_protocol.options import FieldOptions, FieldType, ObjectColumns
from .._time import wire_precision
from .batch import BATCH_BYTES, BATCH_LINES
from .encoder import Encoder
from .extra_tags import joined_tags, not_for_lines


def serialize(
    data: object,
    measurement: str | None = None,
    *,
    precision: str = "ns",
    tags: Mapping[str, object] | None = None,
    tag_columns: Iterable[str] = (),
    time_column: str | None = None,
    object_columns: ObjectColumns = "str",
    unsigned: bool = False,
    nonfinite: Literal["raise", "omit"] = "raise",
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool = False,
    **extra_tags: object,
) -> bytes:
    """Encode any supported input as line protocol.

    Args:
        data: raw line protocol as `str` or bytes, which is not changed; a mapping with `measurement`, `time`, `tags`
            and `fields`; an object of a `@lineprotocol` class; a pandas DataFrame with a DatetimeIndex, each row a
            point; a pandas Series with a DatetimeIndex, whose name is the field key; a table of polars, pyarrow or any
            other library with Arrow's C stream interface, with a column `time` of timestamps, dates or integers; an
            iterable or generator of these, which may be nested. In tables, the columns in `tag_columns` are tags, and
            all others are fields; missing cells are omitted.
        measurement: the measurement of points without one.
        precision: the unit of integer timestamps and of the timestamps in raw line protocol. Raw line protocol keeps
            its precision; all other lines have nanoseconds.
        tags: tags for all points; a tag of the point takes precedence. Raw line protocol already contains its tags:
            together with it, `tags`, `measurement` and `field_types` raise `SerializationError`.
        tag_columns: the columns of a DataFrame that are tags: a list, a `pandas.Index` or any other iterable of str.
        time_column: the column of a DataFrame or table with the timestamps: timestamps, dates, or integers in
            `precision`. None for the index of a pandas DataFrame and the column `time` of a table.
        object_columns: how the cells of a DataFrame's object columns are encoded: `str` converts each to str, `infer`
            uses its type, which must be the same in the whole column.
        unsigned: whether the server supports unsigned integers, so that they can be encoded as `5u`.
        nonfinite: how infinite floats are handled: `raise` an error, or `omit` them like missing values.
        field_types: type overrides by field key: `{"temperature": "float"}` encodes 21 as `21.0`. One of `float`,
            `integer`, `unsigned`, `string`, `boolean`.
        integers_as_floats: encode all integers as floats.
        extra_tags: more tags for all points, by keyword; `tags` also accepts the names of options.

    Returns:
        The lines, separated by LFs; b"" without lines.

    Raises:
        SerializationError: a point cannot be encoded; the message names the point and the reason.
        ValueError: an argument is invalid.
        TypeError: a keyword is not accepted as a tag.
    """
    all_tags = joined_tags(tags, extra_tags)
    encoder = Encoder(
        measurement,
        precision=precision,
        tag_columns=tag_columns,
        time_column=time_column,
        object_columns=object_columns,
        tags=all_tags,
        not_for_lines=not_for_lines(measurement, all_tags, field_types),
        field_options=FieldOptions().with_overrides(unsigned, nonfinite, field_types, integers_as_floats),
    )
    batches = list(encoder.encode(data))
    if len(batches) > 1:
        raise SerializationError(
            f"precision: raw line protocol in {wire_precision(precision)!r} and points in 'ns' cannot share one body; "
            "use serialize_batches"
        )
    return batches[0].data if batches else b""


def serialize_batches(
    data: object,
    measurement: str | None = None,
    *,
    precision: str = "ns",
    tags: Mapping[str, object] | None = None,
    tag_columns: Iterable[str] = (),
    time_column: str | None = None,
    object_columns: ObjectColumns = "str",
    max_lines: int | None = BATCH_LINES,
    max_bytes: int | None = BATCH_BYTES,
    unsigned: bool = False,
    nonfinite: Literal["raise", "omit"] = "raise",
    field_types: Mapping[str, FieldType] | None = None,
    integers_as_floats: bool = False,
    **extra_tags: object,
) -> Iterator[bytes]:
    """Encode any supported input as batches of line protocol, lazily; an iterable can be infinite.

    A batch has at most `max_lines` lines and `max_bytes` bytes, unless a single line is longer; None sets no limit. The
    other arguments are those of `serialize`.

    Returns:
        An iterator of batches. All lines of a batch have the same precision: `precision` for raw line protocol, and
            `ns` for all other lines.

    Raises:
        SerializationError: a point cannot be encoded; the message names the point and the reason. Batches yielded
            before are complete.
        ValueError: an argument is invalid.
        TypeError: a keyword is not accepted as a tag.
    """
    all_tags = joined_tags(tags, extra_tags)
    encoder = Encoder(
        measurement,
        precision=precision,
        tag_columns=tag_columns,
        time_column=time_column,
        object_columns=object_columns,
        tags=all_tags,
        not_for_lines=not_for_lines(measurement, all_tags, field_types),
        max_lines=check_limit("max_lines", max_lines),
        max_bytes=check_limit("max_bytes", max_bytes),
        field_options=FieldOptions().with_overrides(unsigned, nonfinite, field_types, integers_as_floats),
    )
    return (batch.data for batch in encoder.encode(data))
