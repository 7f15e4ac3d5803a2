"""A server program on a free port, which is started and stopped with a `with` block."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from tests.servers.folders import make_data_folder
from tests.servers.leash import release_leash, start_leash
from tests.servers.ports import reserve_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START_DEADLINE = 30.0
STOP_DEADLINE = 10.0
POLL = 0.01


class ServerProgram(ABC):
    """A server program on a free loopback port, with its data in a temporary folder that is deleted on exit."""

    name: ClassVar[str]
    host = "127.0.0.1"
    port = 0

    @abstractmethod
    def command(self, folder: Path) -> Sequence[str | Path]:
        """Return the command, which serves `host` and `port` with its data in the folder."""

    def __enter__(self) -> Self:
        self._folder = make_data_folder(f"{self.name}-")
        self._reserved = reserve_port(self.host)
        self.port = self._reserved.getsockname()[1]
        log = self._folder / "log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                self.command(self._folder), stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        self._leash = start_leash(self._process, self._folder)
        try:
            self._wait_until_ready(log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._process as process:
            process.terminate()
            try:
                process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
        release_leash(self._leash)
        self._reserved.close()
        shutil.rmtree(self._folder)

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while True:
            try:
                return socket.create_connection((self.host, self.port), timeout=5).close()
            except ConnectionRefusedError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} does not start:\n{log.read_text()}") from None
            time.sleep(POLL)
