"""Values: one rule for each type, in every type of input."""

from __future__ import annotations

import enum
import math
import re
import struct
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influx_proto import SerializationError, serialize
from influx_proto._line_protocol.options import FieldOptions
from influx_proto._line_protocol.values import FieldValueEncoder, TagValueEncoder


class Colour(enum.Enum):
    RED = 1


class Size(enum.IntEnum):
    BIG = 7


class Text(enum.StrEnum):
    ONE = "eins"


class Bits(enum.Flag):
    A = 1
    B = 2


class MyInt(int):
    def __str__(self) -> str:
        return "no"

    __repr__ = __str__


class MyFloat(float):
    def __repr__(self) -> str:
        return "no"


class MyStr(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "no"


MISSING = [None, math.nan, np.float32("nan"), np.float64("nan"), np.float16("nan"), Decimal("NaN"), Decimal("sNaN"),
           pd.NA, pd.NaT, np.datetime64("NaT", "ns"), np.timedelta64("NaT", "ns")]  # fmt: skip


#: More digits than Python converts to str.
HUGE = pytest.param(10**5000, id="huge")


def field(value: object, type_override: Any = None, **policy: Any) -> bytes | None:
    return FieldValueEncoder(FieldOptions(**policy), type_override).encode(value)


def tag(value: object) -> bytes | None:
    return TagValueEncoder().encode(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, b"true"),
        (False, b"false"),
        (np.True_, b"true"),
        (np.bool_(False), b"false"),
        (0, b"0i"),
        (-5, b"-5i"),
        (2**63 - 1, b"9223372036854775807i"),
        (-(2**63), b"-9223372036854775808i"),
        (MyInt(3), b"3i"),
        (np.int8(-3), b"-3i"),
        (np.uint8(200), b"200i"),
        (np.int64(-(2**63)), b"-9223372036854775808i"),
        (np.uint64(5), b"5i"),
        (0.0, b"0.0"),
        (-0.0, b"-0.0"),
        (21.0, b"21.0"),
        (0.1, b"0.1"),
        (MyFloat(0.5), b"0.5"),
        (1e15, b"1000000000000000.0"),
        (1e16, b"1e16"),
        (1e22, b"1e22"),
        (-1.5e300, b"-1.5e300"),
        (5e-324, b"5e-324"),
        (1.7976931348623157e308, b"1.7976931348623157e308"),
        (0.00001, b"0.00001"),
        (1e-7, b"1e-7"),
        (np.float64(2.5), b"2.5"),
        (np.float64(0.1), b"0.1"),
        (np.float32(0.1), b"0.1"),
        (np.float32(16777216), b"16777216.0"),
        (np.float32(3.4028235e38), b"3.4028235e38"),
        (np.float32(1e-45), b"1e-45"),
        (np.float32(-0.0), b"-0.0"),
        (np.float16(0.1), b"0.1"),
        (np.float16(65504), b"65500.0"),
        (np.longdouble(0.5), b"0.5"),
        (Decimal("29.95"), b"29.95"),
        (Decimal(5), b"5"),
        (Decimal("-0.10"), b"-0.10"),
        (Decimal("1E+5"), b"100000"),
        (Decimal("1.5E-7"), b"0.00000015"),
        (Decimal("1.5E+200"), b"1.5e200"),
        (Decimal("1.5E-200"), b"1.5e-200"),
        (Decimal("0.1234567890123456789012345"), b"0.1234567890123456789012345"),
        ("", b'""'),
        ('a"b\\', b'"a\\"b\\\\"'),
        (MyStr("x"), b'"x"'),
        (np.str_("x y"), b'"x y"'),
        (Colour.RED, b'"RED"'),
        (Size.BIG, b"7i"),
        (Text.ONE, b'"eins"'),
        (Bits.A | Bits.B, b'"A|B"'),
    ],
)
def test_fields(value: object, text: bytes) -> None:
    assert field(value) == text


@pytest.mark.parametrize("value", MISSING, ids=repr)
@pytest.mark.parametrize("type_override", [None, "float", "integer", "unsigned", "string", "boolean"])
def test_missing_values_are_omitted(value: object, type_override: str | None) -> None:
    assert field(value, type_override) is None
    assert field(value, type_override, nonfinite="omit", integers_as_floats=True) is None
    assert tag(value) is None


@pytest.mark.parametrize(
    "value",
    [b"x", bytearray(b"x"), np.bytes_(b"x"), 1j, Fraction(1, 2), [1], {}, object(), date(2020, 1, 1), int,
     datetime(2020, 1, 1, tzinfo=UTC), pd.Timestamp(0), np.datetime64(1, "s"), np.timedelta64(1, "s"), np.array([1.5])],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_error_names_an_unsupported_type(value: object) -> None:
    with pytest.raises(SerializationError, match=f"unsupported field type {type(value).__name__} .*convert it"):
        field(value)
    with pytest.raises(SerializationError, match=f"a tag value must be a str, not {type(value).__name__} "):
        tag(value)


def test_unnamed_enum_member() -> None:
    for text in (field, tag):
        with pytest.raises(SerializationError, match="has no name"):
            text(Bits(0))


def test_failing_repr_does_not_hide_the_error() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(SerializationError, match="Bad"):
        field(Bad())


@pytest.mark.parametrize("value", [math.inf, -math.inf, np.float32("inf"), np.float64("-inf"), Decimal("Infinity")])
def test_infinite(value: object) -> None:
    with pytest.raises(SerializationError, match=r"infinite.*nonfinite='omit'"):
        field(value)
    assert field(value, nonfinite="omit") is None
    assert field(value, "float", nonfinite="omit") is None


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, np.uint64(2**64 - 1)])
def test_integers_that_fit_only_unsigned(value: Any) -> None:
    with pytest.raises(SerializationError, match=f"{value} does not fit .*unsigned=True"):
        field(value)
    assert field(value, unsigned=True) == f"{value}u".encode()
    assert field(value, "unsigned") == f"{value}u".encode()


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, HUGE])
def test_integers_out_of_range(value: int) -> None:
    for policy in ({}, {"unsigned": True}):
        with pytest.raises(SerializationError, match="does not fit") as raised:
            field(value, **policy)
        assert "unsigned=True" not in str(raised.value)
        assert len(str(raised.value)) < 200


def test_unsigned_depends_on_the_type() -> None:
    assert field(np.uint64(5), unsigned=True) == b"5u"
    assert field(np.uint32(5), unsigned=True) == b"5i"
    assert field(5, unsigned=True) == b"5i"


def test_integers_as_floats() -> None:
    assert field(21, integers_as_floats=True) == b"21.0"
    assert field(np.int8(21), integers_as_floats=True) == b"21.0"
    assert field(np.uint64(21), integers_as_floats=True, unsigned=True) == b"21.0"
    assert field(2**60, integers_as_floats=True) == b"1.152921504606847e18"
    assert field(True, integers_as_floats=True) == b"true"
    assert field(21, "integer", integers_as_floats=True) == b"21i"
    for value in (2**53 + 1, 10**400):
        with pytest.raises(SerializationError, match="has no exact 64-bit float"):
            field(value, integers_as_floats=True)


@pytest.mark.parametrize(
    ("type_override", "value", "text"),
    [
        ("float", 21, b"21.0"),
        ("float", 21.5, b"21.5"),
        ("float", np.int64(3), b"3.0"),
        ("float", np.float32(0.1), b"0.1"),
        ("float", Decimal("1.50"), b"1.50"),
        ("integer", 21, b"21i"),
        ("integer", 21.0, b"21i"),
        ("integer", np.float32(2), b"2i"),
        ("integer", np.uint64(2), b"2i"),
        ("integer", Decimal("21.00"), b"21i"),
        ("unsigned", 0, b"0u"),
        ("unsigned", np.uint64(2**64 - 1), b"18446744073709551615u"),
        ("unsigned", 3.0, b"3u"),
        ("string", "x", b'"x"'),
        ("string", 21, b'"21"'),
        ("string", True, b'"true"'),
        ("string", Colour.RED, b'"RED"'),
        ("boolean", np.True_, b"true"),
        ("boolean", False, b"false"),
    ],
)
def test_type_overrides(type_override: str, value: object, text: bytes) -> None:
    assert field(value, type_override) == text


@pytest.mark.parametrize(
    ("type_override", "value"),
    [
        ("float", 2**53 + 1),
        ("float", "1.5"),
        ("float", True),
        ("integer", 21.5),
        ("integer", np.float32(0.1)),
        ("integer", 2**63),
        ("integer", 1e300),
        ("integer", Decimal("0.5")),
        ("integer", Decimal("1E+999999")),
        ("integer", "5"),
        ("integer", False),
        ("unsigned", -1),
        ("unsigned", 2**64),
        ("unsigned", -1.0),
        ("string", 1.5),
        ("string", Decimal(1)),
        ("string", b"x"),
        ("boolean", 1),
        ("boolean", "true"),
        ("boolean", 0.0),
    ],
)
def test_type_overrides_that_would_lose_data(type_override: str, value: object) -> None:
    with pytest.raises(SerializationError):
        field(value, type_override)


@pytest.mark.parametrize("value", [Decimal("1E+400"), Decimal("-1E+999999")])
def test_decimal_beyond_the_range_of_float(value: Decimal) -> None:
    with pytest.raises(SerializationError, match="too large"):
        field(value)


@given(st.decimals(allow_nan=False, allow_infinity=False))
@example(Decimal("1" * 40))
@example(Decimal("1" * 301))
@example(Decimal("1" * 310))
@example(Decimal("1E-6"))
@example(Decimal("1E-7"))
@example(Decimal("0E+3"))
def test_decimal_digits(value: Decimal) -> None:
    digits = f"{value:f}" if -20 <= value.adjusted() < 40 else str(value).lower().replace("e+", "e")
    if math.isinf(float(value)) or (value and not float(value)):
        with pytest.raises(SerializationError):
            field(value)
    else:
        assert field(value) == digits.encode()


def test_decimal_with_a_lowercase_exponent() -> None:
    with localcontext(capitals=0):
        assert field(Decimal("1.5E+5")) == b"150000"


def test_longdouble_beyond_float_precision() -> None:
    value = np.longdouble(1) / 3
    if np.longdouble(float(value)) == value:
        pytest.skip("here a longdouble is a float")
    with pytest.raises(SerializationError, match="longdouble"):
        field(value)


def test_numpy_print_options_are_ignored() -> None:
    with np.printoptions(precision=2, floatmode="fixed"):
        assert field(np.float32(0.12345678)) == b"0.12345678"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_round_trip(value: float) -> None:
    text = field(value)
    assert text is not None
    assert struct.pack("d", float(text)) == struct.pack("d", value)
    assert len(text) <= len(repr(value)) + 2
    assert re.fullmatch(rb"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?", text)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_float32_round_trips(value: float) -> None:
    text = field(np.float32(value))
    assert text is not None
    assert struct.pack("f", np.float32(float(text))) == struct.pack("f", np.float32(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", b"a\\ b"),
        ("", None),
        (np.str_("x"), b"x"),
        (MyStr("x"), b"x"),
        (MyStr(""), None),
        (0, b"0"),
        (-5, b"-5"),
        (2**70, b"1180591620717411303424"),
        (np.int32(7), b"7"),
        (np.uint64(7), b"7"),
        (False, b"False"),
        (True, b"True"),
        (np.bool_(True), b"True"),
        (Colour.RED, b"RED"),
        (Text.ONE, b"eins"),
        (Size.BIG, b"7"),
    ],
)
def test_tags(value: object, text: bytes | None) -> None:
    assert tag(value) == text


@pytest.mark.parametrize("value", [1.5, 1.0, np.float32(1), Decimal(1), HUGE, "a\n", "a\\"])
def test_invalid_tags(value: object) -> None:
    with pytest.raises(SerializationError):
        tag(value)


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("unsigned", 1, TypeError),
        ("integers_as_floats", None, TypeError),
        ("nonfinite", "keep", ValueError),
        ("field_types", ["a"], TypeError),
        ("field_types", {"a": "int"}, ValueError),
    ],
)
def test_error_names_the_invalid_option(argument: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{argument}: "):
        FieldOptions(**{argument: value})  # type: ignore[arg-type]  # wrong on purpose


def test_type_overrides_are_copied() -> None:
    pins: dict[str, Any] = {"a": "float"}
    policy = FieldOptions(field_types=pins)
    pins["a"] = "string"
    assert policy.field_types == {"a": "float"}


def test_cache_of_classes_is_bounded() -> None:
    encoder = FieldValueEncoder(FieldOptions())
    for _ in range(1100):
        assert encoder.encode(type("Made", (int,), {})(1)) == b"1i"
    assert len(encoder) <= 1000


@pytest.mark.parametrize("value", [Decimal("1e-400"), Decimal("-1e-330")])
def test_decimal_that_would_become_zero(value: Decimal) -> None:
    with pytest.raises(SerializationError, match="too small for a 64-bit float"):
        serialize({"measurement": "m", "fields": {"v": value}, "time": 1})
    assert serialize({"measurement": "m", "fields": {"v": Decimal("1e-320")}, "time": 1}) == b"m v=1e-320 1"
    assert serialize({"measurement": "m", "fields": {"v": Decimal("0e-400")}, "time": 1}).startswith(b"m v=0")


class Letters(str, enum.Enum):  # noqa: UP042 - common before StrEnum
    A = "alpha"


@pytest.mark.parametrize(("member", "value"), [(Letters.A, "alpha"), (Text.ONE, "eins"), (Size.BIG, 7)])
@pytest.mark.parametrize("count", [2, 400])
def test_enum_members_and_booleans_in_every_type_of_input(member: Any, value: Any, count: int) -> None:
    """An enum member and its value give the same bytes in a mapping, a frame and an object column."""
    times = pd.to_datetime(range(count))
    points = [
        {"measurement": "m", "tags": {"t": value, "b": True}, "fields": {"v": value}, "time": n} for n in range(count)
    ]
    expected = serialize(points)
    assert expected.startswith(b"m,b=True,t=%b v=" % str(value).encode())
    members = [{**point, "tags": {"t": member, "b": np.True_}, "fields": {"v": member}} for point in points]
    assert serialize(members) == serialize(iter(members)) == expected
    for dtype in (object, None):
        frame = pd.DataFrame({"t": pd.Series([member] * count, dtype=dtype).to_numpy(), "b": True}, index=times)
        frame["v"] = pd.Series([member] * count, index=times, dtype=object)
        assert serialize(frame, "m", tag_columns=["t", "b"], object_columns="infer") == expected
    table = pl.DataFrame({"time": times.to_numpy(), "t": [value] * count, "b": [True] * count, "v": [value] * count})
    assert serialize(table, "m", tag_columns=["t", "b"]) == expected
    assert serialize(table.to_arrow(), "m", tag_columns=["t", "b"]) == expected
