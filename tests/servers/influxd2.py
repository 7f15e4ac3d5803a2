"""Real InfluxDB 2.x server for tests, as `make servers` builds it: started on a free port, set up, and stopped.

with Influxd2() as server:
    ...  # server.url; server.settings has the token and the organization
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from tests.servers import api2
from tests.servers.builds import find_build
from tests.servers.influxd import Influxd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ORG = "the org"
TOKEN = "operator-token-of-the-tests"


class Influxd2(Influxd):
    """A real InfluxDB 2.x on a free loopback port, with its data in a temporary folder that is deleted on exit."""

    settings: Mapping[str, Any] = MappingProxyType({"token": TOKEN, "org": ORG})

    def __init__(self) -> None:
        super().__init__()

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            api2.set_up(self.url, org=ORG, bucket="first", token=TOKEN)
        except BaseException:
            self.__exit__()
            raise
        return self

    def create_database(self, name: str) -> None:
        api2.create_bucket(self.url, TOKEN, ORG, name)

    def drop_database(self, name: str) -> None:
        api2.drop_bucket(self.url, TOKEN, ORG, name)

    def _command(self) -> Sequence[str | Path]:
        return [
            find_build("2.7"),
            f"--http-bind-address={self.host}:{self.port}",
            f"--bolt-path={self.folder / 'influxd.bolt'}",
            f"--sqlite-path={self.folder / 'influxd.sqlite'}",
            f"--engine-path={self.folder}",  # has the folders wal and data, as the data of 1.x
            "--reporting-disabled",
            "--ui-disabled",
            "--log-level=warn",
        ]
