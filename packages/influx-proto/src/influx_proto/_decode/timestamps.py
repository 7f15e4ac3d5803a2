"""Timestamps in ISO 8601 as InfluxDB prints them: one at a time, or many at a time with numpy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from .._errors import SerializationError
from .._time import in_range, to_nanoseconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .cells import Bytes, Offsets

#: A timestamp, in UTC if it has no zone: date and time of day, digits of the fraction of a second, and zone.
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC by definition; subtracting naive datetimes is faster

#: Length of a timestamp without a fraction or zone.
_SECONDS_SIZE: Final = 19
#: Length of the longest timestamp without an offset: 9 digits of a fraction, and `Z`.
_MAX_SIZE: Final = 30
#: Years in which all timestamps fit into int64 nanoseconds.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261


def read_timestamp(value: Any) -> Any:
    """Return the nanoseconds of a timestamp since 1970, or a value that is not a timestamp unchanged."""
    # The usual form without a regular expression. `fromisoformat` checks the digits.
    if type(value) is str and value[4:19:3] == "--T::":
        fraction = value[19:].removesuffix("Z")
        digits = fraction[1:].ljust(9, "0")
        if not fraction or (fraction[0] == "." and fraction[1:].isdigit() and len(digits) == 9 and value.isascii()):
            try:
                return _nanoseconds(value[:19], digits, value)
            except (SerializationError, ValueError, TypeError):  # TypeError: with a zone instead of digits
                return value
    return _read_any_timestamp(value)


def _nanoseconds(seconds: str, digits: str, value: str) -> int:
    """Return the nanoseconds of a timestamp without a zone, and of the 9 digits of its fraction."""
    delta = datetime.fromisoformat(seconds) - _EPOCH
    return in_range((delta.days * 86_400 + delta.seconds) * 1_000_000_000 + int(digits), value)


def _read_any_timestamp(value: Any) -> Any:
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    seconds, fraction, zone = match.groups()
    with suppress(SerializationError, ValueError):  # outside the range of int64, or not a date
        if zone is not None and zone != "Z":
            return to_nanoseconds(value)
        return _nanoseconds(seconds, (fraction or "").ljust(9, "0"), value)
    return value


def read_strings(strings: Sequence[str]) -> NDArray[np.int64] | None:
    """Return the nanoseconds of timestamps since 1970, or None if they have to be read one at a time."""
    import numpy as np  # noqa: PLC0415 - only needed for DataFrames

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
    import numpy as np  # noqa: PLC0415 - see above

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
    import numpy as np  # noqa: PLC0415 - see above

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
    import numpy as np  # noqa: PLC0415 - see above

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
    next_days = (months + 1).astype("M8[D]").astype(np.int64)
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
    import numpy as np  # noqa: PLC0415 - see above

    largest = np.array([int(place) if place.isdigit() else 0 for place in template], np.uint8)
    zeros = np.array([ord("0" if place.isdigit() else place) for place in template], np.uint8)
    digits: Bytes = _gather(data, begins, len(template)).view(np.uint8).reshape(-1, len(template)) - zeros
    return digits if (digits <= largest).all() else None


def _gather(data: Bytes, begins: Offsets, size: int) -> Any:
    """Return the bytes at these offsets."""
    import numpy as np  # noqa: PLC0415 - see above

    windows: Any = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))
    return windows[begins]
