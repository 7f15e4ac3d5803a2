"""Driver for influx-aiohttp."""

import influx_aiohttp

from tests.conformance.drivers import Driver

DRIVER = Driver("aiohttp", influx_aiohttp.AsyncInfluxDBClient, "asyncio", lacks=frozenset({"partial_head"}))
