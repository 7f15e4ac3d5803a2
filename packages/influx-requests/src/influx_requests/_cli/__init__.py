"""Command-line program `influxq`, built on the sync client. Importing `influx_requests` does not import it."""

from ._main import main

__all__ = ["main"]
