"""Timestamps in ISO 8601 as InfluxDB prints them, read one at a time."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from .._errors import SerializationError
from .._time import in_range, to_nanoseconds

#: A timestamp with an offset; a fraction has at most 9 digits.
_WITH_OFFSET: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?[+-][0-9]{2}:[0-9]{2}"
)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC by definition; subtracting naive datetimes is faster


def read_timestamp(value: Any) -> Any:
    """Return the nanoseconds of a timestamp since 1970, or a value that is not a timestamp unchanged."""
    # The usual form without a regular expression. `fromisoformat` checks the digits. Python 3.14 accepts 24:00.
    if type(value) is str and value[4:19:3] == "--T::" and value[11:13] != "24":
        fraction = value[19:].removesuffix("Z")
        digits = fraction[1:].ljust(9, "0")
        if not fraction or (fraction[0] == "." and fraction[1:].isdigit() and len(digits) == 9 and value.isascii()):
            try:
                delta = datetime.fromisoformat(value[:19]) - _EPOCH
                return in_range((delta.days * 86_400 + delta.seconds) * 1_000_000_000 + int(digits), value)
            except (SerializationError, ValueError, TypeError):  # TypeError: with a zone instead of digits
                return value
        if _WITH_OFFSET.fullmatch(value):
            with suppress(SerializationError):  # outside the range of int64, or not a date
                return to_nanoseconds(value)
    return value
