"""Checks of arguments. What is wrong is told by a message that begins with the argument's name."""

from __future__ import annotations


def text(name: str, value: object) -> str:
    """Check that an argument is text that can be encoded.

    Raises:
        TypeError: it is no str.
        ValueError: it holds a lone surrogate.
    """
    if not isinstance(value, str):
        msg = f"{name}: must be a str, not {type(value).__name__}"
        raise TypeError(msg)
    try:
        value.encode()
    except UnicodeEncodeError:
        msg = f"{name}: {value!r} contains a lone surrogate, which is no text"
        raise ValueError(msg) from None
    return value


def given(**params: str | None) -> list[tuple[str, str]]:
    """Give those parameters of a URL that are not None, checked to be text."""
    return [(name, text(name, value)) for name, value in params.items() if value is not None]


def limit(name: str, value: object) -> int | None:
    """Check that an argument is a positive integer, or None for no limit.

    Raises:
        ValueError: it is neither.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    msg = f"{name}: must be a positive integer or None, not {value!r}"
    raise ValueError(msg)
