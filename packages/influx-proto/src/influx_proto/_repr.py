"""Short representations of values for error messages: one line, and never an exception."""

from __future__ import annotations

from typing import Final

_MAX_LENGTH: Final = 60


def short_repr(value: object) -> str:
    """Return a `repr` of at most about 60 characters."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str | bytes) and len(value) > _MAX_LENGTH:
        value = value[: _MAX_LENGTH - 4]
        return f"{value!a}..."
    try:
        full = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except Exception:  # noqa: BLE001 - an exception of a foreign `__repr__` must not hide the error being reported
        return f"an object of {type(value).__qualname__}"
    return full if len(full) <= _MAX_LENGTH else f"{full[: _MAX_LENGTH - 4]}..."


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: `1 line`, `2 lines`. The noun does not change if it ends in `s`."""
    return f"{number} {noun if number == 1 or noun.endswith('s') else noun + 's'}"


def describe_type(value: object) -> str:
    """Return the name of the class of a value with its article: `a list`, `an int`."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
