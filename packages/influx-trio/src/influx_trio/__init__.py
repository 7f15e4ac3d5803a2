"""InfluxDB client for trio, over h11."""

from ._client import AsyncInfluxDBClient
from ._version import __version__

__all__ = ["AsyncInfluxDBClient", "__version__"]
