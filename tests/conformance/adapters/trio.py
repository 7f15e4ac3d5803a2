"""Driver for influx-trio."""

import influx_trio

from tests.conformance.drivers import Driver

DRIVER = Driver("trio", influx_trio.AsyncInfluxDBClient, "trio", lacks=frozenset({"session"}))
