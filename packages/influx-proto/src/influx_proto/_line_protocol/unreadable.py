"""Placeholder for cells of tables that cannot be converted to Python objects."""

from __future__ import annotations

from typing import NoReturn

from .._errors import SerializationError
from .._repr import short_repr


class Unreadable:
    """A cell that raises an exception when it is read: a string of invalid UTF-8, for instance.

    Args:
        error: the exception.
    """

    __slots__ = ("_error",)

    def __init__(self, error: Exception) -> None:
        self._error = error

    def reject(self) -> NoReturn:
        """Raise the error for the cell.

        Raises:
            SerializationError: always, with the cause and the remedy.
        """
        error = self._error
        if isinstance(error, UnicodeDecodeError):
            msg = (
                f"the string {short_repr(error.object)} is not valid UTF-8 at index {error.start}; "
                "decode it with its own encoding, or replace the invalid bytes"
            )
        else:
            msg = f"reading the cell raises {short_repr(error)}; correct the cell, or remove the row"
        raise SerializationError(msg) from None
