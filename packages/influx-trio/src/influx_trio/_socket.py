"""A connected socket, for one exchange at a time."""

from __future__ import annotations

import math
import socket
from collections.abc import Awaitable, Callable

import trio

from ._watchdog import Watchdog

_CHUNK = 64 * 1024


class Socket(trio.abc.Stream):
    """Stream over the socket of a `trio.SocketStream`, with the same exceptions and an idle timeout.

    `trio.SocketStream` yields to all other tasks after each chunk that it sends, and tries to receive before it waits.
    After each small write the client waits for the response anyway, so both would be wasted.
    """

    def __init__(self, stream: trio.SocketStream, watchdog: Watchdog) -> None:
        self._socket = socket.socket(fileno=stream.socket.detach())
        self._socket.setblocking(False)
        self._watchdog = watchdog
        #: How many tasks wait: to receive, and to send a large body.
        self._waiting = 0
        #: Seconds without progress, and the time on trio's clock, after which the socket is closed.
        self.idle = self.deadline = math.inf
        #: Whether a timeout closed the socket.
        self.is_expired = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all bytes. Other tasks run only while the socket is full; a cancelled task sends nothing."""
        await trio.lowlevel.checkpoint_if_cancelled()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await self._wait(trio.lowlevel.wait_writable)
            except OSError as error:
                raise self._failed() from error
        if self._waiting:  # for a response, which cannot arrive before the request is sent
            self._arm()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until bytes can be sent."""
        await self._wait(trio.lowlevel.wait_writable)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes and return them; none at the end of the stream."""
        while True:
            await self._wait(trio.lowlevel.wait_readable)
            try:
                return self._socket.recv(max_bytes or _CHUNK)
            except BlockingIOError:  # the socket was reported as readable too early, which is allowed
                continue
            except OSError as error:
                raise self._failed() from error

    @property
    def is_readable(self) -> bool:
        """Whether bytes, or the end of the stream, have arrived."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        """Close the socket now and wake the tasks that wait for it."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    async def aclose(self) -> None:
        """Close the socket; a checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()

    def expire(self) -> None:
        """Close the socket because of a timeout."""
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
