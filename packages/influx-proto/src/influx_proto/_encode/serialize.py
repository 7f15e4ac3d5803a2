"""Anything that can be written, as line protocol: in one piece or in batches, without a client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from .._checks import check_limit
from .._errors import SerializationError
from .._line_protocol.options import FieldOptions, FieldType, ObjectColumns
from .._time import wire_precision
from .batch import BATCH_BYTES, BATCH_LINES
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
    """Encode anything that can be written as line protocol.

    Args:
        data: `str` or bytes of line protocol, which stay as they are; a mapping with `measurement`, `time`, `tags` and
            `fields`; a pandas DataFrame, whose index is a DatetimeIndex, each row a point; a pandas Series with such
            an index, whose name is the field key; a table of polars, pyarrow or anything else with Arrow's C stream,
            with a column `time` of timestamps, dates or integers; an iterable or generator of these, nested to any
            depth. Of tables the columns that `tag_columns` names are tags and all others fields; missing cells are
            omitted.
        measurement: the measurement of points that name none.
        precision: the unit of times that are bare integers. The lines have nanoseconds, ready-made ones what they had.
        tags: tags for all points; a tag of the point takes precedence. Raw line protocol has its own tags: `tags`,
            `measurement` and `field_types` beside it raise.
        tag_columns: the columns of a DataFrame that are tags: a list, a `pandas.Index` or any other iterable of str.
        time_column: the column of a DataFrame or table that has the times: timestamps, dates, or integers in
            `precision`. None for the index of a pandas DataFrame and the column `time` of a table.
        object_columns: how the cells of a DataFrame's object columns are written: `str` for their text, `infer` for
            each by its own type, which has to be one in a column.
        unsigned: whether the server stores unsigned integers, and such values may be written as `5u`.
        nonfinite: what is done with infinite floats: `raise`, or `omit` them like missing values.
        field_types: the type of single fields: `{"temperature": "float"}` writes 21 as `21.0`. One of `float`,
            `integer`, `unsigned`, `string`, `boolean`.
        integers_as_floats: write all integers as floats.
        extra_tags: more tags for all points, by keyword; `tags` also accepts the names of options.

    Returns:
        The lines, with an LF between them; nothing where there are none.

    Raises:
        SerializationError: a point cannot be written as it is; says which and why.
        ValueError: an argument is not what it must be.
        TypeError: a keyword cannot be meant as a tag.
    """
    from .encoder import Encoder  # noqa: PLC0415 - slow to import

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
        msg = (
            f"the ready-made lines are in precision {wire_precision(precision)!r} and the points in 'ns', and times in "
            "one body have one precision; serialize_batches keeps them apart"
        )
        raise SerializationError(msg)
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
    """Encode anything that can be written as line protocol, in pieces that a server takes, while it is being read.

    Args:
        data: as for `serialize`. Iterables are read as the batches are taken, so they need not end.
        measurement: as for `serialize`.
        precision: as for `serialize`.
        tags: as for `serialize`.
        tag_columns: as for `serialize`.
        time_column: as for `serialize`.
        object_columns: as for `serialize`.
        max_lines: lines in one batch at the most; None for no limit.
        max_bytes: bytes in one batch at the most, unless a single line is longer; None for no limit.
        unsigned: as for `serialize`.
        nonfinite: as for `serialize`.
        field_types: as for `serialize`.
        integers_as_floats: as for `serialize`.
        extra_tags: more tags for all points, by keyword; `tags` also accepts the names of options.

    Returns:
        The batches; each has lines of one precision, `ns` for points and the caller's for ready-made lines.

    Raises:
        SerializationError: a point cannot be written as it is; says which and why. Batches that were given before are
            whole.
        ValueError: an argument is not what it must be.
        TypeError: a keyword cannot be meant as a tag.
    """
    from .encoder import Encoder  # noqa: PLC0415 - slow to import

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
