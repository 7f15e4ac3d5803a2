"""Object columns of tables, whose cells can have any type.

By default the cells are encoded as strings, with `str(cell)`. With `infer` each is encoded according to its class, and
all of them must have the same field type. If they also have the same class, they are encoded column by column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from ..._errors import SerializationError
from ..._line_protocol.options import FieldOptions, FieldType
from ..._line_protocol.values import LAST_INTEGER, FieldValueEncoder, TagValueEncoder
from ..._repr import short_repr
from .model import Codes, Reader

_TEXT: Final = {str, type(None)}


def convert_to_strings(column: Reader) -> Reader:
    """Return the reader of an object column with its cells converted to strings."""

    def array(start: int, stop: int) -> Codes | None:
        coded: Codes | None = column.array(start, stop)
        return None if coded is None else Codes(coded.codes, lambda codes: _to_strings(coded.cells(codes)))

    return Reader(lambda start, stop: _to_strings(column.cells(start, stop)), array, column.size, has_texts=True)


def _to_strings(cells: Sequence[Any]) -> list[str | None]:
    """Return the cells as strings, with None for missing ones, which are not "None", "nan" or "NaT"."""
    functions = {cls: _find_conversion(cls) for cls in set(map(type, cells))}
    return [functions[type(cell)](cell) for cell in cells] if functions.keys() - _TEXT else list(cells)


def _find_conversion(cls: type) -> Callable[[Any], str | None]:
    if issubclass(cls, str):  # also that of a str `Enum`, whose members are encoded by their values
        return str.__str__
    if _PRESENCE[cls] == _PRESENCE.mark:  # no value of the class is missing
        return str
    return lambda cell: None if _is_missing(cell) else str(cell)


class _Presence(TagValueEncoder):
    """Encoder of the values of all types as empty; only missing values are None."""

    def mark(self, value: Any) -> bytes | None:  # noqa: ARG002 - see the base class
        """Return empty bytes."""
        return b""

    encode_name = _bool = _int = _str = _reject = mark


_PRESENCE: Final = _Presence()


def _is_missing(value: object) -> bool:
    """Return whether a value of any type is missing: None, NaN, `pandas.NA` or `NaT`."""
    return _PRESENCE[type(value)](value) is None


#: The numpy dtype of a class, and a placeholder for missing cells.
_DTYPES: Final[dict[type, tuple[Any, object]]] = {
    float: ("float64", math.nan),
    int: ("int64", 0),
    bool: ("bool", False),
}


def _find_dtype(cls: type) -> tuple[Any, object] | None:
    """Return the numpy dtype of a class, and a placeholder for missing cells; None if its cells are objects."""
    import numpy as np  # noqa: PLC0415 - already imported for the table

    if cls in {np.float64, np.float32}:
        return cls, math.nan
    if issubclass(cls, np.signedinteger) and not issubclass(cls, np.timedelta64):
        return cls, 0
    return _DTYPES.get(bool if cls is np.bool_ else cls)


def _is_uniform(cls: type) -> bool:
    """Return whether all values of a class, which has no dtype, have the same field type."""
    return cls in {str, Decimal, type(None)} or (issubclass(cls, Enum) and not issubclass(cls, int))


class InferredColumn:
    """Object column whose cells are encoded by class, and the check that all have the same field type.

    Args:
        at: the position of the column.
        name: the name of the column.
        field_options: how field values are encoded.
    """

    def __init__(self, at: int, name: str, field_options: FieldOptions) -> None:
        #: The position and the name of the column.
        self.at = at
        self.name = name
        self._encoder = FieldValueEncoder(field_options)
        self._type: FieldType | None = None

    def find_problem(self, cell: object) -> str | None:
        """Return the error message for the next cell, or None if its type equals that of the earlier cells."""
        try:
            encoded = self._encoder.encode(cell)
        except SerializationError:
            return None  # encoding the row raises the error
        if encoded is None:
            return None
        field_type = _find_field_type(encoded)
        if self._type is None:
            self._type = field_type
        if field_type == self._type:
            return None
        return (
            f"field {short_repr(self.name)}: {short_repr(cell)} has type {field_type}, but earlier rows have type "
            f"{self._type}; convert the column, or set its type with field_types"
        )

    def unify(self, cells: Sequence[Any]) -> tuple[type, Sequence[Any]] | None:
        """Return the class of the next cells, and the cells with None for missing ones.

        Returns None if the cells have several classes, or not the type of the earlier cells.
        """
        classes = set(map(type, cells))
        try:
            if len(classes) > 1:  # pandas marks missing cells of any class by NaN
                cells = [None if _is_missing(cell) else cell for cell in cells]
                classes = set(map(type, cells))
            cls, *others = classes - {type(None)} or classes
            if others or not (_is_uniform(cls) or _find_dtype(cls)):
                return None
            if cls is int and max(filter(None, cells), default=0) > LAST_INTEGER:
                return None  # such integers may be unsigned, and others signed
            first = next((cell for cell in cells if self._encoder.encode(cell) is not None), None)
        except SerializationError:
            return None
        return (cls, cells) if self.find_problem(first) is None else None

    def convert(self, cells: Sequence[Any]) -> Reader | None:
        """Return a column with the next cells, with a numpy array of numbers and booleans.

        Returns None if the cells have several classes, or not the type of the earlier cells.
        """
        found = self.unify(cells)
        if found is None:
            return None
        cls, unified = found

        def array(_start: int, _stop: int) -> Any:
            import numpy as np  # noqa: PLC0415 - already imported for the table

            dtype = _find_dtype(cls)
            if dtype is None:
                return None
            if None not in unified:
                return np.array(unified, dtype[0])
            values = np.array([dtype[1] if cell is None else cell for cell in unified], dtype[0])
            return values if values.dtype.kind == "f" else np.ma.array(values, mask=[cell is None for cell in unified])

        return Reader(lambda _start, _stop: unified, array, has_texts=cls is str)


def _find_field_type(encoded: bytes) -> FieldType:
    """Return the type of an encoded field value."""
    if encoded in {b"true", b"false"}:
        return "boolean"
    return _SUFFIXES.get(encoded[-1:], "float")


_SUFFIXES: Final[Mapping[bytes, FieldType]] = {b'"': "string", b"i": "integer", b"u": "unsigned"}
