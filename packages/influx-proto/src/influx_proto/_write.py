"""Writing: which requests a write consists of, and reading their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ._errors import InfluxDBError, SerializationError
from ._flow import Flow
from ._op import Op
from ._refusals import Refusal
from ._serialize import Batch, Encoder
from ._settings import Settings
from ._wire import Headers, Repeat, Request, add_params


def write_op(batch: Batch, params: Sequence[tuple[str, str]], *, wants_db: bool) -> Op[bool]:
    """Make the request that writes a batch."""
    target = add_params("/write", [*params, ("precision", batch.precision)])
    repeat = Repeat.ALWAYS if batch.timed else Repeat.UNLESS_RECEIVED
    return Op(Request("POST", target, body=batch.data, repeat=repeat, wants_db=wants_db), WriteReceiver)


class WriteReceiver:
    """Receives the answer to a write, of which 204 is the only one that says that all is stored."""

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers
        self._refusal = Refusal("write", status, headers)

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._refusal.feed(data)

    def close(self) -> bool:
        """Take the end of the answer."""
        if self._status != 204:
            self._refusal.close()
        return True


class Writes:
    """The requests of one write, made one by one while they are sent; iterating it gives their `Op`s."""

    def __init__(self, data: object, encoder: Encoder, make_op: Callable[[Batch], Op[bool]]) -> None:
        self._data = data
        self._encoder = encoder
        self._make_op = make_op

    def __iter__(self) -> Iterator[Op[bool]]:
        return map(self._make_op, self._batches())

    def _batches(self) -> Iterator[Batch]:
        return self._encoder.encode(self._data)

    def only(self) -> Op[bool]:
        """Give the one request of a write that was not divided.

        Raises:
            SerializationError: there is nothing to write.
        """
        for op in self:
            return op
        msg = "there is nothing to write"
        raise SerializationError(msg)

    def flow(self, settings: Settings, now: Callable[[], float]) -> Flow[bool]:
        """Write batch after batch; an error says how much was stored before it."""
        stored = 0
        try:
            for batch in self._batches():
                yield from self._make_op(batch).flow(settings, now)
                stored += batch.lines
        except InfluxDBError as error:
            if stored:
                error.add_note(f"the {stored} lines before this request were stored")
            raise
        return True
