"""Reading the answer to a ping."""

from __future__ import annotations

from ._errors import ResponseError
from ._refusals import Refusal, not_influxdb
from ._wire import Headers


class ServerInfo(Headers):
    """Who answered a ping: the headers of the answer."""

    __slots__ = ()

    @property
    def version(self) -> str | None:
        """The server's version as it writes it (`1.8.10`, `1.6.7~rc0`, `v2.7.1`); None where it does not say."""
        return self.get("X-Influxdb-Version")

    @property
    def build(self) -> str | None:
        """`OSS`, `ENT` or `Core`; None where the server does not say."""
        return self.get("X-Influxdb-Build")


class PingReceiver:
    """Receives the answer to a ping: 204, or from InfluxDB 3 a 200 with JSON."""

    def __init__(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = headers
        self._refusal = None if status in {200, 204} else Refusal(ResponseError, status, headers)
        self._start = b""

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        if self._refusal is not None:
            self._refusal.feed(data)
        elif len(self._start) < 1024:
            self._start += data[:1024]

    def close(self) -> ServerInfo:
        """Take the end of the answer."""
        if self._refusal is not None:
            self._refusal.close()
        # VictoriaMetrics answers 204 without a version; a web server in its place answers 200 with a page.
        if self._status == 200 and "X-Influxdb-Version" not in self._headers:
            raise not_influxdb(self._status, self._headers, self._start)
        return ServerInfo(self._headers)
