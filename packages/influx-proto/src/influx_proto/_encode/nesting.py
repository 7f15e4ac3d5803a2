"""Limit of nested input: an iterable within itself, or one whose items are nested without end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .._repr import describe_type

#: Maximum number of nested iterables. Each character of a `UserString` is a `UserString` again.
_MAX_DEPTH: Final = 10_000


def nesting_problem(value: object, outer: Mapping[int, object]) -> str | None:
    """Return why an iterable cannot be read, or None if it can.

    Args:
        value: the iterable.
        outer: the iterables that contain it, by their `id`.
    """
    if id(value) in outer:
        problem = "contains itself"
    elif len(outer) >= _MAX_DEPTH:
        problem = f"is nested in more than {_MAX_DEPTH - 1} iterables"
    else:
        return None
    return f"{describe_type(value)} {problem}; pass raw line protocol, points, or iterables of points"
