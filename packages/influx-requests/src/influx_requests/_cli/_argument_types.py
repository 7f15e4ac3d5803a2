"""Parsers of the values of options."""

from __future__ import annotations

import argparse
from typing import Any


def split_names(text: str) -> tuple[str, ...]:
    """Split names at commas; a quoted name may contain commas, as in CSV."""
    import csv  # noqa: PLC0415 - rarely needed

    [row] = csv.reader([text.replace("\n", " ")], skipinitialspace=True) if text else [[]]
    return tuple(name.strip() for name in row if name.strip())


def parse_separator(text: str) -> str:
    """Return the separator of columns; `tab` is one."""
    separator = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(separator) != 1 or separator in '"\r\n':
        raise argparse.ArgumentTypeError(f"got {text!r}; pass one character, or tab")
    return separator


def parse_types(text: str) -> dict[str, str]:
    """Parse `COLUMN=TYPE,...`."""
    known = {"int": "integer", "float": "float", "bool": "boolean", "string": "string", "integer": "integer",
             "boolean": "boolean", "str": "string"}  # fmt: skip
    types: dict[str, str] = {}
    for part in split_names(text):
        name, equals, type_name = part.rpartition("=")
        if not equals or type_name not in known:
            msg = f"got {part!r}; pass COLUMN=TYPE, where TYPE is int, float, bool or string"
            raise argparse.ArgumentTypeError(msg)
        types[name] = known[type_name]
    return types


def parse_seconds(text: str) -> float:
    """Parse a number of seconds, 0 or more."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"got {text!r}; pass a number of seconds, 0 or more")
    return seconds


def parse_json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object."""
    import json  # noqa: PLC0415 - rarely needed

    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('must be a JSON object, such as {"host": "a"}')
    return value


def parse_count(text: str) -> int:
    """Parse a whole number, 0 or more."""
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise argparse.ArgumentTypeError(f"got {text!r}; pass a whole number, 0 or more")
    return int(text)


def parse_port(text: str) -> int:
    """Parse the number of a port."""
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"got {text!r}; pass a port between 1 and 65535")
    return int(text)
