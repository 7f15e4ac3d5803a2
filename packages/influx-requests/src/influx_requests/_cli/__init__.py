"""The command line `influx-requests`, over the blocking client. Importing `influx_requests` does not import it."""

from ._main import main

__all__ = ["main"]
