"""Driver for the minimal example over `http.client`, which lacks every optional feature."""

from typing import get_args

from examples.bring_your_own_http import InfluxDBClient
from tests.conformance.drivers import Driver, Feature

DRIVER = Driver(
    "http.client",
    InfluxDBClient,
    lacks=frozenset(get_args(Feature)) - {"ipv6_zone", "malformed_head", "trailing_bytes"},
)
