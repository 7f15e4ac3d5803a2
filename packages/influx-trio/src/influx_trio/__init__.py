"""InfluxDB client for trio, over h11."""

from ._client import AsyncInfluxDBClient

__all__ = ["AsyncInfluxDBClient"]

__version__ = "0.1.0"
