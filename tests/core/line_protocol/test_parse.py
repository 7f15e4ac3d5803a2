"""Line protocol parser: agrees with InfluxDB 1.6.7, and round-trips our encoding."""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from influx_proto import Place, SerializationError, check_lines, serialize, serialize_batches, split_lines
from influx_proto._line_protocol.parse import _Reader, parse_lines
from influx_proto._line_protocol.parse_fast import FastReader
from influx_proto._line_protocol.scan import ScanError, scan_line
from influx_proto._line_protocol.split import end_of_line

FIRST, LAST = -9223372036854775806, 9223372036854775806

#: Alphabets for names and strings: special characters of line protocol and all others.
CHARACTERS = st.sampled_from('\\,= "#\n\r\t\0ai1') | st.characters(codec=None)
TEXTS = st.text(CHARACTERS, max_size=12)
VALUES = (
    TEXTS
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e16, 1e-5, 2**63 - 1, -(2**63), ""])
)
POINTS = st.fixed_dictionaries({
    "measurement": TEXTS,
    "tags": st.dictionaries(TEXTS, TEXTS.filter(bool), max_size=4),
    "fields": st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4),
    "time": st.none() | st.integers(FIRST, LAST),
})

#: Fragments, valid and invalid, for random lines.
FRAGMENTS = st.sampled_from(
    ["\\", "\\\\", ",", " ", "=", '"', "a", "v", "1", "1i", "1.5", "-", "e", "+", ".", "i", "u", "t", "true", '"x"',
     "#", "m ", "m v=1 1", ',w="x"', "\t", "\0", "\r", "time", "é", "٣", "=1", ' v="x y"', ",a=b", "\\ ", "\\,", "\\=",
     '\\"', "-0", "01", "1_0", "nan", "null", "[]", "{}", '""', '""i', "truei", "=1.5i", ",p=2i", ",p=2", "  ", " 1",
     "5u"]
)  # fmt: skip
LINES = st.lists(FRAGMENTS, max_size=10).map("".join)


def parse(data: Any, **options: Any) -> list[dict[str, Any]]:
    return list(parse_lines(data, **options))


def exact(points: list[dict[str, Any]]) -> str:
    """Return points with types, the sign of zero and the order of fields."""
    return repr([
        (point["measurement"], point["tags"], point["fields"], point["time"]) for point in points if len(point) == 4
    ])


@pytest.mark.parametrize(
    ("line", "measurement", "tags", "fields", "time"),
    [
        ("m v=1", "m", {}, {"v": 1.0}, None),
        ("m v=1 ", "m", {}, {"v": 1.0}, None),
        ("m   v=1   5   ", "m", {}, {"v": 1.0}, 5),
        (" \t\0m v=1 5", "m", {}, {"v": 1.0}, 5),
        ("m \t\0v=1 5", "m", {}, {"v": 1.0}, 5),
        ('m v="a" \t5', "m", {}, {"v": "a"}, 5),
        ("m,b=1,a=2 v=1i -5", "m", {"b": "1", "a": "2"}, {"v": 1}, -5),
        ("m v=-5i,w=007i,x=-0i", "m", {}, {"v": -5, "w": 7, "x": 0}, None),
        ("m v=9223372036854775807i,w=-9223372036854775808i", "m", {}, {"v": 2**63 - 1, "w": -(2**63)}, None),
        ("m a=1.,b=.5,c=-.5,d=1e3,e=1E+3,f=1e-3,g=00001,h=1.e5", "m", {},
         {"a": 1.0, "b": 0.5, "c": -0.5, "d": 1000.0, "e": 1000.0, "f": 0.001, "g": 1.0, "h": 100000.0}, None),
        ("m a=-0,b=0,c=5e-324,d=1e-400,e=0.30000000000000004", "m", {},
         {"a": -0.0, "b": 0.0, "c": 5e-324, "d": 0.0, "e": 0.30000000000000004}, None),
        ("m a=t,b=T,c=true,d=True,e=TRUE", "m", {}, dict.fromkeys("abcde", True), None),
        ("m a=f,b=F,c=false,d=False,e=FALSE", "m", {}, dict.fromkeys("abcde", False), None),
        ('m a="",b="x, y=z",c="q\\"\\\\"', "m", {}, {"a": "", "b": "x, y=z", "c": 'q"\\'}, None),
        ('m a="\\n\\x",b="\n\r\t\0"', "m", {}, {"a": "\\n\\x", "b": "\n\r\t\0"}, None),
        ('m a="x"y', "m", {}, {"a": 'x"'}, None),
        ("a\\ b\\,c=d\"e\\\"f v=1", "a b,c=d\"e\"f", {}, {"v": 1.0}, None),
        ("m,a\\ b\\=c\\,d\"=\\=\\ \\,\\\" v=1", "m", {'a b=c,d"': '= ,\\"'}, {"v": 1.0}, None),
        ('m a\\ b\\=c\\,d"e\\"f=1', "m", {}, {'a b=c,d"e"f': 1.0}, None),
        ("m\\\\a\\b,t\\c=\\\\d v\\e=1", "m\\\\a\\b", {"t\\c": "\\\\d"}, {"v\\e": 1.0}, None),
        ("m,t==x v=1", "m", {"t": "=x"}, {"v": 1.0}, None),
        ("m v=1i,v=2i", "m", {}, {"v": 2}, None),
        ("m v=1,time=5", "m", {}, {"v": 1.0}, None),
        ("m,a=# #=1", "m", {"a": "#"}, {"#": 1.0}, None),
        ("m v=1 9223372036854775806", "m", {}, {"v": 1.0}, LAST),
        ("m v=1 -9223372036854775806", "m", {}, {"v": 1.0}, FIRST),
        ("m v=1 000000000000000000000000000007", "m", {}, {"v": 1.0}, 7),
        ("m\r,\tt=\x00 v\r=1", "m\r", {"\tt": "\x00"}, {"v\r": 1.0}, None),
        ("m \t=1", "m", {}, {"": 1.0}, None),
    ],
)  # fmt: skip
def test_lines(line: str, measurement: str, tags: dict[str, str], fields: dict[str, Any], time: int | None) -> None:
    expected = {"measurement": measurement, "tags": tags, "fields": fields, "time": time}
    assert exact(parse(line)) == exact([expected])
    assert exact(parse(line.encode() + b"\n")) == exact([expected])


@pytest.mark.parametrize("data", ["", "\n\n", " \t\0", "# a comment", " # a\n#\n", b"", [], [b"", b"\n"]])
def test_empty_input(data: object) -> None:
    assert parse(data) == []


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("m", 2, "missing fields"),
        ("m ", 3, "invalid field format"),
        ("m,a=b", 6, "missing fields"),
        (",a=b v=1", 1, "missing measurement"),
        ("m,a= v=1", 5, "missing tag value"),
        ("m,a=,b=c v=1", 5, "missing tag value"),
        ("m,a v=1", 4, "missing tag value"),
        ("m,a,b=c v=1", 4, "missing tag value"),
        ("m,=b v=1", 3, "missing tag key"),
        ("m, v=1", 3, "missing tag key"),
        ("m,a=b, v=1", 7, "missing tag key"),
        ("m,a=b=c v=1", 6, "invalid tag format"),
        ("m,a=b,a=c v=1", 9, "duplicate tags"),
        ('m,a="q q" v=1', 8, "invalid field format"),
        ("m =1", 3, "missing field key"),
        ("m v=1,=2", 7, "missing field key"),
        ("m v= 1", 5, "missing field value"),
        ("m v=,w=1", 5, "missing field value"),
        ("m v=", 5, "missing field value"),
        ("m a 1", 3, "invalid field format"),
        ("m a=1,b 1", 3, "invalid field format"),
        ("m a=1, 1", 3, "invalid field format"),
        ("m v=1,\n", 3, "invalid field format"),
        ("m v=1\\\n", 5, "invalid number"),
        *((f"m v={number} 1", 5, "invalid number") for number in
          ("1f", "--1", "1-e5", "-", ".", "-.", "0x10", "1_000", "NaN", "nan", "n", "1u", "1.0i", "1e3i", "1I", "1ii",
           "1i9", "-i", ".i", "1\r", "1\t", "1\0", "1٣", "1.1.1")),
        *((f"m v={number} 1", 5, "invalid float") for number in ("1e", "1e+", "1e5e5", "1e400", "-1e999", ".e5")),
        *((f"m v={text} 1", 5, "invalid boolean") for text in
          ("+1", "Inf", "tRUE", "yes", "'a'", "٣", "\\", "e5", "i")),
        *((f"m v={number}i", 5, f'unable to parse integer {number}: strconv.ParseInt: parsing "{number}": value out of')
          for number in (2**63, -(2**63) - 1)),
        ('m v="a', 7, "unbalanced quotes"),
        ('m v="a\\"', 9, "unbalanced quotes"),
        ("m v=1 1.5", 7, "bad timestamp"),
        ("m v=1 +1", 7, "bad timestamp"),
        ("m v=1 1\r", 7, "bad timestamp"),
        ("m v=1 ٣", 7, "bad timestamp"),
        ("m v=1 -", 7, 'strconv.ParseInt: parsing "-": invalid syntax'),
        ("m v=1 9223372036854775808", 7, 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
        ("m v=1 9223372036854775807", 7, "time outside range -9223372036854775806 - 9223372036854775806"),
        ("m v=1 -9223372036854775807", 7, "time outside range -9223372036854775806 - 9223372036854775806"),
        ("m v=1 1 2", 8, "point is invalid"),
        ("m v=1 1 # c", 8, "point is invalid"),
        ("m,time=1 v=1", 1, 'invalid tag key: input tag "time" on measurement "m" is invalid'),
        ("m time=1", 3, 'invalid field name: input field "time" on measurement "m" is invalid'),
        ("m a\\\\=1", 3, "invalid value: field-key=a\\\\=1"),
        ("m a\\\\=1,b=x", 11, "invalid boolean"),
        ('m a\\\\="b=c" 1', 10, "invalid number"),
        ("m" * 65536 + " v=1", 1, "max key length exceeded: 65536 > 65535"),
        ("m" * 65531 + " v=1", 65533, "max key length exceeded: 65536 > 65535"),
        (b"m,t=\xff v=1", 5, "invalid UTF-8"),
        (b'm v="\xe9"', 6, "invalid UTF-8"),
    ],
)  # fmt: skip
def test_rejected_lines(line: str | bytes, column: int, reason: str) -> None:
    with pytest.raises(SerializationError) as raised:
        parse(line)
    assert str(raised.value).startswith(f"line 1, column {column}: {reason}")


def test_error_position_in_many_lines() -> None:
    data = 'm v=1\n\n# c\nm s="a\nb"\nmü,t=é v=1,w=+2\n'
    points = parse_lines(data)
    assert next(points)["fields"] == {"v": 1.0}
    assert next(points)["fields"] == {"s": "a\nb"}
    with pytest.raises(SerializationError, match=r"^line 6, column 14: invalid boolean$"):
        next(points)
    with pytest.raises(SerializationError, match=r"^line 6, column 14: invalid boolean$"):
        parse(bytes([byte]) for byte in data.encode())
    with pytest.raises(SerializationError, match=r"^line 2, column 3: a lone surrogate"):
        parse("m v=1\né \ud800")


def test_unsigned() -> None:
    with pytest.raises(SerializationError, match="invalid number"):
        parse("m v=5u")
    data = "m v=5u,w=18446744073709551615u"
    assert repr(parse(data, unsigned=True)[0]["fields"]) == "{'v': 5, 'w': 18446744073709551615}"
    for wrong in ("-5u", "5.0u", "u", "5u5"):
        with pytest.raises(SerializationError, match="invalid"):
            parse(f"m v={wrong}", unsigned=True)
    with pytest.raises(SerializationError, match="unable to parse unsigned 18446744073709551616"):
        parse("m v=18446744073709551616u", unsigned=True)


def test_precision() -> None:
    assert [point["time"] for point in parse("m v=1 -7\nm v=1", precision="ms")] == [-7_000_000, None]
    with pytest.raises(SerializationError, match="time outside range"):
        parse("m v=1 9223372037", precision="s")
    with pytest.raises(ValueError, match=r"^precision: "):
        parse_lines("", precision="d")


def test_points_do_not_share_tags() -> None:
    first, second = parse("m,a=b v=1\nm,a=b v=1")
    first["tags"]["a"] = "c"
    assert second["tags"] == {"a": "b"}


def test_more_series_than_the_cache_holds() -> None:
    names = [str(number) for number in range(10_000)]
    assert [point["tags"]["a"] for point in parse("".join(f"m,a={name} v=1\n" for name in names))] == names


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_input_may_be_split_anywhere(size: int) -> None:
    data = 'm v=1\nm s="a\nb \\" é"\n\\\n# c\nm,t=\\ \\, v=2 2\n\nmé v=3'.replace("\\\n", "").encode()
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert exact(parse(chunks)) == exact(parse(data))
    assert len(parse(data)) == 4


def test_large_input_is_parsed_in_windows() -> None:
    points = [{"measurement": "m", "time": n, "fields": {"s": "a\né" * (n % 7), "v": n / 7}} for n in range(20_000)]
    data = serialize(points)
    assert len(data) > 1 << 19
    parsed = parse_lines(data)
    assert all(point["fields"] == {"s": "a\né" * (n % 7), "v": n / 7} for n, point in enumerate(parsed))


@given(POINTS)
@example({"measurement": "m", "tags": {"a\\ b": '"x'}, "fields": {"v": 1}, "time": None})
@example({"measurement": "m", "tags": {"a": "b\\ \\="}, "fields": {'"': 1.0, "s": "\n"}, "time": 0})
def test_round_trip(point: dict[str, Any]) -> None:
    try:
        data = serialize(point)
    except SerializationError:
        return
    expected = {**point, "tags": dict(sorted(point["tags"].items()))}
    assert exact(parse(data)) == exact([expected])
    # Between other lines it is still one line.
    assert end_of_line(data + b"\nm v=1", 0) == len(data)
    assert exact(parse(data + b"\n" + data)) == exact([expected, expected])


@given(st.lists(POINTS, max_size=5), st.integers(1, 3))
def test_round_trip_in_batches(points: list[dict[str, Any]], max_lines: int) -> None:
    sendable = []
    for point in points:
        try:
            serialize(point)
        except SerializationError:
            continue
        sendable.append(point)
    batches = serialize_batches(sendable, max_lines=max_lines)
    parsed = [point for batch in batches for point in parse(batch)]
    assert exact(parsed) == exact([{**point, "tags": dict(sorted(point["tags"].items()))} for point in sendable])


@pytest.mark.parametrize("options", [{}, {"unsigned": True}, {"precision": "s"}])
@given(data=LINES | st.text() | st.binary())
def test_only_documented_errors(options: dict[str, Any], data: str | bytes) -> None:
    with contextlib.suppress(SerializationError):
        parse(data, **options)


@settings(max_examples=1000)
@given(LINES)
def test_fast_path_equals_slow_path(line: str) -> None:
    try:
        short = FastReader(1).read(line)
    except (ValueError, OverflowError):
        short = None
    try:
        long = scan_line(line.encode(), 1, unsigned=False)
    except ScanError:
        long = None
    if short is not None:
        assert exact(short) == exact([long] if long else [])
        assert end_of_line(line.encode() + b"\nm", 0) == len(line.encode())


def test_fast_path_is_taken() -> None:
    """Checks that the preceding test compares two different paths."""
    plain = {"measurement": "m", "tags": {"a b": "c,d"}, "fields": {"f": 1.5, "g": 2.0, "i": 3, "b": True, "s": "x y"}}
    points: list[dict[str, Any]] = [
        {**plain, "time": 1},
        {**plain, "tags": {"a": "b"}, "time": None},
        {**plain, "time": -1},
    ]
    assert exact(FastReader(1).read(serialize(points).decode()) or []) == exact(points)


def test_largest_floats() -> None:
    assert parse("m v=1.7976931348623157e308")[0]["fields"]["v"] == math.nextafter(math.inf, 0)


INVALID_LINES = 'm v=1 1\nü,t=é v= 1\n# c\nm v="a\nb" 1\nm v="c\nd",w=x 2\nm v=1 1x\n'


def test_check_reports_all_rejected_lines_with_positions() -> None:
    assert [error.place for error in check_lines(INVALID_LINES)] == [
        Place(2, 9, "ü,t=é v= 1", "missing field value"),
        Place(7, 6, 'd",w=x 2', "invalid boolean"),
        Place(8, 7, "m v=1 1x", "bad timestamp"),
    ]
    assert list(check_lines("m v=1 1\n\n# c")) == []


def test_error_has_the_position() -> None:
    with pytest.raises(SerializationError, match=r"^line 2, column 9: missing field value$") as caught:
        parse(INVALID_LINES)
    assert caught.value.place == Place(2, 9, "ü,t=é v= 1", "missing field value")
    assert SerializationError("of another kind").place is None


@given(st.lists(LINES, max_size=8).map("\n".join), st.integers(1, 7))
def test_check_agrees_with_parse(text: str, size: int) -> None:
    chunks = [text.encode()[at : at + size] for at in range(0, len(text.encode()), size)]
    errors = [str(error) for error in check_lines(chunks)]
    assert errors == [str(error) for error in check_lines(text)]
    with contextlib.ExitStack() as stack:
        if errors:
            stack.enter_context(pytest.raises(SerializationError, match=f"^{re.escape(errors[0])}$"))
        parse(text)


@given(st.lists(LINES, max_size=8).map("\n".join), st.integers(1, 7))
def test_line_splitting_agrees_with_parsing(text: str, size: int) -> None:
    data = text.encode()
    found = list(split_lines([data[at : at + size] for at in range(0, len(data), size)]))
    expected = []
    at = 0
    while at < len(data):
        end = end_of_line(data, at)
        expected.append(data[at:end])
        at = end + 1
    assert found == expected


@pytest.mark.parametrize("line", ['0 \\\\="="', 'm \\0=","=3,"="\'', 'm a=1,\\\\="="'])
def test_lines_that_crash_the_server_are_rejected(line: str) -> None:
    """A backslash before `=` makes the server's scanners disagree; a value of a single quote remains."""
    [error] = check_lines(line)
    assert "unbalanced quotes" in str(error)


@pytest.mark.parametrize(
    ("line", "types"), [("m t=1i,t=1 1", ("float", "integer")), ('m a=1,t="x",t=true', ("boolean", "string"))]
)
def test_field_with_two_types_is_rejected(line: str, types: tuple[str, str]) -> None:
    [error] = check_lines(line)
    reason = f'input field "t" on measurement "m" is type {types[0]}, already exists as type {types[1]}'
    assert f"field type conflict: {reason}" in str(error)
    assert list(check_lines("m t=1,t=2 1")) == []


def test_errors_come_as_soon_as_their_lines() -> None:
    """Without a valid line among them, and before the next part of a file is read."""
    parts = iter([b"m v=\n" * 1000, b"m v=1\n"])
    first = next(check_lines(parts))
    assert first.place is not None
    assert first.place.line == 1
    assert next(parts) == b"m v=1\n"


def test_errors_and_points_keep_their_order() -> None:
    lines = b'm v=1\nm\n\nm s="a\nb",v=\nm v=2\n# c\nm v=\\\n'
    for size in (1, 2, 5, len(lines)):
        errors = list(check_lines(lines[at : at + size] for at in range(0, len(lines), size)))
        assert [error.place and (error.place.line, error.place.column) for error in errors] == [(2, 2), (5, 6), (8, 5)]


class CountedBytes(bytes):
    """Counts the bytes that are searched."""

    work = 0

    def count(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        CountedBytes.work += (len(self) if end is None else end) - start
        return super().count(sub, start, end)

    def rfind(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().rfind(sub, start, end)
        CountedBytes.work += (len(self) if end is None else end) - found
        return found

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start, end)
        CountedBytes.work += (len(self) if found < 0 else found) - start
        return found


@pytest.mark.parametrize("line", [b"m v=", b"m", b"#\xff", b'm v="', b'm s="a\nb",v=', b"m v=1\xff"])
@pytest.mark.parametrize("size", [100, 8_000])
def test_work_is_linear(line: bytes, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of lines that are all rejected, and of strings that are not closed."""
    monkeypatch.setattr(CountedBytes, "work", 0)

    def counted_end(data: bytes, at: int) -> int:
        end = end_of_line(data, at)
        CountedBytes.work += end - at
        return end

    monkeypatch.setattr("influx_proto._line_protocol.parse.end_of_line", counted_end)
    data = (line + b"\n") * (8_000 // len(line))
    list(_Reader(1, unsigned=False, raises=False).read(CountedBytes(data), is_last=True))
    list(check_lines(data[at : at + size] for at in range(0, len(data), size)))
    assert CountedBytes.work < 12 * len(data)


def test_duplicate_tags_are_reported_after_other_errors_of_tags() -> None:
    """The server scans all tags before it looks for duplicates."""
    [duplicate] = check_lines("m,a=b,a=c v=1")
    assert "column 9: duplicate tags" in str(duplicate)
    [missing] = check_lines("m,a=b,a=c,=d v=1")
    assert "missing tag key" in str(missing)
