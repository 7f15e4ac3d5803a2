"""Command-line program `influxq`, built on the sync client. Importing `influx_requests` does not import it."""

from __future__ import annotations

# Not the one of `typing`: Ctrl-C during an import of this module prints a traceback, so it imports nothing else.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Args:
        arguments: the command-line arguments; None for those of the process.

    Returns:
        The exit code; see `docs/command-line.md`.
    """
    try:
        from ._main import run  # noqa: PLC0415 - Ctrl-C may interrupt the imports

        return run(arguments)
    except KeyboardInterrupt:
        import sys  # noqa: PLC0415 - as above

        sys.stderr.write("influxq: interrupted\n")
        return 130
