"""Encoders of field values by type, and of tag values as text. All rules on numbers are in this module.

The encoders return None for missing values (None, NaN, `pandas.NA`, `NaT`). They encode these types:

- `bool` and `numpy.bool_`: `true` and `false`;
- `int` and numpy's integers: `5i` if they fit into signed 64-bit integers; larger ones `5u` with `unsigned=True`;
- `float` and numpy's floats: the shortest decimal that reads back to the same value *of that type*, so `0.1` for
  `numpy.float32(0.1)`. It has the format of JSON, with digits on both sides of the point. It never contains `+`, which
  some servers with line protocol cannot read;
- `decimal.Decimal`: its digits, as a float field;
- `str` and `numpy.str_`: as a string;
- members of an `Enum`: their value if they are also `str` or `int` (`StrEnum`, `IntEnum`), otherwise their name.

All other types are rejected. This includes `bytes`, since InfluxDB has no type for them and `str()` of them is rarely
intended.

A tag value is text. Types with exactly one text form are accepted as well: `str`, members of an `Enum`, integers (`5`)
and booleans (`True`, as other Python clients write them). Floats are rejected. pandas converts an integer column with a
missing value to floats, so the tag value `1` would become `1.0`, which is a different series.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from functools import cache, cached_property
from typing import Any, Final, NoReturn, TypeAlias, cast

from .._errors import SerializationError
from .._repr import short_repr
from .escape import encode_string, escape_tag_value
from .options import FieldOptions, FieldType
from .unreadable import Unreadable

#: Returns the encoded value, or None if the value is missing.
ValueEncoder: TypeAlias = Callable[[Any], bytes | None]

FIRST_INTEGER: Final = -(2**63)
LAST_INTEGER: Final = 2**63 - 1
LAST_UNSIGNED: Final = 2**64 - 1

_BOOLEANS: Final = {True: b"true", False: b"false"}

#: The default field types of Python's built-in classes.
_DEFAULT_TYPES: Final[dict[type, FieldType]] = {
    float: "float",
    int: "integer",
    bool: "boolean",
    str: "string",
    Decimal: "float",
}

#: Limit of cached classes, so that classes created at run time do not accumulate.
_CACHE_SIZE: Final = 1000


@cache
def number_encoder() -> Callable[[Any], bytes]:
    """Return the function that encodes floats, 64-bit integers and lists of them as JSON.

    Infinite floats and NaN are encoded as `null`. The function encodes floats several times faster than `repr`.
    """
    import msgspec  # noqa: PLC0415 - slow to import, and only writes need it

    encode = msgspec.json.Encoder().encode
    # msgspec documents neither its number format nor that it puts no spaces between items.
    try:
        is_as_expected = all(encode(known) == _encode_numbers(known) for known in _KNOWN_NUMBERS)
    except Exception:  # noqa: BLE001 - an encoder that raises is not used either
        is_as_expected = False
    return encode if is_as_expected else _encode_numbers


def _encode_numbers(value: object) -> bytes:
    """Encode as `number_encoder` does, without msgspec."""
    if isinstance(value, list | tuple):
        return b"[%b]" % b",".join([_encode_numbers(item) for item in cast("Sequence[object]", value)])
    if isinstance(value, int):
        return b"%d" % value
    if not isinstance(value, float):
        raise TypeError(f"cannot encode a {type(value).__name__} as a number")
    mantissa, _, exponent = float.__repr__(value).partition("e")
    if not math.isfinite(value):
        return b"null"
    if not exponent:
        return mantissa.encode()
    if exponent == "-05":  # the only exponent that `repr` writes but JSON encoders do not
        sign = "-" if value < 0 else ""
        return f"{sign}0.0000{mantissa.lstrip('-').replace('.', '')}".encode()
    return f"{mantissa}e{int(exponent)}".encode()


#: Numbers in every format; `number_encoder` checks the encoder with them before its first use.
_KNOWN_FLOATS: Final = (
    0.0, -0.0, 1.0, -0.1, 1 / 3, 123456.789, 1e15, 9007199254740993.0, 1e16, -1.5e16, 1e17, 1e21, 1.2345e22, 1e-4,
    1e-5, -1.5e-5, 1e-6, 1.5e-7, 1e100, -1e-100, 5e-324, 1.7976931348623157e308,
)  # fmt: skip
_KNOWN_INTEGERS: Final = (0, 7, -1, 1_600_000_000_000_000_000, -(2**63), 2**63 - 1, 2**64 - 1)
_KNOWN_NUMBERS: Final[Sequence[object]] = (
    *_KNOWN_FLOATS,
    *_KNOWN_INTEGERS,
    [*_KNOWN_FLOATS, math.nan, math.inf, -math.inf],
    list(_KNOWN_INTEGERS),
    (0.5, 5, math.nan),
    [],
)


def encode_float(value: float) -> bytes | None:
    """Return the shortest decimal that reads back to the same float, or None for NaN.

    Raises:
        SerializationError: the float is infinite.
    """
    encoded = number_encoder()(value)
    if encoded != b"null":
        return encoded
    if math.isinf(value):
        msg = "the value is infinite, which InfluxDB cannot store; pass nonfinite='omit' to omit infinite values"
        raise SerializationError(msg)
    return None


class _ValueEncoder(dict[type, ValueEncoder], ABC):
    """Encoding functions by the exact class of the value, looked up once per class."""

    def __init__(self) -> None:
        super().__init__({type(None): _missing})

    def __missing__(self, cls: type) -> ValueEncoder:
        encode = self._find(cls)
        if len(self) < _CACHE_SIZE:
            self[cls] = encode
        return encode

    def encode(self, value: object) -> bytes | None:
        """Return the encoded value, or None if it is missing.

        Raises:
            SerializationError: the value cannot be encoded.
        """
        return self[type(value)](value)

    def _find(self, cls: type) -> ValueEncoder:
        """Return the encoding function for a class, according to its base classes."""
        if issubclass(cls, Enum):
            return self._str_enum if issubclass(cls, str) else self._int if issubclass(cls, int) else self.encode_name
        if cls is Unreadable:
            return Unreadable.reject
        pandas = sys.modules.get("pandas")
        if cls in {type(getattr(pandas, name, None)) for name in ("NA", "NaT")}:
            return _missing
        if issubclass(cls, getattr(sys.modules.get("numpy"), "generic", ())):
            return self._find_numpy(cls)
        for base, encode in ((bool, self._bool), (int, self._int), (float, self._float), (str, self._str)):
            if issubclass(cls, base):
                return encode
        return self._decimal if issubclass(cls, Decimal) else self._reject

    def _find_numpy(self, cls: type) -> ValueEncoder:
        numpy = sys.modules["numpy"]
        for base, encode in (
            ((numpy.datetime64, numpy.timedelta64), self._numpy_time),  # first, since timedelta64 is an integer
            (numpy.bool_, self._bool),
            (numpy.uint64, self._uint64),
            (numpy.integer, self._int),
            (numpy.float64, self._float),
            (numpy.floating, self._numpy_float),
            (numpy.str_, self._str),
        ):
            if issubclass(cls, base):
                return encode
        return self._reject

    def _numpy_time(self, value: Any) -> bytes | None:
        return None if sys.modules["numpy"].isnat(value) else self._reject(value)

    def _str_enum(self, value: Any) -> bytes | None:
        return self._str(str.__str__(value))

    def encode_name(self, value: Enum) -> bytes | None:
        """Return the encoded name of a member.

        Raises:
            SerializationError: the member has no name, such as combined flags, or the name cannot be encoded.
        """
        name: str | None = value.name
        if name is None:
            msg = f"{short_repr(value)} has no name, which would be its encoded value; pass a named member"
            raise SerializationError(msg)
        return self._str(name)

    def _uint64(self, value: Any) -> bytes | None:
        return self._int(value)

    @abstractmethod
    def _bool(self, value: Any) -> bytes | None: ...

    @abstractmethod
    def _int(self, value: Any) -> bytes | None: ...

    @abstractmethod
    def _str(self, value: Any) -> bytes | None: ...

    @abstractmethod
    def _reject(self, value: Any) -> bytes | None: ...

    def _float(self, value: Any) -> bytes | None:
        return self._reject_number(value)

    def _numpy_float(self, value: Any) -> bytes | None:
        return self._reject_number(value)

    def _decimal(self, value: Any) -> bytes | None:
        return None if value.is_nan() else self._reject(value)

    def _reject_number(self, value: Any) -> bytes | None:
        """Return None for NaN, which is missing in every field; reject other numbers."""
        return None if math.isnan(value) else self._reject(value)


class FieldValueEncoder(_ValueEncoder):
    """Encoder of field values according to `FieldOptions`, or of one field with a type override.

    Args:
        field_options: how field values are encoded.
        type_override: the type of the field; None to derive it from each value.
    """

    def __init__(self, field_options: FieldOptions, type_override: FieldType | None = None) -> None:
        super().__init__()
        self._type_override = type_override
        self._unsigned = field_options.unsigned
        #: Whether infinite floats are omitted; otherwise they raise `SerializationError`.
        self.omits_infinite = field_options.nonfinite == "omit"
        #: The field type of integers; None if it depends on their class and size.
        self.integer_type = type_override
        if type_override is None and field_options.integers_as_floats:
            self.integer_type = "float"
        self.update({bool: self._bool, int: self._int, float: self._float, str: self._str, Decimal: self._decimal})
        if type_override is None:  # the fastest functions for the common types
            self[str] = encode_string
            self[bool] = _BOOLEANS.__getitem__
            if not self.omits_infinite:
                self[float] = encode_float
            if self.integer_type is None:
                self[int] = self._default_int

    @cached_property
    def default_types(self) -> set[type]:
        """The classes whose finite values are encoded with their default field type."""
        if self._type_override is not None:
            return {cls for cls, default_type in _DEFAULT_TYPES.items() if default_type == self._type_override}
        return {cls for cls in _DEFAULT_TYPES if self.integer_type is None or cls is not int}

    def _bool(self, value: Any) -> bytes | None:
        if self._type_override is None or self._type_override == "boolean":
            return b"true" if value else b"false"
        return self._encode_overridden(b"true" if value else b"false", value)

    def _str(self, value: Any) -> bytes | None:
        if self._type_override is None or self._type_override == "string":
            return encode_string(str.__str__(value))
        return self._reject(value)

    def _default_int(self, value: int) -> bytes | None:
        return number_encoder()(value) + b"i" if FIRST_INTEGER <= value <= LAST_INTEGER else self._int(value)

    def _int(self, value: Any) -> bytes | None:
        number = int(value)
        match self.integer_type:
            case None:
                if FIRST_INTEGER <= number <= LAST_INTEGER:
                    return b"%di" % number
                if self._unsigned and 0 <= number <= LAST_UNSIGNED:
                    return b"%du" % number
                return self._overflow(number)
            case "float":
                return _integer_as_float(number)
            case "integer":
                return b"%di" % number if FIRST_INTEGER <= number <= LAST_INTEGER else self._overflow(number)
            case "unsigned":
                return b"%du" % number if 0 <= number <= LAST_UNSIGNED else self._overflow(number)
            case _:
                return self._encode_overridden(_digits(number), value)

    def _uint64(self, value: Any) -> bytes | None:
        # The class decides, and not the size, so that all values of a field have one type.
        if self._unsigned and self.integer_type is None:
            return b"%du" % int(value)
        return self._int(value)

    def _float(self, value: Any) -> bytes | None:
        if math.isinf(value) and self.omits_infinite:
            return None
        encoded = encode_float(float(value))
        if encoded is None or self._type_override is None or self._type_override == "float":
            return encoded
        return self._overridden_number(value)

    def _numpy_float(self, value: Any) -> bytes | None:
        """Encode a float16, float32 or longdouble; float64 is a subclass of float."""
        number = float(value)
        if not math.isfinite(number) or (self._type_override is not None and self._type_override != "float"):
            return self._float(number)
        if value.dtype.itemsize > 8:
            if number != value:
                msg = f"the {type(value).__name__} {value!s} has no exact 64-bit float; convert it to numpy.float64"
                raise SerializationError(msg)
            return encode_float(number)
        # Find the shortest digits for the size of the float; `str` would depend on numpy's print options.
        digits = sys.modules["numpy"].format_float_scientific(value, unique=True, trim="0")
        # These digits are also the shortest of the 64-bit float, which gets the format of all other floats.
        return encode_float(float(digits))

    def _decimal(self, value: Any) -> bytes | None:
        if not value.is_finite():
            return None if value.is_nan() else self._float(float(value))
        if self._type_override is not None and self._type_override != "float":
            return self._overridden_number(value)
        digits = Decimal.__str__(value)  # subclasses may override `__str__`
        if len(digits) < 300 and "e" not in digits.lower():
            return digits.encode()  # without an exponent, and with too few digits to exceed the range of floats
        if math.isinf(float(value)):
            raise SerializationError(f"the Decimal {value:.3e} is too large for a 64-bit float; scale the value")
        if value and not float(value):
            msg = f"the Decimal {value:.3e} is too small for a 64-bit float and would be stored as 0; scale the value"
            raise SerializationError(msg)
        # Without an exponent, unless most digits would be zeros.
        digits = f"{value:f}" if -20 <= value.adjusted() < 40 else str(value).lower().replace("e+", "e")
        return digits.encode()

    def _overridden_number(self, value: Any) -> bytes | None:
        """Encode a float or Decimal as another type: a whole number as an integer."""
        if self._type_override in {"integer", "unsigned"}:
            # Checked first, since `int` of a Decimal with a large exponent can exceed the memory.
            if abs(value) > LAST_UNSIGNED:
                return self._overflow(value)
            if value == int(value):
                return self._int(int(value))
        return self._reject(value)

    def _encode_overridden(self, encoded: bytes, value: Any) -> bytes | None:
        """Encode an integer or boolean as another type: as a string, since its digits or name are exact."""
        return b'"%b"' % encoded if self._type_override == "string" else self._reject(value)

    def _overflow(self, number: Any) -> NoReturn:
        type_name = "unsigned integer" if self.integer_type == "unsigned" else "integer"
        hint = ""
        if self.integer_type is None and not self._unsigned and 0 <= number <= LAST_UNSIGNED:
            hint = "; pass unsigned=True if the server supports unsigned integers"
        raise SerializationError(f"{short_repr(number)} does not fit into a 64-bit {type_name}{hint}")

    def _reject(self, value: Any) -> bytes | None:
        type_name = type(value).__name__
        if self._type_override is not None:
            raise SerializationError(
                f"a {type_name} ({short_repr(value)}) cannot be written as {self._type_override}, "
                "the type of the field, without loss; convert it or change the type"
            )
        msg = f"unsupported field type {type_name} ({short_repr(value)}); convert it to str, int, float or bool"
        raise SerializationError(msg)


class TagValueEncoder(_ValueEncoder):
    """Encoder of tag values, which escapes them."""

    def _str(self, value: Any) -> bytes | None:
        # Line protocol has no empty tag values; InfluxDB treats them as missing.
        return escape_tag_value(value).encode() if value else None

    def _int(self, value: Any) -> bytes | None:
        return _digits(int(value))

    def _bool(self, value: Any) -> bytes | None:
        return b"True" if value else b"False"

    def _reject(self, value: Any) -> bytes | None:
        msg = f"a tag value must be a str, not {type(value).__name__} ({short_repr(value)}); convert it to str"
        raise SerializationError(msg)


def _missing(_value: object) -> None:
    return None


def _integer_as_float(number: int) -> bytes | None:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if value != number:
        msg = f"{short_repr(number)} has no exact 64-bit float; convert it, or write the field as an integer"
        raise SerializationError(msg)
    return encode_float(value)


def _digits(number: int) -> bytes:
    # Python raises ValueError when it prints integers with several thousand digits.
    if number.bit_length() > 1024:
        raise SerializationError(f"{short_repr(number)} is too long; write an integer of at most 1024 bits")
    return b"%d" % number
