"""The client for trio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
import trio
from influx_proto.adapter import AsyncClient, AsyncSignal, Background, InThread, Settings, SpoolDirectory, SpoolFiles

from ._background import Signal, background, in_thread
from ._protection import protected
from ._transport import TrioTransport
from ._version import __version__

if TYPE_CHECKING:
    from influx_proto import AsyncBatchWriter


class AsyncInfluxDBClient(AsyncClient[None]):
    """Client for InfluxDB in trio programs, over h11.

    It has its own connections and accepts no `session`.
    """

    user_agent = f"influx-trio/{__version__} {h11.PRODUCT_ID} trio/{trio.__version__}"

    def _make_transport(self, settings: Settings, session: None) -> TrioTransport:
        if session is not None:
            raise TypeError("session: this client has its own connections; remove the argument")
        return TrioTransport(settings)

    #: Starts and ends nurseries of senders, which an interruption would end in the wrong order.
    _run_concurrent = protected(AsyncClient._run_concurrent)  # noqa: SLF001 - a method of the base class

    def _batch_writer_class(self) -> type[AsyncBatchWriter]:
        from ._batch_writer import ProtectedBatchWriter  # noqa: PLC0415 - imported only when it is needed

        return ProtectedBatchWriter

    def _background(self) -> tuple[AsyncSignal, Background]:
        return Signal(), background

    def _spool_files(self, directory: str) -> tuple[SpoolFiles, InThread]:
        return SpoolDirectory(directory), in_thread
