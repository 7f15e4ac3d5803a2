"""InfluxDB client for asyncio, over aiohttp."""

from ._client import AsyncInfluxDBClient

__all__ = ["AsyncInfluxDBClient"]

__version__ = "0.1.0"
