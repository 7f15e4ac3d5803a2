"""Command `ping`: the server's version and response time."""

from __future__ import annotations

import argparse
import sys
import time

from influx_proto import RetryPolicy

from ._connection import create_client
from ._console import Exit, to_printable


def run(options: argparse.Namespace) -> Exit:
    """Ping the server."""
    with create_client(options, RetryPolicy(attempts=1)) as client:
        client.ping()  # connects, which is not measured
        start = time.perf_counter()
        server = client.ping()
        elapsed = time.perf_counter() - start
        origin = client.settings.server.origin + client.settings.server.path
    for name, value in (
        ("server", origin),
        ("version", server.version or "unknown"),
        ("build", server.build or "unknown"),
        ("time", f"{elapsed * 1000:.1f} ms"),
    ):
        sys.stdout.write(f"{name:<8} {to_printable(value)}\n")
    return Exit.OK
