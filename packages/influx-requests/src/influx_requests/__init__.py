"""InfluxDB client for plain scripts and notebooks, over requests."""

from ._client import InfluxDBClient

__all__ = ["InfluxDBClient"]

__version__ = "0.1.0"
