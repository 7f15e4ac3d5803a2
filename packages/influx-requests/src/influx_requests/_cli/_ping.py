"""`ping`: who is there, and how fast."""

from __future__ import annotations

import argparse
import sys
import time

from influx_proto import RetryPolicy

from ._connection import client_for
from ._console import Exit, printable


def run(options: argparse.Namespace) -> Exit:
    """Ping the server."""
    with client_for(options, RetryPolicy(attempts=1)) as client:
        client.ping()  # which connects
        begin = time.perf_counter()
        server = client.ping()
        took = time.perf_counter() - begin
        origin = client.settings.server.origin + client.settings.server.path
    for name, value in (
        ("server", origin),
        ("version", server.version or "unknown"),
        ("build", server.build or "unknown"),
        ("time", f"{took * 1000:.1f} ms"),
    ):
        sys.stdout.write(f"{name:<8} {printable(value)}\n")
    return Exit.OK
