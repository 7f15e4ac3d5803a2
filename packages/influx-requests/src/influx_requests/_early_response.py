"""Responses that arrive early: reader of response heads that skips provisional responses and detects truncation."""

from __future__ import annotations

import io
import math
import re
import time
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any

_PROVISIONAL = re.compile(rb"HTTP/\d\.\d +1(?!01)\d\d\b")  # 101 is final: the server has left HTTP
_HTTP = b"HTTP/"
_END = re.compile(rb"\r?\n\r?\n")
_BLANK = (b"\r\n", b"\n")

#: A server that sends provisional responses or headers indefinitely would never cause a timeout.
_MAX_PROVISIONAL = 100
_MAX_HEADERS = 100
_MAX_EARLY = 64 * 1024


class EarlyBytes:
    """The bytes that a server sends while the request is still being sent."""

    def __init__(self) -> None:
        self._data = b""
        self._skipped = 0

    def feed(self, data: bytes) -> bool:
        """Add received bytes and drop complete provisional heads; return whether a final response has begun."""
        self._data += data
        while _PROVISIONAL.match(self._data):
            end = _END.search(self._data)
            if end is None:
                return len(self._data) > _MAX_EARLY
            self._data = self._data[end.end() :]
            self._skipped += 1
            if self._skipped > _MAX_PROVISIONAL:
                return True
        return len(self._data) >= len(b"HTTP/1.1 200") or not b"HTTP/1.1 ".startswith(self._data[:9])

    def take(self) -> bytes:
        """Return the remaining bytes and clear them."""
        data, self._data, self._skipped = self._data, b"", 0
        return data


class Source:
    """Socket for `http.client.HTTPResponse`, which only calls its `makefile`.

    Args:
        sock: the socket.
        early: the bytes that were received already.
        deadline: when the response must be complete, on the monotonic clock.
    """

    def __init__(self, sock: Any, early: bytes, deadline: float) -> None:
        self._sock = sock
        self._early = early
        self._deadline = deadline

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return a buffered file of the early bytes and all bytes that follow."""
        raw = self._sock.makefile("rb", buffering=0)
        if self._deadline < math.inf:
            raw = _Limited(raw, self._sock, self._deadline)
        return _HeadReader(_Joined(self._early, raw) if self._early else raw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Limited(io.RawIOBase):
    """Raw file of a socket that raises `TimeoutError` at a deadline: a server that sends slowly is never idle."""

    def __init__(self, raw: io.RawIOBase, sock: Any, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Wait for bytes and read them into a buffer; return their number."""
        self._sock.settimeout(remaining(self._deadline, self._sock.gettimeout()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Close the raw file."""
        self._raw.close()
        super().close()


def remaining(deadline: float, seconds: float | None) -> float | None:
    """Return a time to wait in seconds, or a shorter one until a deadline. Raises `TimeoutError` after the deadline."""
    if deadline == math.inf:
        return seconds
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left if seconds is None or left < seconds else seconds


class _Joined(io.RawIOBase):
    """File of the bytes that were received already, followed by those of a raw file."""

    def __init__(self, early: bytes, raw: io.RawIOBase) -> None:
        self._early = early
        self._raw = raw

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read into a buffer; return the number of bytes."""
        if not self._early:
            return self._raw.readinto(buffer)
        size = min(len(buffer), len(self._early))
        buffer[:size], self._early = self._early[:size], self._early[size:]
        return size

    def close(self) -> None:
        """Close the raw file."""
        self._raw.close()
        super().close()


class _HeadReader(io.BufferedReader):
    """File of a response that raises if the head is truncated, which http.client would not notice."""

    _is_status_line = True
    _is_head = True

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line. The first one is the final status line; an incomplete line of the head raises."""
        if not self._is_head:
            return super().readline(size)
        if self._is_status_line:
            self._is_status_line = False
            return self._final_status_line(size)
        line = self._read_complete_line(size)
        self._is_head = line not in _BLANK
        return line

    def _final_status_line(self, size: int | None) -> bytes:
        for _ in range(_MAX_PROVISIONAL + 1):
            line = super().readline(size)
            if not line:
                raise RemoteDisconnected("closed before the head of the response")
            if not _HTTP.startswith(line[: len(_HTTP)]):
                raise BadStatusLine(repr(line[:40]))
            if not _PROVISIONAL.match(self._checked(line, size)):
                return line
            self._skip_headers(size)
        raise HTTPException(f"more than {_MAX_PROVISIONAL} provisional responses")

    def _skip_headers(self, size: int | None) -> None:
        for _ in range(_MAX_HEADERS + 1):
            if self._read_complete_line(size) in _BLANK:
                return
        raise HTTPException(f"more than {_MAX_HEADERS} headers in a provisional response")

    def _read_complete_line(self, size: int | None) -> bytes:
        return self._checked(super().readline(size), size)

    def _checked(self, line: bytes, size: int | None) -> bytes:
        if not line.endswith(b"\n") and (size is None or size < 0 or len(line) < size):
            raise IncompleteRead(line)
        return line
