"""Iteration over many values: groups of consecutive values of one class, and flushes between values.

Column-wise encoding takes half the time of encoding values one at a time. A group with any value that is not eligible
for this fast path is yielded value by value instead; only the encoding of single values skips points and raises errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from typing import Any, Final, NamedTuple, TypeAlias

#: Values in one group: enough to make the fixed costs of a group negligible, and few enough to stay in the caches of
#: the processor.
_MAX_GROUP: Final = 500

#: Smaller groups are faster to encode one value at a time.
_MIN_GROUP: Final = 8


class NotColumnar(Exception):
    """Raised if values cannot be encoded column by column; they are then encoded one at a time."""


class TooLong(NotColumnar):
    """Raised if the values of a group are too long together; smaller groups are then encoded."""


class EncodedGroup(NamedTuple):
    """Encoded lines of a group of points."""

    data: bytes
    lines: int
    timed: bool


class Flush:
    """Sentinel after each item of a lazy iterable: flush before requesting the next item."""


def with_flushes(items: Iterable[object]) -> Iterator[object]:
    flush = Flush()
    for item in items:
        yield item
        yield flush


#: Returns the lines of many values of one class (at least one), and whether all have a timestamp; None if a value is
#: not eligible for the fast path. Raises TooLong.
GroupEncoder: TypeAlias = Callable[[Sequence[Any]], tuple[bytes, bool] | None]


def collect_classes(values: Sequence[object]) -> set[type]:
    """Return the classes of values; there must be at least one value."""
    classes = list(map(type, values))
    first = classes[0]
    # Usually all values have one class, and counting is faster than adding each class to a set.
    return {first} if classes.count(first) == len(classes) else set(classes)


def group_values(
    items: Iterable[object], find_encoder: Callable[[type], GroupEncoder | None], get_capacity: Callable[[], int]
) -> Iterator[object]:
    """Yield the values of an iterable, with consecutive points of one class as an `EncodedGroup`.

    A lazy iterable may modify an object and yield it again, so each value is yielded before the next is requested;
    only tuples are grouped, since they are immutable. No values are grouped if the first is not a point.

    Args:
        items: the values.
        find_encoder: returns the encoder for groups of a class, or None if its values are encoded one at a time.
        get_capacity: returns the number of lines that the next group can have.
    """
    if type(items) is list or type(items) is tuple:
        return _group_sequence(items, find_encoder, get_capacity)
    values = iter(items)
    for first in values:
        rest = chain((first,), values)
        return _group_tuples(rest, find_encoder, get_capacity) if find_encoder(type(first)) is not None else rest
    return values


def _group_sequence(
    items: Sequence[object], find_encoder: Callable[[type], GroupEncoder | None], get_capacity: Callable[[], int]
) -> Iterator[object]:
    if not items or find_encoder(type(items[0])) is None:
        yield from items
        return
    at = 0
    while part := items[at : at + min(_MAX_GROUP, get_capacity())]:
        at += len(part)
        for cls, values in ((type(part[0]), part),) if len(collect_classes(part)) == 1 else groupby(part, type):
            group = list(values)
            encode = find_encoder(cls) if len(group) >= _MIN_GROUP else None
            yield from group if encode is None else _encode_group(group, encode)


def _group_tuples(
    items: Iterable[object], find_encoder: Callable[[type], GroupEncoder | None], get_capacity: Callable[[], int]
) -> Iterator[object]:
    for cls, values in groupby(items, type):
        encode = find_encoder(cls) if issubclass(cls, tuple) else None
        if encode is None:
            yield from values
            continue
        # The first groups are small, so that few values are in memory until their size is known.
        size = _MIN_GROUP
        while group := list(islice(values, min(size, get_capacity()))):
            size = min(size * 2, _MAX_GROUP)
            for item in _encode_group(group, encode):
                if type(item) is not EncodedGroup:
                    size = _MIN_GROUP
                yield item


def _encode_group(group: Sequence[object], encode: GroupEncoder) -> Iterator[object]:
    """Yield the group encoded: split in two if it is too long, and value by value if it is not eligible."""
    if len(group) < _MIN_GROUP:
        yield from group
        return
    is_long = False
    found = None
    try:
        found = encode(group)
    except TooLong:
        is_long = True
    if is_long:  # outside of the `except` block, in which the exception keeps the encoded values in memory
        middle = len(group) // 2
        yield from _encode_group(group[:middle], encode)
        yield from _encode_group(group[middle:], encode)
    elif found is None:
        yield from group
    else:
        yield EncodedGroup(found[0], len(group), found[1])
