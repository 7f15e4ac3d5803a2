"""Types of CSV columns, detected from their cells.

A column is of integers, of floats (if at least one number is not an integer), of booleans (`true` and `false`), or of
strings. Numbers that would not be written back unchanged are strings: `007`, `+1`. A column of mixed types is an error,
and so is a number that its type cannot represent exactly; `--types` overrides the detected type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ._console import CommandError

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|-?\.[0-9]+(?:[eE][+-]?[0-9]+)?")
#: Numbers with a decimal comma or with thousands separators.
_FORMATTED: Final = re.compile(
    r"-?(?:[0-9]*,[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]*)?)"
)
_BOOLEANS: Final = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}

#: Values accepted for a type from `--types`.
ANY_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_ANY_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "integer": int,
    "float": float,
    "boolean": lambda cell: _BOOLEANS[cell.strip()],
    "string": str,
}


@dataclass
class FieldType:
    """The type of the cells of a field."""

    name: str
    #: The type from `--types`, or from an annotation.
    forced: str | None
    #: The decimal separator: a point or a comma.
    decimal: str = "."
    #: For each type, the line and the cell where it was seen first.
    seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: The line and the cell of the first number with another decimal separator or with thousands separators.
    formatted: tuple[int, str] | None = None
    #: Whether a string is not such a number.
    has_text: bool = False
    #: The line and the cell of the first integer that a float cannot represent.
    inexact: tuple[int, str] | None = None

    @property
    def type(self) -> str:
        """The type: `integer`, `float`, `boolean` or `string`."""
        return self.forced or ("float" if "float" in self.seen else next(iter(self.seen), "string"))

    @property
    def parser(self) -> Callable[[str], object]:
        """The function that parses a cell."""
        if self.type == "float" and self.decimal == ",":
            return lambda cell: float(cell.replace(",", "."))
        return PARSERS[self.type]

    def inspect(self, line: int, cell: str) -> str | None:
        """Record the type of a cell; return the problem with it, if any. Blanks around a number are accepted."""
        text, cell = cell, cell.strip()
        if self.decimal == ",":
            cell = cell.replace(".", "?").replace(",", ".")
        if self.forced is not None:
            if _is_valid(cell, self.forced):
                return None
            return f"{text!r} cannot be written as {self.forced}; correct the cell, or change --types"
        cell_type = _detect(cell)
        if cell_type == "string":
            self._note_text(line, text)
        if cell_type == "integer" and len(cell) > 15:
            if not _is_valid(cell, "integer"):
                return f"{text!r} exceeds 64 bits; pass --types {self.name}=float or --types {self.name}=string"
            if int(float(cell)) != int(cell):
                self.inexact = self.inexact or (line, text)
        if cell_type not in self.seen:
            self.seen[cell_type] = line, text
            if len(self.seen) > 1 and not self.seen.keys() <= {"integer", "float"}:
                other_type, (first_line, first_cell) = next(iter(self.seen.items()))
                return (
                    f"{text!r} is {_TYPE_NAMES[cell_type]}, but {first_cell!r} in line {first_line} is "
                    f"{_TYPE_NAMES[other_type]}; pass --types {self.name}=string to write strings, or "
                    f"--null {text!r} to omit such cells"
                )
        return None

    def _note_text(self, line: int, text: str) -> None:
        if _FORMATTED.fullmatch(text.strip()):
            self.formatted = self.formatted or (line, text)
        else:
            self.has_text = True

    def check(self, name: str) -> None:
        """Check that the type represents all cells of the column.

        Raises:
            CommandError: a float cannot represent an integer, or a column of strings holds nothing but numbers.
        """
        if self.formatted is not None and not self.has_text:
            line, cell = self.formatted
            option = "" if self.decimal == "," else "--decimal , or "
            msg = (
                f"{name}:{line}: column {self.name!r}: {cell!r} looks like a number; remove thousands separators, or "
                f"pass {option}--types {self.name}=string"
            )
            raise CommandError(msg)
        if self.forced is None and self.type == "float" and self.inexact is not None:
            line, cell = self.inexact
            _, float_cell = self.seen["float"]
            msg = (
                f"{name}:{line}: column {self.name!r}: {cell} cannot be represented as a float, and the column is "
                f"float because of {float_cell!r}; pass --types {self.name}=float to round it, or "
                f"--types {self.name}=string"
            )
            raise CommandError(msg)


_TYPE_NAMES: Final = {"integer": "a number", "float": "a number", "boolean": "a boolean", "string": "text"}


def _detect(cell: str) -> str:
    if _INTEGER.fullmatch(cell):
        return "integer"
    if _FLOAT.fullmatch(cell):
        return "float"
    return "boolean" if cell in _BOOLEANS else "string"


def _is_valid(cell: str, type_name: str) -> bool:
    match type_name:
        case "integer":
            return bool(ANY_INTEGER.fullmatch(cell)) and len(cell) < 100 and -(2**63) <= int(cell) < 2**63
        case "float":
            return bool(_ANY_FLOAT.fullmatch(cell))
        case "boolean":
            return cell in _BOOLEANS
        case _:
            return True
