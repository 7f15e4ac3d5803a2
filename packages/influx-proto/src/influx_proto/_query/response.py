"""Reading the answers to queries: which bytes are whole chunks, which are errors, and whether all of it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

from .._decode.document import DocumentDecoder
from .._decode.formats import decoder_for
from .._errors import ProtocolError
from .._http.error_response import ErrorReceiver, not_influxdb
from .._http.messages import Headers
from .._result.errors import QueryError, QueryErrorDatabaseNotFound
from .._result.result import QueryResult, join
from .._runtime.op import Decoder
from .._time import to_rfc3339

T = TypeVar("T")

#: What a statement may fail of that passes. Not so a query that took too long, which would again, or that was ended.
_TRANSIENT: Final = "max-concurrent-queries limit exceeded"

#: Bytes that are decoded at a time where rows are kept, as lists or packed: so many small series are as fast as few
#: large ones, read as columns together or without the garbage collector looking through them again and again.
_GATHERED: Final = 256 * 1024
#: The same where rows are made something else at once: few, which the processor's cache has room for.
_PIECE: Final = 16 * 1024


def chunk_decoder(
    status: int, headers: Headers, *, epoch: str | None, packed: bool = False, gathered: bool = False
) -> Decoder[QueryResult]:
    """Make the decoder of a query's answer, which gives a `QueryResult` for each chunk.

    Args:
        status: the answer's status.
        headers: its header fields.
        epoch: the unit of its times.
        packed: whether its rows may be packed into columns.
        gathered: whether chunks may wait until there are some more.
    """
    if status != 200:
        return ErrorReceiver(QueryError, status, headers)
    documents = decoder_for(headers.get("Content-Type"), packed=packed)
    if documents is None:
        return _NotInfluxDB(status, headers)
    return _ChunkDecoder(documents, status, headers, epoch, _GATHERED if gathered else 0)


class Collected(Generic[T]):
    """Receives a query's answer: adds each chunk to something as it comes, and gives what that makes of them."""

    def __init__(
        self, decoder: Decoder[QueryResult], add: Callable[[QueryResult], object], finish: Callable[[], T]
    ) -> None:
        self._decoder = decoder
        self._add = add
        self._finish = finish

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        for at in range(0, len(data), _PIECE):
            self._take(partial(self._decoder.feed, data[at : at + _PIECE]))

    def close(self) -> T:
        """Take the end of the answer."""
        self._take(self._decoder.close)
        return self._finish()

    def _take(self, decode: Callable[[], Sequence[QueryResult]]) -> None:
        try:
            chunks = decode()
        except QueryError as error:
            error.partial_result = None  # of what was added the rows are gone
            raise
        for chunk in chunks:
            self._add(chunk)


class WholeResult:
    """Receives a query's answer and joins its chunks."""

    def __init__(self, status: int, headers: Headers, *, epoch: str | None) -> None:
        self._decoder = chunk_decoder(status, headers, epoch=epoch, gathered=True)
        self._chunks: list[QueryResult] = []
        self._epoch = epoch

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._take(lambda: self._decoder.feed(data))

    def close(self) -> QueryResult:
        """Take the end of the answer."""
        self._take(self._decoder.close)
        return join(self._chunks) if self._chunks else QueryResult([], epoch=self._epoch)

    def _take(self, decode: Callable[[], Sequence[QueryResult]]) -> None:
        try:
            self._chunks += decode()
        except QueryError as error:
            last = () if error.partial_result is None else (error.partial_result,)
            error.partial_result = join([*self._chunks, *last])
            raise


class _NotInfluxDB:
    """Receives something that is no answer of InfluxDB, as far as is needed to say what it looks like."""

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers
        self._start = b""

    def feed(self, data: bytes) -> tuple[()]:
        self._start += data[:1024]
        if len(self._start) > 1024:
            self.close()
        return ()

    def close(self) -> Any:
        raise not_influxdb(self._status, self._headers, self._start)


class _ChunkDecoder:
    """Turns documents into chunks; raises what they report, but never before the good chunks ahead of it are given."""

    def __init__(
        self, documents: DocumentDecoder, status: int, headers: Headers, epoch: str | None, portion: int
    ) -> None:
        self._documents = documents
        self._portion = portion  # less is not decoded before the end
        self._waiting = bytearray()
        self._status = status
        self._headers = headers
        self._epoch = epoch
        self._error: QueryError | None = None
        self._next_statement = 0
        #: The statement of which the server said that more is to come.
        self._unfinished: int | None = None

    def feed(self, data: bytes) -> Sequence[QueryResult]:
        self._raise_error()
        self._waiting += data
        if len(self._waiting) < self._portion:
            return ()
        data = bytes(self._waiting)
        self._waiting.clear()
        return self._chunks(self._documents.feed(data))

    def close(self) -> Sequence[QueryResult]:
        self._raise_error()
        chunks = self._chunks(self._documents.feed(bytes(self._waiting)))
        if self._error is None:
            chunks += self._chunks(self._documents.close())
        if chunks and self._error is not None:
            # The end of the answer is the last chance to give chunks, so those before the error go with the error.
            self._error.partial_result = join(map(_with_lists, chunks))
        self._raise_error()
        if self._unfinished is not None:
            msg = f"the answer ends in the middle of statement {self._unfinished}: the server or a proxy cut it short"
            raise ProtocolError(msg, retryable=True)
        return chunks

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _chunks(self, documents: Sequence[dict[str, Any]]) -> list[QueryResult]:
        chunks: list[QueryResult] = []
        for document in documents:
            if self._error is not None:
                break  # what follows an error is "not executed"
            if "error" in document:
                self._fail(str(document["error"]), None)
                break
            if document and "results" not in document:
                raise not_influxdb(self._status, self._headers, repr(document).encode())
            good: list[dict[str, Any]] = []
            for result in document.get("results", ()):
                statement = result.get("statement_id", self._next_statement)
                if "error" in result:
                    self._fail(str(result["error"]), statement)
                    break
                if not all(map(_is_series, result.get("series", ()))):
                    msg = (
                        f"not the shape of an InfluxDB answer: statement {statement} has a series without columns, or "
                        "what should be its columns, tags or rows is something else"
                    )
                    raise ProtocolError(msg)
                self._follow(statement, result)
                if self._epoch is None:
                    _format_times(result)
                good.append(result)
            if good:
                chunks.append(QueryResult(good, epoch=self._epoch))
        return chunks

    def _follow(self, statement: int, result: dict[str, Any]) -> None:
        more = bool(result.get("partial"))
        self._unfinished = statement if more else None
        self._next_statement = statement if more else statement + 1
        if not more and any(series.get("partial") for series in result.get("series", ())):
            # Only an answer in one piece has this: the server stopped at its max-row-limit. (Up to 1.6 it is also set
            # wrongly on complete ones, which is why this client always asks for chunks.)
            msg = f"the server cut the result of statement {statement} short (max-row-limit); ask for less with LIMIT"
            raise ProtocolError(msg)

    def _fail(self, message: str, statement: int | None) -> None:
        kind = QueryErrorDatabaseNotFound if message.startswith("database not found") else QueryError
        self._error = kind(self._status, message, self._headers)
        self._error.statement_id = statement
        self._error.retryable = message.startswith(_TRANSIENT)


def _is_series(series: dict[str, Any]) -> bool:
    return (
        isinstance(series.get("columns"), list)
        and isinstance(series.get("tags", {}), dict)
        and isinstance(series.get("values", []), Sequence)
    )


def _with_lists(chunk: QueryResult) -> QueryResult:
    """Give a chunk with its rows as lists, be they packed or not."""
    for part in chunk["results"]:
        for series in part.get("series", ()):
            if "values" in series:
                series["values"] = list(series["values"])
    return chunk


def _format_times(result: dict[str, Any]) -> None:
    """Turn times that are integers although text was asked for, as they are in CSV, into what was asked for."""
    for series in result.get("series", ()):
        if series["columns"][:1] == ["time"]:
            for row in series.get("values", ()):
                if isinstance(row, list) and row and isinstance(row[0], int):
                    row[0] = to_rfc3339(row[0])
