"""The client for asyncio."""

from __future__ import annotations

import aiohttp
from influx_proto.adapter import AsyncClient, AsyncSignal, Background, InThread, Settings, SpoolDirectory, SpoolFiles

from ._background import Signal, background, in_thread
from ._transport import AiohttpTransport
from ._version import __version__


class AsyncInfluxDBClient(AsyncClient[aiohttp.ClientSession]):
    """Client for InfluxDB in asyncio programs, over aiohttp.

    `session` is an existing `aiohttp.ClientSession`; the client does not close it. A client can be created outside a
    running event loop, and belongs to the loop in which it is first used.
    """

    user_agent = f"influx-aiohttp/{__version__} aiohttp/{aiohttp.__version__}"

    def _make_transport(self, settings: Settings, session: aiohttp.ClientSession | None) -> AiohttpTransport:
        return AiohttpTransport(settings, session)

    def _background(self) -> tuple[AsyncSignal, Background]:
        return Signal(), background

    def _spool_files(self, directory: str) -> tuple[SpoolFiles, InThread]:
        return SpoolDirectory(directory), in_thread
