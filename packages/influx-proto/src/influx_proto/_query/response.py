"""Receivers of query responses: they decode chunks, raise errors and detect truncated responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from .._decode.document import DocumentDecoder
from .._decode.formats import decoder_for
from .._errors import ProtocolError, SerializationError
from .._http.error_response import class_for_message, not_influxdb, note_missing_database
from .._http.messages import CSV, MESSAGE_PACK, Headers, media_type
from .._repr import short_repr
from .._result.errors import QueryError
from .._result.packed import PackedRows
from .._result.result import QueryResult, join
from .._runtime.op import Decoder
from .._time import to_nanoseconds, to_rfc3339
from .errors import NotInfluxDB, QueryErrorReceiver
from .request import Language

T = TypeVar("T")

#: The error of a statement that a retry may fix. A query that timed out or was killed would fail again.
_TRANSIENT: Final = "max-concurrent-queries limit exceeded"

#: The number of bytes to buffer before decoding if rows are kept. It makes many small series as fast as few large
#: ones: they are decoded as columns together, or with fewer runs of the garbage collector.
_BUFFER_SIZE: Final = 256 * 1024
#: The same for text formats, of which more bytes are needed for the same number of rows.
_TEXT_BUFFER_SIZE: Final = 1024 * 1024
#: The number of bytes to decode at a time if rows are converted immediately, so that they fit into the processor's
#: cache.
_SLICE_SIZE: Final = 16 * 1024


class Expected(NamedTuple):
    """Properties of a query that the decoding of its response depends on."""

    language: Language
    #: The unit of the timestamps; None for strings in RFC 3339 format.
    epoch: str | None
    #: The number of statements, each of which must have a result; 0 if it is unknown.
    statements: int


def chunk_decoder(
    expected: Expected, status: int, headers: Headers, *, packed: bool = False, buffered: bool = False
) -> Decoder[QueryResult]:
    """Return a decoder for the response to a query, which returns a `QueryResult` for each chunk.

    Args:
        expected: the properties of the query.
        status: the status of the response.
        headers: the headers of the response.
        packed: whether the rows may be packed into columns.
        buffered: whether to buffer chunks and decode several at a time.
    """
    language, epoch, statements = expected
    if status != 200:
        return QueryErrorReceiver(language, status, headers)
    content_type = headers.get("Content-Type")
    documents = decoder_for(content_type, packed=packed, annotated=language == "flux")
    if documents is None:
        return NotInfluxDB(language, status, headers)
    response_type = media_type(content_type)
    is_csv = response_type in CSV and language != "flux"
    is_version_2 = headers.get("X-Influxdb-Version", "").startswith("v2")
    if is_version_2 and headers.get("Content-Length") == "0" and not is_csv:
        return _NoChunks()
    is_binary = response_type in MESSAGE_PACK
    buffer_size = _BUFFER_SIZE if is_binary or not packed else _TEXT_BUFFER_SIZE
    if is_csv:  # it omits statements without rows
        statements = 0
    return _ChunkDecoder(documents, status, headers, epoch, statements, buffer_size if buffered else 0)


class ChunkCollector(Generic[T]):
    """Receives the response to a query, passes each chunk to `add`, and returns the result of `finish`."""

    def __init__(
        self, decoder: Decoder[QueryResult], add: Callable[[QueryResult], object], finish: Callable[[], T]
    ) -> None:
        self._decoder = decoder
        self._add = add
        self._finish = finish

    def feed(self, data: bytes) -> None:
        """Receive body bytes."""
        for start in range(0, len(data), _SLICE_SIZE):
            self._add_chunks(partial(self._decoder.feed, data[start : start + _SLICE_SIZE]))

    def close(self) -> T:
        """Return the result of `finish` at the end of the response."""
        self._add_chunks(self._decoder.close)
        return self._finish()

    def _add_chunks(self, decode: Callable[[], Sequence[QueryResult]]) -> None:
        try:
            chunks = decode()
        except QueryError as error:
            error.partial_result = None  # the rows of earlier chunks are no longer available
            raise
        for chunk in chunks:
            self._add(chunk)


class WholeResult:
    """Receives the response to a query and joins its chunks."""

    def __init__(self, expected: Expected, status: int, headers: Headers) -> None:
        self._decoder = chunk_decoder(expected, status, headers, buffered=True)
        self._chunks: list[QueryResult] = []
        self._epoch = expected.epoch

    def feed(self, data: bytes) -> None:
        """Receive body bytes."""
        self._add_chunks(self._decoder.feed, data)

    def close(self) -> QueryResult:
        """Return the result at the end of the response."""
        self._add_chunks(self._decoder.close)
        return join(self._chunks) if self._chunks else QueryResult([], epoch=self._epoch)

    def _add_chunks(self, decode: Callable[..., Sequence[QueryResult]], *data: bytes) -> None:
        try:
            self._chunks += decode(*data)
        except QueryError as error:
            last = () if error.partial_result is None else (error.partial_result,)
            error.partial_result = join([*self._chunks, *last])
            raise


class _NoChunks:
    """Receives the complete, empty response of InfluxDB 2 to a statement without a result, such as DELETE."""

    def feed(self, data: bytes) -> tuple[()]:
        del data
        return ()

    def close(self) -> tuple[()]:
        return ()


class _ChunkDecoder:
    """Converts documents to chunks. It raises an error in the response after it has returned the chunks before it."""

    def __init__(
        self,
        documents: DocumentDecoder,
        status: int,
        headers: Headers,
        epoch: str | None,
        statements: int,
        buffer_size: int,
    ) -> None:
        self._documents = documents
        self._buffer_size = buffer_size
        self._buffer = bytearray()
        self._status = status
        self._headers = headers
        self._epoch = epoch
        self._statements = statements
        self._error: QueryError | None = None
        self._next_statement = 0
        #: The statement whose last chunk was marked as partial.
        self._unfinished: int | None = None

    def feed(self, data: bytes) -> Sequence[QueryResult]:
        if self._error is not None:
            raise self._error
        self._buffer += data
        if len(self._buffer) < self._buffer_size:
            return ()
        data = bytes(self._buffer)
        self._buffer.clear()
        return self._chunks(self._documents.feed(data))

    def close(self) -> Sequence[QueryResult]:
        if self._error is not None:
            raise self._error
        chunks = self._chunks(self._documents.feed(bytes(self._buffer)))
        if self._error is None:
            chunks += self._chunks(self._documents.close())
        if chunks and self._error is not None:
            # `close` cannot both return chunks and raise, so the error holds the chunks before it.
            self._error.partial_result = join(map(_with_lists, chunks))
        if self._error is not None:
            raise self._error
        if self._unfinished is not None:
            msg = f"the response is truncated: it ends within statement {self._unfinished}"
            raise ProtocolError(msg, retryable=True)
        if self._next_statement < self._statements > 1:  # InfluxDB responds `{}` to some single statements
            found = f"{self._next_statement} of {self._statements} statements"
            raise ProtocolError(f"the response is truncated: it has the results of {found}", retryable=True)
        return chunks

    def _chunks(self, documents: Sequence[dict[str, Any]]) -> list[QueryResult]:
        chunks: list[QueryResult] = []
        for document in documents:
            if self._error is not None:
                break  # statements after an error are "not executed"
            if "error" in document:
                self._fail(_text(document["error"]), None)
                break
            if document and "results" not in document:
                raise not_influxdb(self._status, self._headers, short_repr(document).encode())
            good: list[dict[str, Any]] = []
            for result in document.get("results", ()):
                statement = _statement(result, self._next_statement)
                if "error" in result:
                    self._fail(_text(result["error"]), statement)
                    break
                if not all(map(_is_series, result.get("series", ()))):
                    raise ProtocolError(
                        f"not an InfluxDB response: statement {statement} has a series without columns, or with "
                        "columns, tags or rows of the wrong type"
                    )
                self._track_statement(statement, result)
                if self._epoch is None:
                    _format_times(result)
                good.append(result)
            if good:
                chunks.append(QueryResult(good, epoch=self._epoch))
        return chunks

    def _track_statement(self, statement: int, result: dict[str, Any]) -> None:
        is_partial = bool(result.get("partial"))
        self._unfinished = statement if is_partial else None
        self._next_statement = statement if is_partial else statement + 1
        if not is_partial and any(series.get("partial") for series in result.get("series", ())):
            # Only a response without chunks has this, if the server stopped at its max-row-limit. InfluxDB up to 1.6
            # also sets it on complete responses, which is why this client always requests chunks.
            raise ProtocolError(f"the server truncated the result of statement {statement} (max-row-limit); use LIMIT")

    def _fail(self, message: str, statement: int | None) -> None:
        found = class_for_message(QueryError, message)
        error_class = found if found is not None and issubclass(found, QueryError) else QueryError
        self._error = error_class(self._status, message, self._headers)
        self._error.statement_id = statement
        self._error.retryable = message.startswith(_TRANSIENT)
        note_missing_database(self._error)


def _text(error: object) -> str:
    return error if isinstance(error, str) else short_repr(error)


def _statement(result: dict[str, Any], following: int) -> int:
    statement = result.get("statement_id", following)
    if not isinstance(statement, int):
        raise ProtocolError(f"the response is not structured like InfluxDB's: statement_id is {short_repr(statement)}")
    return statement


def _is_series(series: dict[str, Any]) -> bool:
    if "values" not in series:
        series.setdefault("columns", [])  # InfluxDB 1.13 omits both for a module of SHOW DIAGNOSTICS without values
    return (
        isinstance(series.get("columns"), list)
        and isinstance(series.get("tags", {}), dict)
        and isinstance(series.get("values", []), list | PackedRows)
    )


def split_rows(chunk_size: int, chunk: QueryResult) -> Iterator[QueryResult]:
    """Yield the parts of a chunk with at most `chunk_size` rows each."""
    for part in chunk["results"]:
        for series in part.get("series", ()):
            rows = series.get("values", ())
            for begin in range(0, len(rows) or 1, chunk_size):
                is_last = begin + chunk_size >= len(rows)
                values = {"values": _slice(rows, begin, begin + chunk_size)} if rows else {}
                mark = {} if is_last else {"partial": True}
                yield QueryResult([{**part, "series": [{**series, **values, **mark}], **mark}], epoch=chunk.epoch)
        if not part.get("series"):
            yield QueryResult([part], epoch=chunk.epoch)


def _slice(rows: Sequence[list[Any]], begin: int, end: int) -> Sequence[list[Any]]:
    if isinstance(rows, PackedRows):
        return PackedRows(rows.block, rows.begin + begin, min(rows.begin + end, rows.end))
    return rows[begin:end]


def _with_lists(chunk: QueryResult) -> QueryResult:
    """Return a chunk with its rows as lists instead of packed columns."""
    for part in chunk["results"]:
        for series in part.get("series", ()):
            if "values" in series:
                series["values"] = list(series["values"])
    return chunk


def _format_times(result: dict[str, Any]) -> None:
    """Convert timestamps to RFC 3339 in UTC: CSV has integers, and JSON has the offset of a query's `tz()`.

    MessagePack has neither the text nor the offset, so UTC is the only form that is the same in all formats.
    """
    for series in result.get("series", ()):
        if series["columns"][:1] == ["time"]:
            for row in series.get("values", ()):
                if not isinstance(row, list) or not row:
                    continue
                if isinstance(row[0], int):
                    row[0] = to_rfc3339(row[0])
                elif isinstance(row[0], str) and not row[0].endswith("Z"):
                    row[0] = _in_utc(row[0])


def _in_utc(time: str) -> str:
    try:
        nanoseconds = to_nanoseconds(time)
    except SerializationError:
        return time
    return time if nanoseconds is None else to_rfc3339(nanoseconds)
