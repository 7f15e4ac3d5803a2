"""How values are written: the fields' by their type, tags' as text. The rules on numbers are here and nowhere else.

Missing values (None, NaN, `pandas.NA`, `NaT`) have no text; the functions give None for them. What has a text:

- `bool` and `numpy.bool_`: `true` and `false`;
- `int` and numpy's integers: `5i`, if they fit into 64 bits with a sign; beyond it, with `unsigned=True`, `5u`;
- `float` and numpy's floats: the shortest decimal that reads back to the same value *of that type*, so `0.1` for
  `numpy.float32(0.1)`; in the form that JSON has for it, with digits on both sides of a point, and without `+`, which
  not every server that speaks line protocol can read;
- `decimal.Decimal`: its digits, as a float field;
- `str` and `numpy.str_`: themselves;
- members of an `Enum`: their value where they are also `str` or `int` (`StrEnum`, `IntEnum`), and otherwise their
  name.

Anything else is refused, `bytes` included, for which InfluxDB has no type: `str()` of it would rarely be what is meant.

A tag value is text. What has one exact text without a choice to make is accepted for it: `str`, members of an `Enum`,
integers (`5`) and booleans (`True`, as other Python clients write them). Floats are not: an integer column with a
missing value becomes one of floats in pandas, and the tag `1` would be another series from then on, called `1.0`.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, NoReturn, TypeAlias, cast

from .._errors import SerializationError
from .._repr import short_repr
from .escape import encode_string, escape_tag_value
from .options import FieldOptions, FieldType
from .unreadable import Unreadable

#: Gives the text of a value, or None for one that is missing.
ValueEncoder: TypeAlias = Callable[[Any], bytes | None]

FIRST_INTEGER: Final = -(2**63)
LAST_INTEGER: Final = 2**63 - 1
LAST_UNSIGNED: Final = 2**64 - 1

_BOOLEANS: Final = {True: b"true", False: b"false"}

#: The types of field that the classes of Python's own are.
_DEFAULT_TYPES: Final[dict[type, FieldType]] = {
    float: "float",
    int: "integer",
    bool: "boolean",
    str: "string",
    Decimal: "float",
}

#: Classes that are remembered; those made at run time must not pile up.
_CLASSES: Final = 1000


@cache
def number_encoder() -> Callable[[Any], bytes]:
    """Give what writes floats, integers of 64 bits and lists of these as JSON; infinite floats and NaN are `null`.

    Floats are written several times faster than by `repr`.
    """
    import msgspec  # noqa: PLC0415 - slow to import, and not needed before something is written

    encode = msgspec.json.Encoder().encode
    # msgspec documents neither its spelling of numbers nor that it puts no space between them.
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
        msg = f"cannot encode a {type(value).__name__} as a number"
        raise TypeError(msg)
    mantissa, _, exponent = float.__repr__(value).partition("e")
    if not math.isfinite(value):
        return b"null"
    if not exponent:
        return mantissa.encode()
    if exponent == "-05":  # the only exponent that `repr` writes and JSON encoders do not
        sign = "-" if value < 0 else ""
        return f"{sign}0.0000{mantissa.lstrip('-').replace('.', '')}".encode()
    return f"{mantissa}e{int(exponent)}".encode()


#: Numbers of every spelling, on which the encoder is checked before its first use.
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
    """Give the text of a float: the shortest that reads back to it; None for NaN.

    Raises:
        SerializationError: it is infinite.
    """
    text = number_encoder()(value)
    if text != b"null":
        return text
    if math.isinf(value):
        msg = "the value is infinite, which InfluxDB cannot store (nonfinite='omit' leaves such values out)"
        raise SerializationError(msg)
    return None


class _ValueEncoder(dict[type, ValueEncoder], ABC):
    """Functions by the exact class of the value; classes not yet met are looked at once."""

    def __init__(self) -> None:
        super().__init__({type(None): _missing})

    def __missing__(self, kind: type) -> ValueEncoder:
        found = self._find(kind)
        if len(self) < _CLASSES:
            self[kind] = found
        return found

    def text(self, value: object) -> bytes | None:
        """Give the text of a value, or None where it is missing.

        Raises:
            SerializationError: it cannot be written.
        """
        return self[type(value)](value)

    def _find(self, kind: type) -> ValueEncoder:
        """Find the function for a class by what the class is derived from."""
        if issubclass(kind, Enum):
            return self._str_enum if issubclass(kind, str) else self._int if issubclass(kind, int) else self.name
        if kind is Unreadable:
            return Unreadable.reject
        pandas = sys.modules.get("pandas")
        if kind in {type(getattr(pandas, name, None)) for name in ("NA", "NaT")}:
            return _missing
        if issubclass(kind, getattr(sys.modules.get("numpy"), "generic", ())):
            return self._find_numpy(kind)
        for base, text in ((bool, self._bool), (int, self._int), (float, self._float), (str, self._str)):
            if issubclass(kind, base):
                return text
        return self._decimal if issubclass(kind, Decimal) else self._reject

    def _find_numpy(self, kind: type) -> ValueEncoder:
        numpy = sys.modules["numpy"]
        for base, text in (
            ((numpy.datetime64, numpy.timedelta64), self._numpy_time),  # before the integers, of which one is
            (numpy.bool_, self._bool),
            (numpy.uint64, self._uint64),
            (numpy.integer, self._int),
            (numpy.float64, self._float),
            (numpy.floating, self._numpy_float),
            (numpy.str_, self._str),
        ):
            if issubclass(kind, base):
                return text
        return self._reject

    def _numpy_time(self, value: Any) -> bytes | None:
        return None if sys.modules["numpy"].isnat(value) else self._reject(value)

    def _str_enum(self, value: Any) -> bytes | None:
        return self._str(str.__str__(value))

    def name(self, value: Enum) -> bytes | None:
        """Return the encoded name of a member.

        Raises:
            SerializationError: it has none, as combined flags, or cannot be written.
        """
        name: str | None = value.name
        if name is None:
            msg = f"{short_repr(value)} has no name to be written by"
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
        """NaN is missing, whatever the type."""
        return None if math.isnan(value) else self._reject(value)


class FieldValueEncoder(_ValueEncoder):
    """The texts of fields under a policy, or of one field whose type is pinned.

    Args:
        field_options: how field values are encoded.
        pin: the type that the field must have; None to go by the values.
    """

    def __init__(self, field_options: FieldOptions, pin: FieldType | None = None) -> None:
        super().__init__()
        self._pin = pin
        self._unsigned = field_options.unsigned
        self._omit = field_options.nonfinite == "omit"
        if pin is None and field_options.integers_as_floats:
            self._number: FieldType | None = "float"
        else:
            self._number = pin
        self.update({bool: self._bool, int: self._int, float: self._float, str: self._str, Decimal: self._decimal})
        if pin is None:  # the common cases by the shortest way
            self[str] = encode_string
            self[bool] = _BOOLEANS.__getitem__
            if not self._omit:
                self[float] = encode_float
            if self._number is None:
                self[int] = self._plain_int

    @property
    def number(self) -> FieldType | None:
        """The type that integers are written as; None where that is up to their type and size."""
        return self._number

    @property
    def omits_infinite(self) -> bool:
        """Whether infinite floats are missing; otherwise they are errors."""
        return self._omit

    @property
    def default_type(self) -> set[type]:
        """The classes of values that are written by their type alone, policy or not; infinite ones apart."""
        if self._pin is not None:
            return {kind for kind, pin in _DEFAULT_TYPES.items() if pin == self._pin}
        return {kind for kind in _DEFAULT_TYPES if self._number is None or kind is not int}

    def _bool(self, value: Any) -> bytes | None:
        if self._pin is None or self._pin == "boolean":
            return b"true" if value else b"false"
        return self._overridden_text(b"true" if value else b"false", value)

    def _str(self, value: Any) -> bytes | None:
        if self._pin is None or self._pin == "string":
            return encode_string(str.__str__(value))
        return self._reject(value)

    def _plain_int(self, value: int) -> bytes | None:
        return number_encoder()(value) + b"i" if FIRST_INTEGER <= value <= LAST_INTEGER else self._int(value)

    def _int(self, value: Any) -> bytes | None:
        number = int(value)
        match self._number:
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
                return self._overridden_text(_digits(number), value)

    def _uint64(self, value: Any) -> bytes | None:
        # By its type and not by its size, so that a field is of one type.
        if self._unsigned and self._number is None:
            return b"%du" % int(value)
        return self._int(value)

    def _float(self, value: Any) -> bytes | None:
        if math.isinf(value) and self._omit:
            return None
        text = encode_float(float(value))
        if text is None or self._pin is None or self._pin == "float":
            return text
        return self._overridden_number(value)

    def _numpy_float(self, value: Any) -> bytes | None:
        """float16, float32 and longdouble; float64 is a float."""
        number = float(value)
        if not math.isfinite(number) or (self._pin is not None and self._pin != "float"):
            return self._float(number)
        if value.dtype.itemsize > 8:
            if number != value:
                msg = f"the {type(value).__name__} {value!s} is no 64-bit float, which is all that InfluxDB stores"
                raise SerializationError(msg)
            return encode_float(number)
        # The shortest digits for its own size; not by `str`, which numpy's print options change.
        digits = sys.modules["numpy"].format_float_scientific(value, unique=True, trim="0")
        # Read as a 64-bit float these digits are the shortest again, so the form is the same as that of all floats.
        return encode_float(float(digits))

    def _decimal(self, value: Any) -> bytes | None:
        if value.is_nan():
            return None
        if value.is_infinite():
            return self._float(float(value))
        if self._pin is not None and self._pin != "float":
            return self._overridden_number(value)
        if math.isinf(float(value)):
            msg = f"the Decimal {value:.3e} is too large for a 64-bit float"
            raise SerializationError(msg)
        if value and not float(value):
            msg = f"the Decimal {value:.3e} is too small for a 64-bit float, and would be stored as 0"
            raise SerializationError(msg)
        # Written out, unless that were mostly zeros.
        text = f"{value:f}" if -20 <= value.adjusted() < 40 else str(value).lower().replace("e+", "e")
        return text.encode()

    def _overridden_number(self, value: Any) -> bytes | None:
        """A float or Decimal where another type is pinned: only a whole number can be an integer."""
        if self._pin in {"integer", "unsigned"}:
            # A Decimal can have more digits than there is memory for.
            if abs(value) > LAST_UNSIGNED:
                return self._overflow(value)
            if value == int(value):
                return self._int(int(value))
        return self._reject(value)

    def _overridden_text(self, text: bytes, value: Any) -> bytes | None:
        """An integer or boolean where another type is pinned: it has one exact text."""
        return b'"%b"' % text if self._pin == "string" else self._reject(value)

    def _overflow(self, number: Any) -> NoReturn:
        kind = "unsigned integer" if self._number == "unsigned" else "integer"
        hint = ""
        if self._number is None and not self._unsigned and 0 <= number <= LAST_UNSIGNED:
            hint = "; unsigned=True writes it as an unsigned one, for servers that have these"
        msg = f"{short_repr(number)} does not fit into a 64-bit {kind}{hint}"
        raise SerializationError(msg)

    def _reject(self, value: Any) -> bytes | None:
        kind = type(value).__name__
        if self._pin is not None:
            msg = f"a {kind} ({short_repr(value)}) cannot be written as {self._pin}, the field's type, without loss"
            raise SerializationError(msg)
        msg = f"a {kind} ({short_repr(value)}) is nothing that InfluxDB has a field type for; convert it"
        raise SerializationError(msg)


class TagValueEncoder(_ValueEncoder):
    """The texts of tag values, escaped."""

    def _str(self, value: Any) -> bytes | None:
        # Line protocol cannot hold an empty tag value; to InfluxDB it is the same as no tag.
        return escape_tag_value(value).encode() if value else None

    def _int(self, value: Any) -> bytes | None:
        return _digits(int(value))

    def _bool(self, value: Any) -> bytes | None:
        return b"True" if value else b"False"

    def _reject(self, value: Any) -> bytes | None:
        msg = f"a {type(value).__name__} ({short_repr(value)}) is no tag value; a tag is text: convert it to str"
        raise SerializationError(msg)


def _missing(_value: object) -> None:
    return None


def _integer_as_float(number: int) -> bytes | None:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if value != number:
        msg = f"{short_repr(number)} has no exact equal among 64-bit floats, so it cannot be written as one"
        raise SerializationError(msg)
    return encode_float(value)


def _digits(number: int) -> bytes:
    # Python refuses to print integers of more than some thousand digits; nobody has such tags.
    if number.bit_length() > 1024:
        msg = f"{short_repr(number)} is too long to be written"
        raise SerializationError(msg)
    return b"%d" % number
