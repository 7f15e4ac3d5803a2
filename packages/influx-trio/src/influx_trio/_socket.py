"""A connected socket, for one exchange at a time."""

from __future__ import annotations

import math
import socket
from collections.abc import Awaitable, Callable

import trio

from ._watchdog import Watchdog

_PIECE = 64 * 1024


class Socket(trio.abc.Stream):
    """Takes over the socket of a stream, fails as that does, and knows how long to wait.

    `trio.SocketStream` lets all other tasks run after each piece that it sends, and looks for an answer before it waits
    for one. Whoever sends a request waits for its answer next, so that both are done for nothing with each small write.
    """

    def __init__(self, stream: trio.SocketStream, watchdog: Watchdog) -> None:
        self._socket = socket.socket(fileno=stream.socket.detach())
        self._socket.setblocking(False)
        self._watchdog = watchdog
        #: How many wait: to receive, and while a long request is being sent, to send.
        self._waiting = 0
        #: Seconds to wait before it is closed, anew with each piece that comes or goes; and when it is closed at the
        #: latest, on trio's clock.
        self.idle = self.deadline = math.inf
        #: Whether that was done.
        self.is_expired = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it. Other tasks run only where it has to wait; who is cancelled already sends nothing."""
        await trio.lowlevel.checkpoint_if_cancelled()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await self._wait(trio.lowlevel.wait_writable)
            except OSError as error:
                raise self._failed() from error
        if self._waiting:  # for an answer, which cannot come before the request is sent
            self._arm()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until a piece can be sent."""
        await self._wait(trio.lowlevel.wait_writable)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes; there are none at the end."""
        while True:
            await self._wait(trio.lowlevel.wait_readable)
            try:
                return self._socket.recv(max_bytes or _PIECE)
            except BlockingIOError:  # it was announced too early, as is allowed
                continue
            except OSError as error:
                raise self._failed() from error

    @property
    def is_readable(self) -> bool:
        """Whether something has come, or its end."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        """Close it at once; who waits for it is told."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    async def aclose(self) -> None:
        """Do the same as a checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()

    def expire(self) -> None:
        """Close it because nothing came for too long."""
        self.is_expired = True
        self.close()

    async def _wait(self, until_ready: Callable[[socket.socket], Awaitable[None]]) -> None:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError
        self._waiting += 1
        self._arm()
        try:
            await until_ready(self._socket)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._watchdog.disarm(self)

    def _failed(self) -> trio.BrokenResourceError | trio.ClosedResourceError:
        return trio.BrokenResourceError() if self._socket.fileno() >= 0 else trio.ClosedResourceError()

    def _arm(self) -> None:
        self._watchdog.arm(self, min(trio.current_time() + self.idle, self.deadline))
