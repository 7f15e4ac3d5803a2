"""The client for synchronous programs."""

from __future__ import annotations

from collections.abc import Callable

import requests
from influx_proto.adapter import Client, Settings, SpoolDirectory, SpoolFiles

from ._background import Threads, background
from ._transport import RequestsTransport
from ._version import __version__


class InfluxDBClient(Client[requests.Session]):
    """Client for InfluxDB in synchronous programs, over requests.

    `session` is an existing `requests.Session`; the client does not close it.
    """

    user_agent = f"influx-requests/{__version__} requests/{requests.__version__}"

    def _make_transport(self, settings: Settings, session: requests.Session | None) -> RequestsTransport:
        return RequestsTransport(settings, session)

    def _background(self) -> tuple[Threads, Callable[[Callable[[], None]], None]]:
        return Threads(), background

    def _spool_files(self, directory: str) -> SpoolFiles:
        return SpoolDirectory(directory)
