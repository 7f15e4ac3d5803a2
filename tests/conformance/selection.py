"""Selection of the tests that a client and a server can run, with the reasons why others cannot."""

from __future__ import annotations

import functools
import os
from typing import get_args

import pytest

from tests.conformance.drivers import Driver, Feature
from tests.servers.builds import BUILDS
from tests.servers.capabilities import FEATURES, Version, lacks
from tests.servers.running import find_version, version_of
from tests.servers.victoriametrics import find_victoriametrics, read_version


class Selection:
    """The tests to run on a server: that of `--server` or `INFLUXDB_URL`, which may be 2.x or 3, or a local 1.x.

    The servers that tests start themselves are InfluxDB 1.x and VictoriaMetrics.
    """

    def __init__(self, name: str | None) -> None:
        self._name = name
        #: Fixtures of which a test must use one, or None for all tests.
        self._fixtures: frozenset[str] | None = None
        if name == "victoriametrics":
            self._fixtures = frozenset({"victoriametrics"})  # without InfluxQL, other tests cannot read back
        elif (name or os.environ.get("INFLUXDB_URL")) and self.version[:2] != ("influxdb", 1):
            self._fixtures = frozenset({"influxd"})

    @functools.cached_property
    def version(self) -> Version:
        """Return the version of the server that the fixture `influxd` returns."""
        return version_of(self._name)

    @functools.cached_property
    def victoriametrics(self) -> Version:
        """Return the version of the server that the fixture `victoriametrics` returns."""
        return find_version("victoriametrics", read_version(find_victoriametrics()))

    def find_reason(self, item: pytest.Item) -> str | None:
        """Return why a test cannot run, or None if it can."""
        needed = {feature for mark in item.iter_markers("needs") for feature in mark.args}
        if unknown := needed - FEATURES.keys() - BUILDS.keys() - set(get_args(Feature)):
            raise pytest.UsageError(f"{item.nodeid} needs {', '.join(sorted(unknown))}, which no table describes")
        fixtures = frozenset(getattr(item, "fixturenames", ()))
        if self._fixtures is not None and not self._fixtures & fixtures:
            return f"test does not use {self.version}"
        driver = item.callspec.params.get("driver") if hasattr(item, "callspec") else None
        if isinstance(driver, Driver) and (missing := needed & driver.lacks):
            return f"{driver.name} lacks {', '.join(sorted(missing))}"
        if missing := {name for name in needed & BUILDS.keys() if not BUILDS[name].path.exists()}:
            return f"`make servers` has not built {', '.join(BUILDS[name].title for name in sorted(missing))}"
        if features := needed & FEATURES.keys():
            version = self.victoriametrics if "victoriametrics" in fixtures else self.version
            if missing := features & lacks(version):
                return f"{version} lacks {', '.join(FEATURES[feature] for feature in sorted(missing))}"
        return None
