"""Clients for InfluxDB over httpx: one for sync code, one for asyncio and trio.

This package shows how to write an adapter for `influx_proto`. The conformance suite runs over both clients.
"""

from .asynchronous import AsyncInfluxDBClient
from .sync import InfluxDBClient

__all__ = ["AsyncInfluxDBClient", "InfluxDBClient"]
