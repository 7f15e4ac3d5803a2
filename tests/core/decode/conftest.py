"""Functions that feed a decoder the same bytes in every possible fragmentation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hypothesis import strategies as st
from influx_proto._decode.document import DocumentDecoder
from influx_proto._errors import ProtocolError

Make = Callable[[], DocumentDecoder]
Documents = list[dict[str, Any]]


def feed(make: Make, chunks: Iterable[bytes]) -> Documents:
    """Decode a response that arrives in these chunks."""
    decoder = make()
    documents = [document for chunk in chunks for document in decoder.feed(chunk)]
    return documents + decoder.close()


def feed_until_error(make: Make, chunks: Iterable[bytes]) -> tuple[Documents, ProtocolError | None]:
    """Decode until the end or an error; return the documents before the error, and the error."""
    decoder = make()
    documents: Documents = []
    try:
        for chunk in chunks:
            documents += decoder.feed(chunk)
        documents += decoder.close()
    except ProtocolError as error:
        return documents, error
    return documents, None


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def fragmentations(data: bytes) -> Iterator[list[bytes]]:
    """Yield the data whole, byte by byte, split in two at many offsets, and with empty chunks."""
    yield [data]
    yield byte_by_byte(data)
    for at in range(0, len(data), max(len(data) // 500, 1)):
        yield [data[:at], data[at:]]
    yield [b"", data, b""]


def split_at(data: bytes, offsets: Iterable[int]) -> list[bytes]:
    """Return the chunks between the offsets, which are taken modulo the length."""
    at = [0, *sorted(offset % (len(data) + 1) for offset in offsets), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(at)]


OFFSETS = st.lists(st.integers(0, 1 << 20), max_size=8)


def exact(documents: object) -> str:
    """Return a representation that distinguishes 1, 1.0 and True, and 0.0 and -0.0, which compare equal."""
    return repr(documents)


def decode_fragmented(make: Make, data: bytes) -> Documents:
    """Decode in every fragmentation, and check that trailing bytes raise an error after the documents."""
    expected = feed(make, [data])
    for chunks in fragmentations(data):
        assert exact(feed(make, chunks)) == exact(expected)
    for trailing in (b"!", b"! and more\n"):
        for chunks in ([data + trailing], [data, trailing], byte_by_byte(data + trailing)):
            documents, error = feed_until_error(make, chunks)
            assert error is not None
            assert exact(documents) == exact(expected[: len(documents)])
            assert len(documents) >= len(expected) - 1
    return expected


def check_truncation(make: Make, data: bytes, boundaries: Iterable[int]) -> None:
    """Truncate the response at every byte, and check for an error unless a document ends there."""
    whole = exact(feed(make, [data]))
    ends = set(boundaries)
    for length in range(len(data)):
        for chunks in ([data[:length]], byte_by_byte(data[:length])):
            documents, error = feed_until_error(make, chunks)
            assert (error is None) == (length in ends), (length, error)
            assert error is None or error.retryable
            assert whole.startswith(exact(documents)[:-1])


class Buffer(bytearray):
    """Bytes that count how many of them are searched."""

    work = 0

    def find(self, sub: Any, start: Any = 0, *rest: Any) -> int:
        found: int = super().find(sub, start, *rest)
        self.work += (len(self) if found < 0 else found) - start
        return found

    def count(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        self.work += end - start
        return super().count(sub, start, end)


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


#: Responses with the structure of InfluxDB's JSON.
DOCUMENTS = st.lists(
    st.one_of(
        st.builds(lambda results: {"results": results}, st.lists(_result(), max_size=3)),
        st.builds(lambda text: {"error": text}, st.text()),
    ),
    min_size=1,
    max_size=4,
)
