"""The batch writer for trio."""

from __future__ import annotations

from influx_proto import AsyncBatchWriter

from ._protection import protected


class ProtectedBatchWriter(AsyncBatchWriter):
    """A batch writer whose buffer stays consistent if trio raises KeyboardInterrupt in a task that uses it."""

    write = protected(AsyncBatchWriter.write)
    flush = protected(AsyncBatchWriter.flush)
    __aenter__ = protected(AsyncBatchWriter.__aenter__)
    __aexit__ = protected(AsyncBatchWriter.__aexit__)


# It is shown under the name of the public class, which is the one that is documented.
ProtectedBatchWriter.__name__ = ProtectedBatchWriter.__qualname__ = AsyncBatchWriter.__name__
