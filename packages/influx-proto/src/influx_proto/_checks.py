"""Checks of arguments. What is wrong is told by a message that begins with the argument's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


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
        # It may be a URL with a password: the message does not quote it.
        msg = f"{name}: contains a lone surrogate, which UTF-8 cannot encode"
        raise ValueError(msg) from None
    return value


def given(**params: str | None) -> list[tuple[str, str]]:
    """Give those parameters of a URL that are not None, checked to be text."""
    return [(name, text(name, value)) for name, value in params.items() if value is not None]


def flag(name: str, value: object) -> bool:
    """Return the argument if it is a bool; other values are rejected, since `"no"` is true in Python.

    Raises:
        TypeError: it is not a bool.
    """
    if isinstance(value, bool):
        return value
    msg = f"{name}: must be True or False, not {value!r}"
    raise TypeError(msg)


def choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Check that an argument is one of some words.

    Raises:
        ValueError: it is not.
    """
    if value not in (known := tuple(choices)):
        msg = f"{name}: must be one of {', '.join(known)}, not {value!r}"
        raise ValueError(msg)


def integer(name: str, value: object, least: int) -> int:
    """Check that an argument is an integer from `least` on.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    msg = f"{name}: must be an integer from {least} on, not {value!r}"
    raise ValueError(msg)


def limit(name: str, value: object) -> int | None:
    """Check that an argument is a positive integer, or None for no limit.

    Raises:
        ValueError: it is neither.
    """
    return None if value is None else integer(name, value, 1)


def seconds(name: str, value: object) -> float:
    """Check that an argument is a number of seconds, zero or more.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return value
    msg = f"{name}: must be a number of seconds from 0 on, not {value!r}"
    raise ValueError(msg)


def mapping(name: str, value: object) -> Mapping[Any, Any]:
    """Check that an argument is a mapping.

    Raises:
        TypeError: it is not.
    """
    if isinstance(value, Mapping):
        return value
    msg = f"{name}: must be a mapping, not {type(value).__name__}"
    raise TypeError(msg)
