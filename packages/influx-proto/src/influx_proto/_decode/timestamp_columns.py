"""Vectorized reader of timestamps in ISO 8601 as InfluxDB prints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .cells import Bytes, Offsets

#: Length of a timestamp without a fraction or zone.
_SECONDS_SIZE: Final = 19
#: Length of the longest timestamp without an offset: 9 digits of a fraction, and `Z`.
_MAX_SIZE: Final = 30
#: Years in which all timestamps fit into int64 nanoseconds.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261


def read_strings(strings: Sequence[str]) -> NDArray[np.int64] | None:
    """Return the nanoseconds of timestamps since 1970, or None if they have to be read one at a time."""
    try:
        data = np.frombuffer("\n".join(strings).encode("ascii"), np.uint8)
    except UnicodeEncodeError:
        return None
    ends = np.append(np.flatnonzero(data == ord("\n")), len(data))
    if len(ends) != len(strings):
        return None
    begins = np.append(0, ends[:-1] + 1)
    return read_spans(data, begins, ends - begins)


def read_spans(data: Bytes, begins: Offsets, lengths: Offsets) -> NDArray[np.int64] | None:
    """Return the nanoseconds of the timestamps at these offsets, or None if they have to be read one at a time."""
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < _SECONDS_SIZE or longest > _MAX_SIZE:
        return None
    if shortest == longest:
        return _read_equal_spans(data, begins, longest)
    nanoseconds = np.empty(len(begins), np.int64)
    for length in range(shortest, longest + 1):
        at = np.flatnonzero(lengths == length)
        if len(at):
            found = _read_equal_spans(data, begins[at], length)
            if found is None:
                return None
            nanoseconds[at] = found
    return nanoseconds


def _read_equal_spans(data: Bytes, begins: Offsets, length: int) -> NDArray[np.int64] | None:
    """Read timestamps of the same length."""
    zone = "Z" if data[begins[0] + length - 1] == ord("Z") else ""
    places = length - len(zone) - _SECONDS_SIZE - 1  # of the fraction; -1 without a point
    if places == 0 or places > 9:
        return None
    seconds = _read_digits(data, begins + 16, (":59." if places > 0 else ":59") + "9" * places + zone)
    # Neighbouring rows are often of the same minute, which is then read once.
    words = _gather(data, begins, 16).view(np.uint64)
    first, second = words[::2], words[1::2]
    heads = np.flatnonzero((first[1:] != first[:-1]) | (second[1:] != second[:-1])) + 1
    heads = np.concatenate(([0], heads, [len(begins)]))
    minutes = _read_minutes(data, begins[heads[:-1]])
    if seconds is None or minutes is None:
        return None
    weights = [0, 10_000_000_000, 1_000_000_000]
    if places > 0:
        weights += [0, *(10 ** (8 - place) for place in range(places))]
    weights += [0] * len(zone)
    nanoseconds: NDArray[np.int64] = seconds.astype(np.int64) @ np.array(weights)
    nanoseconds += np.repeat(minutes * 60_000_000_000, heads[1:] - heads[:-1])
    return nanoseconds


def _read_minutes(data: Bytes, begins: Offsets) -> NDArray[np.int64] | None:
    """Return the minutes since 1970, or None if one is not of the form `2065-01-07T17:28`."""
    digits = _read_digits(data, begins, "9999-19-39T29:59")
    if digits is None:
        return None
    weights = np.zeros((16, 5), np.int64)
    weights[:4, 0] = 1000, 100, 10, 1
    for part, at in enumerate((5, 8, 11, 14), 1):
        weights[at : at + 2, part] = 10, 1
    year, month, day, hour, minute = (digits @ weights).T
    months = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    first_days = months.astype("M8[D]").astype(np.int64)
    next_days = (months + np.timedelta64(1, "M")).astype("M8[D]").astype(np.int64)
    is_valid = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12) & (hour < 24)
    if not (is_valid & (day >= 1) & (first_days + day <= next_days)).all():
        return None
    minutes: NDArray[np.int64] = ((first_days + day - 1) * 24 + hour) * 60 + minute
    return minutes


def _read_digits(data: Bytes, begins: Offsets, template: str) -> Bytes | None:
    """Return the value of each character, or None if one does not match.

    Args:
        data: the bytes.
        begins: the offsets of the rows.
        template: the largest digit at each place, or the separator there, whose value is 0.
    """
    largest = np.array([int(place) if place.isdigit() else 0 for place in template], np.uint8)
    zeros = np.array([ord("0" if place.isdigit() else place) for place in template], np.uint8)
    digits: Bytes = _gather(data, begins, len(template)).view(np.uint8).reshape(-1, len(template)) - zeros
    return digits if (digits <= largest).all() else None


def _gather(data: Bytes, begins: Offsets, size: int) -> Any:
    """Return the bytes at these offsets."""
    windows: Any = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))
    return windows[begins]
