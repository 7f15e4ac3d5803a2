"""What the conformance suite runs over: clients of every adapter, seen the same way.

A test is written once, as plain code against a blocking client. An awaiting client is called through a portal into an
event loop that runs in a thread of its own.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal, TypeAlias

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from influx_proto.adapter import AsyncClient, Client

#: What docs/adapter.md lists.
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
    "session",
    "spool",
    "total",
    "trailing_bytes",
    "unix_socket",
]


@dataclass(frozen=True)
class Driver:
    """A client class under test; `backend` is the event loop that an awaiting one runs in.

    What a client does not do it `lacks`, and says so: that, and not the feature, is then what is tested.
    """

    name: str
    client_class: type[Client[Any] | AsyncClient[Any]]
    backend: Literal["asyncio", "trio"] | None = None
    lacks: frozenset[Feature] = frozenset()
    #: `package.module:NAME`, by which another process finds it. `load` sets it.
    spec: str = ""

    @contextlib.contextmanager
    def client(self, url: str, *, debug: bool = True, **settings: Any) -> Iterator[Any]:
        """Open a client of this class for a server, with sync methods, and close it at the end.

        `debug` is asyncio's debug mode.
        """
        made = self.client_class.from_url(url, **settings)
        if isinstance(made, Client):
            with made:
                yield made
            return
        options = {"debug": debug} if self.backend == "asyncio" else {}
        with start_blocking_portal(self.backend or "asyncio", options) as portal:
            client = _Blocking(made, portal)
            portal.call(made.__aenter__)
            try:
                yield client
            finally:
                portal.call(made.__aexit__, None, None, None)


class _Blocking:
    """An awaiting object seen as a blocking one: its coroutine functions are run in the portal's event loop."""

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
            yield self._items(opened) if hasattr(opened, "__anext__") else _Blocking(opened, self._portal)

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


def let_event_loop_run(client: Any) -> None:
    """Let the event loop of an async client, if it is one, process what its sockets have received by now."""
    if isinstance(client, _Blocking):
        for _ in range(3):
            client._portal.call(anyio.sleep, 0)


def at_once(*calls: Callable[[], Any]) -> Sequence[Any]:
    """Run calls concurrently: in threads, and over an awaiting client as tasks of its event loop."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: call(), calls))


#: The drivers over which the suite runs by default. `--driver package.module:DRIVER` names others.
DRIVERS = (
    "tests.conformance.adapters.aiohttp:DRIVER",
    "tests.conformance.adapters.trio:DRIVER",
    "tests.conformance.adapters.requests:DRIVER",
    "tests.conformance.adapters.http_client:DRIVER",
)
#: Drivers of the example adapter that run by default. Only the modules in `TRANSPORT` run over them, which saves a
#: minute of CPU for each driver. `make conformance` runs all modules over sync code, asyncio and trio.
EXAMPLES = ("tests.conformance.adapters.httpx:SYNC",)
#: The modules that test what an adapter does, rather than the core.
TRANSPORT = frozenset({
    "test_connections", "test_operations", "test_proxies", "test_requests", "test_streams", "test_timeouts", "test_tls",
    "test_unix_sockets",
})  # fmt: skip


def load(spec: str) -> Driver:
    """Import the driver that `package.module:NAME` names."""
    module, _, name = spec.partition(":")
    driver = getattr(import_module(module), name or "DRIVER")
    if not isinstance(driver, Driver):
        msg = f"{spec} is a {type(driver).__name__}; --driver needs a tests.conformance.drivers.Driver"
        raise TypeError(msg)
    return replace(driver, spec=spec)
