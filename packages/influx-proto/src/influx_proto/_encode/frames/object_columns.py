"""Object columns of tables, whose cells can have any type.

By default the cells are encoded as strings, with `str(cell)`. With `infer` each is encoded according to its class, and
all of them must have the same field type. If they also have the same class, they are encoded column by column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from ..._errors import SerializationError
from ..._line_protocol.options import FieldOptions, FieldType
from ..._line_protocol.values import LAST_INTEGER, FieldValueEncoder
from ..._repr import short_repr
from .model import Codes, Reader

_TEXT: Final = {str, type(None)}


def convert_to_strings(column: Reader) -> Reader:
    """Return the reader of an object column with its cells converted to strings."""

    def texts(start: int, stop: int) -> Sequence[Any]:
        cells = column.cells(start, stop)
        return cells if _TEXT.issuperset(map(type, cells)) else [_to_str(cell) for cell in cells]

    def array(start: int, stop: int) -> Codes | None:
        coded: Codes | None = column.array(start, stop)
        if coded is None:
            return None
        cells = coded.cells
        return Codes(coded.codes, lambda codes: [_to_str(cell) for cell in cells(codes)])

    return Reader(texts, array, column.size, has_texts=True)


def _to_str(cell: Any) -> str | None:
    if type(cell) is str:
        return cell
    if isinstance(cell, str):  # also a member of a str `Enum`, which is encoded by its value
        return str.__str__(cell)
    try:
        if _DEFAULT_ENCODER.encode(cell) is None:
            return None  # missing, and not "None", "nan" or "NaT"
    except SerializationError:
        pass  # not supported as a field value, but can be converted to a string
    return str(cell)


#: Detects missing values.
_DEFAULT_ENCODER: Final = FieldValueEncoder(FieldOptions())


#: Classes whose cells all have the same field type. For each the numpy dtype and a placeholder for missing cells, or
#: None if the cells are encoded as objects.
_UNIFORM: Final[dict[type, tuple[str, object] | None]] = {
    float: ("float64", math.nan),
    int: ("int64", 0),
    bool: ("bool", False),
    str: None,
    Decimal: None,
    type(None): None,
}


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

    def classify(self, cells: Sequence[Any]) -> tuple[type, bool] | None:
        """Return the class of the next cells, and whether some are None.

        Returns None if they have several classes, or not the type of the earlier cells.
        """
        classes = set(map(type, cells))
        cls, *others = classes - {type(None)} or classes
        if others or cls not in _UNIFORM:
            return None
        if cls is int and max(filter(None, cells), default=0) > LAST_INTEGER:
            return None  # such integers may be unsigned, and others signed
        try:
            first = next((cell for cell in cells if self._encoder.encode(cell) is not None), None)
        except SerializationError:
            return None
        return (cls, len(classes) > 1) if self.find_problem(first) is None else None

    def convert(self, cells: Sequence[Any]) -> Reader | None:
        """Return a column with the next cells, with a numpy array of numbers and booleans.

        Returns None if the cells have several classes, or not the type of the earlier cells.
        """
        found = self.classify(cells)
        if found is None:
            return None
        cls, has_missing = found
        uniform = _UNIFORM[cls]

        def array(_start: int, _stop: int) -> Any:
            import numpy as np  # noqa: PLC0415 - already imported for the table

            if uniform is None:
                return None
            dtype, placeholder = uniform
            if not has_missing:
                return np.array(cells, dtype)
            values = np.array([placeholder if cell is None else cell for cell in cells], dtype)
            return values if cls is float else np.ma.array(values, mask=[cell is None for cell in cells])

        return Reader(lambda _start, _stop: cells, array, has_texts=cls is str)


def _find_field_type(encoded: bytes) -> FieldType:
    """Return the type of an encoded field value."""
    if encoded in {b"true", b"false"}:
        return "boolean"
    return _SUFFIXES.get(encoded[-1:], "float")


_SUFFIXES: Final[Mapping[bytes, FieldType]] = {b'"': "string", b"i": "integer", b"u": "unsigned"}
