"""Bodies as aiohttp wants them, with the patience that it does not have: it waits for ever to get rid of a piece."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterable

from influx_proto.adapter import Body

#: A body up to this size is the kernel's as soon as it is sent.
_SMALL = 64 * 1024


class Upload:
    """The body of one request; `patience` is the context in which it is sent and the answer waited for."""

    def __init__(self, idle: float | None) -> None:
        self._idle = idle
        self.patience = asyncio.timeout(None)  # until the first piece is asked for, which is when we are connected

    def data(self, body: Body) -> io.BytesIO | AsyncIterator[bytes] | None:
        """Give the body in a form that aiohttp sends piece after piece, as it does not with bytes."""
        if not isinstance(body, bytes):
            return _Pieces(body, self._go_on)
        if len(body) <= _SMALL:
            return io.BytesIO(body) if body else None
        return _Watched(body, self._go_on)

    def _go_on(self) -> None:
        if self._idle is not None:
            self.patience.reschedule(asyncio.get_running_loop().time() + self._idle)


class _Watched(io.BytesIO):
    def __init__(self, body: bytes, go_on: Callable[[], None]) -> None:
        super().__init__(body)
        self._go_on = go_on

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a piece: the one before is gone."""
        self._go_on()
        return super().read(size)


class _Pieces:
    def __init__(self, body: Iterable[bytes], go_on: Callable[[], None]) -> None:
        self._pieces = iter(body)
        self._go_on = go_on

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._go_on()
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration
