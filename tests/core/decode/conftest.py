"""Feeds a decoder the same bytes in every way that a connection may cut them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hypothesis import strategies as st
from influx_proto._decode.document import DocumentDecoder
from influx_proto._errors import ProtocolError

Make = Callable[[], DocumentDecoder]
Documents = list[dict[str, Any]]


def feed(make: Make, pieces: Iterable[bytes]) -> Documents:
    """Decode an answer that comes in these pieces."""
    decoder = make()
    documents = [document for piece in pieces for document in decoder.feed(piece)]
    return documents + decoder.close()


def feed_until_error(make: Make, pieces: Iterable[bytes]) -> tuple[Documents, ProtocolError | None]:
    """Decode as far as it goes: the documents before the error, and the error."""
    decoder = make()
    documents: Documents = []
    try:
        for piece in pieces:
            documents += decoder.feed(piece)
        documents += decoder.close()
    except ProtocolError as error:
        return documents, error
    return documents, None


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def ways(data: bytes) -> Iterator[list[bytes]]:
    """Whole; byte by byte; in two pieces, cut everywhere; with empty pieces."""
    yield [data]
    yield byte_by_byte(data)
    for at in range(0, len(data), max(len(data) // 500, 1)):
        yield [data[:at], data[at:]]
    yield [b"", data, b""]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The pieces between these places, which are taken modulo the length."""
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(at)]


PLACES = st.lists(st.integers(0, 1 << 20), max_size=8)


def exact(documents: object) -> str:
    """What tells 1 from 1.0 and True, and 0.0 from -0.0, which compare as equal."""
    return repr(documents)


def every_way(make: Make, data: bytes) -> Documents:
    """Decode in every way: it makes no difference, and bytes too many are an error that comes after the documents."""
    expected = feed(make, [data])
    for pieces in ways(data):
        assert exact(feed(make, pieces)) == exact(expected)
    for trailing in (b"!", b"! and more\n"):
        for pieces in ([data + trailing], [data, trailing], byte_by_byte(data + trailing)):
            documents, error = feed_until_error(make, pieces)
            assert error is not None
            assert exact(documents) == exact(expected[: len(documents)])
            assert len(documents) >= len(expected) - 1
    return expected


def check_truncation(make: Make, data: bytes, boundaries: Iterable[int]) -> None:
    """Cut the answer at every byte: an error, except at these places where a document ends."""
    whole = exact(feed(make, [data]))
    ends = set(boundaries)
    for length in range(len(data)):
        for pieces in ([data[:length]], byte_by_byte(data[:length])):
            documents, error = feed_until_error(make, pieces)
            assert (error is None) == (length in ends), (length, error)
            assert whole.startswith(exact(documents)[:-1])


_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["}{", '"}', "{", "\\", '\\"', "\u2028\r\n", "\u4067results", '{"results":[]}', "\x81\xa7results"]),
)
_NAMES = st.text(max_size=6)


@st.composite
def _series(draw: st.DrawFn) -> dict[str, Any]:
    columns = draw(st.lists(_NAMES, min_size=1, max_size=4))
    series: dict[str, Any] = {"name": draw(_NAMES)}
    if draw(st.booleans()):
        series["tags"] = draw(st.dictionaries(_NAMES, _NAMES, min_size=1, max_size=3))
    series["columns"] = columns
    row = st.lists(_CELLS, min_size=len(columns), max_size=len(columns))
    if values := draw(st.lists(row, max_size=4)):
        series["values"] = values
    if draw(st.booleans()):
        series["partial"] = True
    return series


@st.composite
def _result(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.integers(0, 5)) == 0:
        return {"error": draw(st.text())}
    result: dict[str, Any] = {"statement_id": draw(st.integers(0, 300))}
    if series := draw(st.lists(_series(), max_size=3)):
        result["series"] = series
    if draw(st.booleans()):
        result["messages"] = [{"level": "warning", "text": draw(st.text())}]
    if draw(st.booleans()):
        result["partial"] = True
    return result


#: Answers in the shape of InfluxDB's JSON.
DOCUMENTS = st.lists(
    st.one_of(
        st.builds(lambda results: {"results": results}, st.lists(_result(), max_size=3)),
        st.builds(lambda text: {"error": text}, st.text()),
    ),
    min_size=1,
    max_size=4,
)
