"""Checks of arguments: TypeError for a wrong type, ValueError for a wrong value.

The message of an error begins with the name of the argument.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def check_str(name: str, value: object) -> str:
    """Return the argument if it is a str that UTF-8 can encode: it has no lone surrogate."""
    if not isinstance(value, str):
        raise _wrong_type(name, "a str", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        # The argument may be a URL with a password, so the message does not quote it.
        raise ValueError(f"{name}: contains a lone surrogate, which UTF-8 cannot encode") from None
    return value


def check_optional_str(name: str, value: object) -> str | None:
    """Return the argument if it is None or a str that UTF-8 can encode; errors are those of `check_str`."""
    return None if value is None else check_str(name, value)


def given_params(**params: str | None) -> list[tuple[str, str]]:
    """Return the parameters of a URL that are not None; errors are those of `check_str`."""
    return [(name, check_str(name, value)) for name, value in params.items() if value is not None]


def check_bool(name: str, value: object) -> bool:
    """Return the argument if it is a bool; other values are rejected, since `"no"` is true in Python."""
    if isinstance(value, bool):
        return value
    raise TypeError(f"{name}: must be True or False, not {value!r}")


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise an error unless the argument is one of the choices."""
    if value not in (known := tuple(choices)):
        raise ValueError(f"{name}: must be one of {', '.join(known)}, not {value!r}")


def check_int(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return the argument if it is an integer from `least` to `most`, or without an upper limit."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(name, "an int", value)
    if value >= least and (most is None or value <= most):
        return value
    limits = f"at least {least}" if most is None else f"from {least} to {most}"
    raise ValueError(f"{name}: must be {limits}, not {value!r}")


def check_limit(name: str, value: object) -> int | None:
    """Return the argument if it is a positive integer, or None for no limit."""
    return value if value is None or (type(value) is int and value > 0) else check_int(name, value, 1)


def check_seconds(name: str, value: object, *, is_positive: bool = False) -> float:
    """Return the argument if it is a number of seconds that is not negative, or, with `is_positive`, not 0 either."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong_type(name, "a number of seconds", value)
    if value > 0 or (value == 0 and not is_positive):
        return value
    raise ValueError(f"{name}: must be {'more than' if is_positive else 'at least'} 0 seconds, not {value!r}")


def check_mapping(name: str, value: object) -> Mapping[Any, Any]:
    """Return the argument if it is a mapping."""
    if isinstance(value, Mapping):
        return value
    raise _wrong_type(name, "a mapping", value)


def check_path(name: str, value: object) -> str:
    """Return the argument as a str if it is a str or a path object."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(path, str):
        return path
    raise _wrong_type(name, "a str or a path", value)


def check_instance(name: str, value: object, expected: type[T]) -> T:
    """Return the argument if it is an instance of a class."""
    if isinstance(value, expected):
        return value
    raise _wrong_type(name, f"an instance of {expected.__name__}", value)


def _wrong_type(name: str, expected: str, value: object) -> TypeError:
    return TypeError(f"{name}: must be {expected}, not {type(value).__name__}")
