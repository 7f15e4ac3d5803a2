"""InfluxDB client for plain scripts and notebooks, over requests."""

from ._client import InfluxDBClient
from ._version import __version__

__all__ = ["InfluxDBClient", "__version__"]
