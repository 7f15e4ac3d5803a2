"""InfluxDB client for plain scripts and notebooks, over requests."""

from __future__ import annotations

from ._version import __version__

# Not the one of `typing`: the command line imports this module before it can handle Ctrl-C, so it imports nothing else.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._client import InfluxDBClient

__all__ = ["InfluxDBClient", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the client when it is first used: the command line starts faster without it."""
    if name == "InfluxDBClient":
        from ._client import InfluxDBClient  # noqa: PLC0415 - see above

        globals()[name] = InfluxDBClient
        return InfluxDBClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
