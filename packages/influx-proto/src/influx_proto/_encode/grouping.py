"""Many points of one kind at a time: column by column, which takes half the time of point by point.

A run with anything out of the ordinary is given back, to be written point by point: what an error is, and which points
are passed over, is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from typing import Any, Final, NamedTuple, TypeAlias

#: How many points are written at a time: enough that what is done once for all of them does not count, and few enough
#: that they stay in the processor's caches.
_LONGEST_RUN: Final = 500

#: Fewer are faster one by one.
_SHORTEST_RUN: Final = 8


class NotColumnar(Exception):
    """Raised where values cannot be encoded column by column; they are then encoded one at a time."""


class EncodedGroup(NamedTuple):
    """The lines of many points."""

    data: bytes
    lines: int
    timed: bool


#: Gives the lines of many values of one class, and whether all have a time; or None, if they have to be written one by
#: one.
Lines: TypeAlias = Callable[[Sequence[Any]], tuple[bytes, bool] | None]


def classes_of(values: Sequence[object]) -> set[type]:
    """Give the classes of values, of which there must be one at least."""
    classes = list(map(type, values))
    first = classes[0]
    # Most often all are of one, and to count them takes less time than to put each into a set.
    return {first} if classes.count(first) == len(classes) else set(classes)


def with_runs(
    items: Iterable[object], lines_of: Callable[[type], Lines | None], room: Callable[[], int]
) -> Iterator[object]:
    """Give the values of an iterable, many points of one class as a run.

    Only what cannot change any more: of an iterable that makes its values as it is read, each is written before the
    next is asked for, unless it is a tuple. And only where the first is a point, to do no harm to all others.

    Args:
        items: the values.
        lines_of: gives what writes many values of a class; None where they are written one by one.
        room: gives how many lines a run may have now.
    """
    if type(items) is list or type(items) is tuple:
        return _runs_of_known(items, lines_of, room)
    values = iter(items)
    for first in values:
        rest = chain((first,), values)
        return _runs_of_read(rest, lines_of, room) if lines_of(type(first)) is not None else rest
    return values


def _runs_of_known(
    items: Sequence[object], lines_of: Callable[[type], Lines | None], room: Callable[[], int]
) -> Iterator[object]:
    if not items or lines_of(type(items[0])) is None:
        yield from items
        return
    at = 0
    while part := items[at : at + min(_LONGEST_RUN, room())]:
        at += len(part)
        for kind, group in ((type(part[0]), part),) if len(classes_of(part)) == 1 else groupby(part, type):
            run = list(group)
            found = lines(run) if len(run) >= _SHORTEST_RUN and (lines := lines_of(kind)) is not None else None
            if found is None:
                yield from run
            else:
                yield EncodedGroup(found[0], len(run), found[1])


def _runs_of_read(
    values: Iterable[object], lines_of: Callable[[type], Lines | None], room: Callable[[], int]
) -> Iterator[object]:
    for kind, group in groupby(values, type):
        lines = lines_of(kind) if issubclass(kind, tuple) else None
        if lines is None:
            yield from group
            continue
        while run := list(islice(group, min(_LONGEST_RUN, room()))):
            found = lines(run) if len(run) >= _SHORTEST_RUN else None
            if found is None:
                yield from run
            else:
                yield EncodedGroup(found[0], len(run), found[1])
