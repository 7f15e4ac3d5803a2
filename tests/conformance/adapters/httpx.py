"""Drivers for the example over httpx."""

from examples.httpx_client import AsyncInfluxDBClient, InfluxDBClient
from tests.conformance.drivers import Driver, Feature

LACKS: frozenset[Feature] = frozenset({
    "early_answer",  # httpx reads the response only after it has sent the whole body
    "ipv6_zone",
    "malformed_head",  # httpx raises the same exception for a response that is not HTTP and for a closed connection
    "partial_head",
    "proxy_status",  # httpx reports the status as text
    "session",
    "spool",
    "stale_pool",  # httpx does not let its pool close the idle connections
    "trailing_bytes",
})

SYNC = Driver("httpx", InfluxDBClient, lacks=LACKS | {"exact_pool", "total", "unix_socket"})
ASYNCIO = Driver("httpx-asyncio", AsyncInfluxDBClient, "asyncio", lacks=LACKS)
TRIO = Driver("httpx-trio", AsyncInfluxDBClient, "trio", lacks=LACKS)
