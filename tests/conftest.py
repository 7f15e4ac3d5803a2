"""Fixtures for all tests: a real InfluxDB and a fresh database."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests import deselected
from tests.conformance.selection import Selection
from tests.servers.builds import BUILDS, BuildError
from tests.servers.influxd import Server
from tests.servers.running import running_server, use_build

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Cache bytecode even where the environment disables it. Each worker of pytest-xdist imports all tests, and hundreds of
# tests start a process that imports our packages.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The default is "derandomized": the same examples in every run. `pytest --hypothesis-profile random` draws new ones.
# No profile has a deadline, since a loaded machine would exceed any.
for _name, _derandomize in (("derandomized", True), ("random", False)):
    settings.register_profile(
        _name, derandomize=_derandomize, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile("derandomized")

#: Modules with tests that take many seconds. They run first, so that no worker of pytest-xdist is busy with one of them
#: after all others have finished.
SLOW = (
    "tests/docs/test_site.py",
    "tests/docs/test_consoles.py",
    "tests/conformance/faults/test_kill.py",
    "tests/examples/test_frames.py",
    "tests/packaging/test_names.py",
    "tests/packaging/test_wheels.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests of a feature that the driver or the server lacks: `@pytest.mark.needs("proxy")`.

    With `--server`, tests that do not use this server are deselected as well. The slow modules are moved to the front.

    Raises:
        UsageError: a test id contains a memory address. pytest-xdist needs the same ids in every worker. (It compares
            them, which detects ids that depend on the order of a set.)
    """
    if unstable := [item.nodeid for item in items if re.search(r"\bat 0x[0-9a-f]{6,}", item.nodeid)]:
        raise pytest.UsageError(f"test ids contain memory addresses; pass ids= to parametrize: {', '.join(unstable)}")
    select = Selection(config.getoption("--server"))
    kept: list[pytest.Item] = []
    lacking: list[pytest.Item] = []
    for item in items:
        if reason := select.find_reason(item):
            deselected.counts(config)[reason] += 1
            lacking.append(item)
        else:
            kept.append(item)
    if lacking:
        config.hook.pytest_deselected(items=lacking)
    items[:] = sorted(kept, key=lambda item: not item.nodeid.startswith(SLOW))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist, send the counts of deselected tests."""
    deselected.send_to_controller(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Receive the counts of deselected tests from a worker of pytest-xdist."""
    deselected.receive_from_worker(node)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report how many tests were deselected, for each reason."""
    deselected.report(terminalreporter, config)


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores, since many tests wait for servers and timeouts."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Disable garbage collection meanwhile, and exclude what was imported and collected from every later one.

    It lives as long as the session. Traversing it repeatedly would take a tenth of the CPU time of each worker's start.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_sessionstart() -> None:
    """Handle signals as in a terminal: a process in the background ignores SIGINT, one under nohup SIGHUP."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the conformance suite run over an adapter from outside this repository."""
    parser.addoption(
        "--driver",
        action="append",
        metavar="MODULE:NAME",
        help="a Driver to run tests/conformance over, instead of the repository's own; see docs/adapter.md",
    )
    parser.addoption(
        "--server", choices=BUILDS, help="a server of `make servers` to run tests/conformance on, instead of Debian's"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let every test that starts a server find the one of `--server`."""
    if name := config.getoption("--server"):
        try:
            use_build(name)
        except BuildError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.fixture(scope="session")
def influxd(pytestconfig: pytest.Config) -> Iterator[Server]:
    """Return the session's server: the one of `--server`, at `INFLUXDB_URL`, or one started for the session."""
    with running_server(pytestconfig.getoption("--server")) as server:
        yield server


@pytest.fixture
def database(influxd: Server) -> Iterator[str]:
    """Return the name of a fresh database, which is dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    influxd.create_database(name)
    yield name
    influxd.drop_database(name)
