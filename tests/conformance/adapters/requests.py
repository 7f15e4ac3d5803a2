"""Driver for influx-requests."""

import influx_requests

from tests.conformance.drivers import Driver

DRIVER = Driver("requests", influx_requests.InfluxDBClient)
