"""Values in error messages: short, on one line, and whatever the value is without an error of its own."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 60


def short_repr(value: object) -> str:
    """Give a `repr` of bearable length."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str | bytes) and len(value) > _LONGEST:
        value = value[: _LONGEST - 4]
        return f"{value!a}..."
    try:
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except Exception:  # noqa: BLE001 - what a stranger's `__repr__` raises must not hide the error that is being told
        return f"an object of {type(value).__qualname__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]}..."
