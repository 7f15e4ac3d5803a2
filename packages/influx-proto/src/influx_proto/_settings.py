"""Everything a client was told: where the server is and how to treat it. Values only, shared by every adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ._policy import TypePolicy
from ._retry import RetryPolicy
from ._server import Server


@dataclass(frozen=True, slots=True)
class Timeout:
    """How long to wait for a server, in seconds; None waits for ever.

    A long answer that keeps coming is not cut unless `total` is given.
    """

    #: To reach the server: name lookup, TCP and TLS.
    connect: float | None = 10.0
    #: Between two pieces of an answer, the first included.
    idle: float | None = 120.0
    #: For one attempt from beginning to end.
    total: float | None = None

    def __post_init__(self) -> None:
        for name in ("connect", "idle", "total"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                msg = f"timeout: {name} must be a positive number of seconds or None, not {seconds!r}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was told."""

    server: Server = Server()
    #: The database of operations that name none.
    database: str | None = None
    timeout: Timeout = Timeout()
    retry: RetryPolicy = RetryPolicy()
    #: True for the system's trust, False for none, or the path of a file of CA certificates.
    verify: bool | str = True
    #: Path of a PEM file with a client certificate and key, or the paths of both.
    cert: str | tuple[str, str] | None = None
    #: Tags of all points that are written, ready-made lines apart; those of a single write, and a point's own, win.
    tags: Mapping[str, object] = field(default_factory=dict)
    #: How the values of fields are written, where a single write does not say otherwise.
    types: TypePolicy = TypePolicy()
