"""`QueryResult`: mapping interface, text representations, and joining of chunks."""

from __future__ import annotations

import copy
import html
import html.parser
import json
import pickle
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influx_proto import ProtocolError, QueryResult, Series
from influx_proto._result.display import _width
from influx_proto._result.result import join
from wcwidth import wcswidth

from tests.core.decode.conftest import DOCUMENTS
from tests.core.result.conftest import one, result, select_results

TWO = QueryResult([
    {
        "statement_id": 0,
        "series": [
            one("time v s", [1, 1.5, "x"], [2, None, "1"], host="a"),
            one("time v s", [3, 2.0, "line\nfeed"], host=""),
        ],
        "messages": [{"level": "warning", "text": "deprecated"}],
    },
    {"statement_id": 1},
    {"statement_id": 2, "series": [{"columns": ["user", "admin"], "values": [["u", False]]}]},
])


def test_result_is_a_mapping() -> None:
    assert list(TWO) == ["results"]
    assert len(TWO) == 1
    assert TWO["results"][0]["series"][0]["values"] == [[1, 1.5, "x"], [2, None, "1"]]
    assert TWO["results"][0]["messages"] == [{"level": "warning", "text": "deprecated"}]
    assert "series" not in TWO["results"][1]
    assert dict(TWO) == {"results": TWO["results"]}
    assert {"results": TWO["results"]} == TWO
    with pytest.raises(KeyError, match="series"):
        TWO["series"]
    with pytest.raises(TypeError, match="unhashable"):
        hash(TWO)


def test_series() -> None:
    assert TWO.series == [
        Series("m", {"host": "a"}, ("time", "v", "s"), [[1, 1.5, "x"], [2, None, "1"]]),
        Series("m", {"host": ""}, ("time", "v", "s"), [[3, 2.0, "line\nfeed"]]),
        Series("", {}, ("user", "admin"), [["u", False]], statement_id=2),
    ]
    assert result(one("time v")).series == [Series("m", {}, ("time", "v"), [])]


def test_group_tags_are_sorted() -> None:
    tags = {"b": "1", "c": "2", "a": "3"}
    found = QueryResult([{"series": [{"name": "m", "tags": tags, "columns": ["v"], "values": [[1]]}]}])
    assert list(found.series[0].tags) == ["a", "b", "c"]
    assert list(next(found.points())) == ["a", "b", "c", "v"]
    assert "m (a=3, b=1, c=2): 1 row" in repr(found)


def test_series_without_statement_ids() -> None:
    old = QueryResult([{"series": [one("time", [1])]}, {"series": [one("time", [2])]}])
    assert [series.statement_id for series in old.series] == [0, 1]


def test_series_of_a_measurement() -> None:
    found = result(one("time v", [1, 2], name="a", t="x"), one("time v", name="b"), one("time v", name="a", t="y"))
    assert [series.tags for series in found.series["a"]] == [{"t": "x"}, {"t": "y"}]
    assert found.series["b"] == [found.series[1]] == found.series[1:2]
    with pytest.raises(KeyError, match="'c'; measurements of the result: 'a', 'b'"):
        found.series["c"]
    with pytest.raises(KeyError, match="none"):
        result().series["c"]
    with pytest.raises(KeyError, match=r"result.series\['a'\]"):
        found["a"]


def test_rows() -> None:
    assert list(TWO.rows()) == [(1, 1.5, "x"), (2, None, "1"), (3, 2.0, "line\nfeed"), ("u", False)]
    assert list(result().rows()) == []


def test_emptiness_is_explicit() -> None:
    assert not TWO.is_empty
    assert result().is_empty
    assert result(one("time v")).is_empty
    assert result()  # a mapping with one key


def test_first() -> None:
    assert TWO.first() == {"time": 1, "v": 1.5, "s": "x", "host": "a"}
    assert result(one("time v"), one("time v", [1, 2])).first() == {"time": 1, "v": 2}
    assert result().first() is None


def test_scalar() -> None:
    assert result(one("time count", [0, 3])).scalar() == 3
    assert result(one("count", [3])).scalar() == 3
    assert result(one("time", [3])).scalar() == 3
    assert result(one("time count", [0, None])).scalar() is None
    assert result().scalar() is None
    for found, size in (
        (result(one("time v", [1, 2], [2, 3])), "2 x 1"),
        (result(one("time v w", [1, 2, 3])), "1 x 2"),
        (result(one("time v", [1, 2], t="a"), one("time v", [1, 2], t="b")), "2 x 1"),
    ):
        with pytest.raises(ValueError, match=size):
            found.scalar()


@pytest.mark.parametrize(
    ("time", "epoch"),
    [(1_700_000_000_123_456_789, "ns"), (1_700_000_000_123, "ms"), ("2023-11-14T22:13:20.1234567Z", None)],
)
def test_points_with_datetimes(time: object, epoch: str | None) -> None:
    [point] = result(one("time v", [time, time], t="a"), epoch=epoch).points(time="datetime")
    expected = datetime(2023, 11, 14, 22, 13, 20, 123_000 if epoch == "ms" else 123_456, UTC)
    assert point == {"time": expected, "v": time, "t": "a"}


def test_datetimes_are_rounded_down_at_the_limits() -> None:
    times = [-(1 << 63) + 2, -1, (1 << 63) - 2]
    points = result(one("time v", *([time, 1] for time in times))).points(time="datetime")
    assert [point["time"].isoformat() for point in points] == [
        "1677-09-21T00:12:43.145224+00:00",
        "1969-12-31T23:59:59.999999+00:00",
        "2262-04-11T23:47:16.854775+00:00",
    ]


def test_points_keep_other_columns_and_missing_times() -> None:
    assert list(result(one("name time", ["a", 1])).points(time="datetime")) == [{"name": "a", "time": 1}]
    assert list(result(one("time v", [None, 1])).points(time="datetime")) == [{"time": None, "v": 1}]
    with pytest.raises(ProtocolError, match="timestamp"):
        list(result(one("time v", ["soon", 1])).points(time="datetime"))
    with pytest.raises(ValueError, match="time: "):
        next(TWO.points(time="date"))  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("read", [QueryResult.rows, QueryResult.points, QueryResult.first, QueryResult.scalar])
@pytest.mark.parametrize("row", [[1], [1, 2, 3], 1, None], ids=repr)
def test_malformed_row(read: Callable[[QueryResult], Any], row: Any) -> None:
    with pytest.raises(ProtocolError, match="does not match its columns"):
        list(read(result(one("time v", row))) or ())


def test_to_dict() -> None:
    plain = TWO.to_dict()
    assert json.loads(json.dumps(plain)) == dict(TWO)
    plain["results"][0]["series"][0]["values"][0][0] = 7
    assert TWO.series[0].values[0][0] == 1
    assert result(one("time v")).to_dict() == dict(result(one("time v")))


def test_points() -> None:
    assert list(TWO.points()) == [
        {"host": "a", "time": 1, "v": 1.5, "s": "x"},
        {"host": "a", "time": 2, "v": None, "s": "1"},
        {"host": "", "time": 3, "v": 2.0, "s": "line\nfeed"},
        {"user": "u", "admin": False},
    ]


def test_column_takes_precedence_over_a_tag() -> None:
    [point] = result(one("time host v v", [1, 2, 3, 4], host="a")).points()
    assert point == {"time": 1, "host": 2, "v": 4}


@pytest.mark.parametrize("epoch", ["ns", "s", None])
def test_epoch_is_kept(epoch: str | None) -> None:
    chunk = result(one("time v", [1, 2]), epoch=epoch)
    for same in (
        chunk,
        join([chunk, chunk]),
        copy.copy(chunk),
        copy.deepcopy(chunk),
        pickle.loads(pickle.dumps(chunk)),
    ):
        assert same.epoch == epoch
    assert QueryResult([]).epoch == join([]).epoch == "ns"


def chunks_of(whole: QueryResult, size: int) -> list[QueryResult]:
    """Split a result as the server does: a chunk has rows of one series and marks what continues."""
    chunks = []
    for part in whole["results"]:
        entries: list[dict[str, Any]] = []
        for series in part.get("series", [None]):
            if series is None:
                entries.append({})
                continue
            rows = series.get("values", [])
            for begin in range(0, max(len(rows), 1), size):
                entry: dict[str, Any] = {**series, "values": rows[begin : begin + size]} if rows else dict(series)
                if begin + size < len(rows):
                    entry["partial"] = True
                entries.append({"series": [entry]})
        for entry in entries[:-1]:
            entry["partial"] = True
        chunks += [QueryResult([{"statement_id": part["statement_id"], **entry}]) for entry in entries]
    return chunks


@given(select_results(), st.integers(1, 5))
def test_joined_chunks_equal_the_whole(whole: QueryResult, size: int) -> None:
    assert join(chunks_of(whole, size)) == whole


def test_several_entries_for_one_statement() -> None:
    """SHOW TAG KEYS returns such a result."""
    chunks = [QueryResult([{"statement_id": 0, "series": [one("tagKey", ["a"], name=name)]}]) for name in ("m", "n")]
    whole = join(chunks)
    assert [series.name for series in whole.series] == ["m", "n"]
    assert len(whole["results"]) == 1


def test_chunks_without_statement_ids() -> None:
    chunks = [
        QueryResult([{"series": [{**one("time", [1]), "partial": True}], "partial": True}]),
        QueryResult([{"series": [one("time", [2])]}]),
        QueryResult([{"series": [one("time", [3])]}]),
    ]
    assert join(chunks)["results"] == [{"series": [one("time", [1], [2])]}, {"series": [one("time", [3])]}]


def test_messages_of_all_chunks_are_kept() -> None:
    first, second = ({"level": "warning", "text": text} for text in ("a", "b"))
    chunks = [
        QueryResult([{"statement_id": 0, "messages": [first], "partial": True}]),
        QueryResult([{"statement_id": 0, "messages": [second]}]),
    ]
    assert join(chunks)["results"] == [{"statement_id": 0, "messages": [first, second]}]


@pytest.mark.parametrize(
    ("time", "epoch", "text"),
    [
        (1_700_000_000_123, "ms", "2023-11-14T22:13:20.123Z"),
        (1_700_000_000, "s", "2023-11-14T22:13:20Z"),
        ("2023-11-14T22:13:20Z", None, "'2023-11-14T22:13:20Z'"),
        (1_700_000_000, None, "1700000000"),
        (None, "ns", "None"),
        (1 << 80, "ns", str(1 << 80)),
    ],
)
def test_repr_has_readable_times(time: object, epoch: str | None, text: str) -> None:
    found = result(one("time v", [time, 7]), epoch=epoch)
    assert repr(found).splitlines()[-1] == f"    {text}  7"
    assert f"<td>{html.escape(text)}</td>" in found._repr_html_()


def test_repr() -> None:
    assert (
        repr(TWO)
        == """\
<QueryResult: 3 statements, 3 series, 4 rows>
  statement 0: warning: deprecated
  statement 0: m (host=a): 2 rows
    time                            v     s
    1970-01-01T00:00:00.000000001Z  1.5   'x'
    1970-01-01T00:00:00.000000002Z  None  '1'
  statement 0: m (host=): 1 row
    time                            v    s
    1970-01-01T00:00:00.000000003Z  2.0  'line\\nfeed'
  statement 1: no series
  statement 2: 1 row
    user  admin
    'u'   False"""
    )


def test_repr_of_an_empty_result() -> None:
    assert repr(QueryResult([])) == "<QueryResult: 0 statements, 0 series, 0 rows>"
    assert repr(result(one("time v"))) == "<QueryResult: 1 statement, 1 series, 0 rows>\n  m: 0 rows\n    time  v"


def test_repr_of_a_large_result() -> None:
    rows = [[number, "x" * 1_000_000] for number in range(1000)]
    columns = " ".join(f"c{number}" for number in range(100))
    text = repr(
        QueryResult([
            {"statement_id": 0, "series": [one("time v", *rows, host=f"h{number}") for number in range(1000)]},
            {"statement_id": 1, "series": [one(columns, list(range(100)))]},
        ])
    )
    assert text.startswith(
        "<QueryResult: 2 statements, 1001 series, 1000001 rows>\n  statement 0: m (host=h0): 1000 rows\n"
    )
    assert "and 995 more rows" in text
    assert text.endswith("\n  and 996 more series")
    assert len(text) < 5000
    wide = repr(result(one(columns, *[list(range(100))] * 7)))
    assert wide.endswith("\n    and 2 more rows, 75 more columns")
    assert max(map(len, wide.splitlines())) == 117
    assert len(repr(result(one(f"{'long' * 30} v", [1, 2])))) < 200


WIDE = [
    "\u65e5\u672c",
    "e\u0301",
    "\u0e19\u0e49\u0e33",
    "\U0001f469\u200d\U0001f467",
    "\u2600\ufe0f",
]


def test_columns_are_aligned_in_terminal_cells() -> None:
    header, *rows = repr(result(one("\u6642 v", *[[text, 7] for text in WIDE]))).splitlines()[2:]
    assert {wcswidth(line[: line.index(end)]) for line, end in [(header, "v"), *((row, "7") for row in rows)]} == {
        wcswidth(header[:-1])
    }


def test_all_printable_characters_have_a_width() -> None:
    assert all(_width(character) >= 0 for character in map(chr, range(sys.maxunicode + 1)) if character.isprintable())


class Markup(html.parser.HTMLParser):
    """HTML parser that collects the elements and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.elements.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


MARKUP = "<script>alert('\"&')</script>"


def test_html_escapes_data() -> None:
    evil = QueryResult([
        {
            "statement_id": 0,
            "series": [
                {
                    "name": MARKUP,
                    "tags": {MARKUP: MARKUP},
                    "columns": [MARKUP],
                    "values": [[MARKUP]],
                }
            ],
            "messages": [{"level": MARKUP, "text": MARKUP}],
        }
    ])
    markup = Markup()
    markup.feed(evil._repr_html_())
    assert markup.elements <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert markup.text.count(MARKUP) == 6


def test_html_shows_the_same_as_repr() -> None:
    markup = Markup()
    markup.feed(TWO._repr_html_())
    for line in repr(TWO).removeprefix("<").replace(">", "").splitlines():
        for word in line.split():
            assert word in markup.text


@given(DOCUMENTS)
def test_any_result_has_a_repr(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        shown = QueryResult(document.get("results", []))
        for line in repr(shown).splitlines():
            assert line.isprintable()
        markup = Markup()
        markup.feed(shown._repr_html_())
        assert markup.elements <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
