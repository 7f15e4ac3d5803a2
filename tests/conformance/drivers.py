"""Drivers of the conformance suite: clients of every adapter behind one sync interface.

Tests are plain code for a sync client. The methods of an async client run through a portal, in an event loop in
another thread.
"""

from __future__ import annotations

import asyncio.constants
import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal, TypeAlias

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from influx_proto.adapter import AsyncClient, Client

from tests.servers.running import settings_for

#: The features that docs/adapter.md lists.
Feature: TypeAlias = Literal[
    "background",
    "cut_head",
    "early_answer",
    "exact_pool",
    "ipv6_zone",
    "keep_alive",
    "malformed_head",
    "partial_head",
    "pool",
    "provisional",
    "proxy",
    "proxy_status",
    "session",
    "spool",
    "stale_pool",
    "total",
    "trailing_bytes",
    "unix_socket",
]


@dataclass(frozen=True)
class Driver:
    """A client class under test, with the event loop (`backend`) for an async client.

    `lacks` names the features that the client rejects. Tests that need one of them are deselected. Tests that try every
    byte of a response try every `stride`-th.
    """

    name: str
    client_class: type[Client[Any] | AsyncClient[Any]]
    backend: Literal["asyncio", "trio"] | None = None
    lacks: frozenset[Feature] = frozenset()
    stride: int = 1
    #: `package.module:NAME`, under which another process can import the driver. Set by `load`.
    spec: str = ""

    @contextlib.contextmanager
    def client(self, url: str, *, debug: bool = True, **settings: Any) -> Iterator[Any]:
        """Open a client of this class for a server, with sync methods, and close it at the end.

        The server that the tests share gets the token it needs. `debug` enables asyncio's debug mode.
        """
        new_client = self.client_class.from_url(url, **{**settings_for(url), **settings})
        if isinstance(new_client, Client):
            with new_client:
                yield new_client
            return
        options = {"debug": debug} if self.backend == "asyncio" else {}
        with _short_stacks(), start_blocking_portal(self.backend or "asyncio", options) as portal:
            client = _SyncWrapper(new_client, portal)
            portal.call(new_client.__aenter__)
            try:
                yield client
            finally:
                portal.call(new_client.__aexit__, None, None, None)


@contextlib.contextmanager
def _short_stacks() -> Iterator[None]:
    """Limit the stack that asyncio's debug mode records for each callback, and aiohttp for each request.

    The stacks show where an object was created that was not closed or awaited, and recording them in full takes a third
    of the CPU. Each of the debug mode's checks works without them.
    """
    import pytest  # noqa: PLC0415 - takes longer than the other imports of the processes that only need `load`

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.constants, "DEBUG_STACK_DEPTH", 1, raising=False)
        patch.setattr(sys, "tracebacklimit", 3, raising=False)
        yield


class _SyncWrapper:
    """Sync wrapper around an async object: its coroutine functions run in the portal's event loop."""

    def __init__(self, target: Any, portal: BlockingPortal) -> None:
        self.__dict__.update(_target=target, _portal=portal)

    def __getattr__(self, name: str) -> Any:
        name = {"close": "aclose"}.get(name, name)
        found = getattr(self._target, name)
        if not inspect.isroutine(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            if inspect.iscoroutinefunction(found):
                return self._portal.call(functools.partial(found, *args, **kwargs))
            result = found(*args, **kwargs)
            return self._stream(result) if hasattr(result, "__aenter__") else result

        return call

    @contextlib.contextmanager
    def _stream(self, opening: contextlib.AbstractAsyncContextManager[Any]) -> Iterator[Any]:
        with self._portal.wrap_async_context_manager(opening) as opened:
            yield self._items(opened) if hasattr(opened, "__anext__") else _SyncWrapper(opened, self._portal)

    def _items(self, items: Any) -> Iterator[Any]:
        end = object()
        while (item := self._portal.call(_next, items, end)) is not end:
            yield item

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._target, name, value)

    def __repr__(self) -> str:
        return repr(self._target)


async def _next(items: Any, end: object) -> Any:
    return await anext(items, end)


def wait_for_receipt(client: Any, receipt: Any) -> None:
    """Wait for the receipt of a batch writer of this client: `await receipt`, or `receipt.wait()` of a sync client."""
    if isinstance(client, _SyncWrapper):
        client._portal.call(_await, receipt)
    else:
        receipt.wait()


async def _await(awaitable: Any) -> None:
    await awaitable


def let_event_loop_run(client: Any) -> None:
    """Let an async client's event loop process the data its sockets have received. Does nothing for a sync client."""
    if isinstance(client, _SyncWrapper):
        for _ in range(3):
            client._portal.call(anyio.sleep, 0)


def run_concurrently(*calls: Callable[[], Any]) -> Sequence[Any]:
    """Run calls concurrently: in threads, or as tasks of an async client's event loop."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: call(), calls))


#: The drivers of our packages. The suite runs over them and those of examples, or over those of `--driver`.
DRIVERS = (
    "tests.conformance.adapters.aiohttp:DRIVER",
    "tests.conformance.adapters.trio:DRIVER",
    "tests.conformance.adapters.requests:DRIVER",
)
#: The driver of the minimal example.
MINIMAL = "tests.conformance.adapters.http_client:DRIVER"
#: The driver of the example adapter. Only the modules in `TRANSPORT` run over it by default, which saves a minute of
#: CPU. `make conformance` runs all modules over sync code, asyncio and trio.
HTTPX = "tests.conformance.adapters.httpx:SYNC"
#: The stride of the drivers of examples by default. With `--driver`, as in the nightly job, they try every byte.
EXAMPLE_STRIDE = 7
#: The modules that test the adapter rather than the core.
TRANSPORT = frozenset({
    "test_connections", "test_operations", "test_proxies", "test_requests", "test_streams", "test_timeouts", "test_tls",
    "test_unix_sockets",
})  # fmt: skip


def load_defaults(module: str) -> list[Driver]:
    """Import the drivers over which a module of tests runs by default."""
    examples = (MINIMAL, HTTPX) if module in TRANSPORT else (MINIMAL,)
    return [*map(load, DRIVERS), *(replace(load(spec), stride=EXAMPLE_STRIDE) for spec in examples)]


def load(spec: str) -> Driver:
    """Import the driver that `package.module:NAME` names."""
    module, _, name = spec.partition(":")
    driver = getattr(import_module(module), name or "DRIVER")
    if not isinstance(driver, Driver):
        msg = f"{spec} is a {type(driver).__name__}; --driver needs a tests.conformance.drivers.Driver"
        raise TypeError(msg)
    return replace(driver, spec=spec)
