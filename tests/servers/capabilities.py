"""Table of what the servers lack, from which the conformance suite selects the tests that run on a server.

A test declares what it needs of the server beside what it needs of the client: `@pytest.mark.needs("users")`.
"""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """A product and its version; `influxdb` includes the servers that claim to be InfluxDB."""

    product: str
    major: int
    minor: int

    def __str__(self) -> str:
        names = {"influxdb": "InfluxDB", "victoriametrics": "VictoriaMetrics"}
        return f"{names[self.product]} {self.major}.{self.minor}"


#: Features that tests need, as they are described when tests are deselected.
FEATURES = {
    "influxql": "queries in InfluxQL",
    "administration": "InfluxQL statements that create, alter and drop databases, retention policies and series",
    "users": "users and grants in InfluxQL",
    "write_limits": "limits of retention policies for times in the future and the past",
    "lines_stored_in_part": "a write that stores the valid lines of a body with invalid ones",
    "api_v2_write": "the endpoint /api/v2/write",
    "flux": "queries in Flux",
    "sql": "queries in SQL",
    "buckets": "the endpoints /api/v2/buckets and /api/v2/delete",
    "databases_v3": "the endpoint /api/v3/configure/database",
    "health": "the endpoint /health",
    "ready": "the endpoint /ready",
}

#: What a server lacks, from this version until the next row of the same product.
LACKS: dict[Version, frozenset[str]] = {
    Version("influxdb", 1, 6): frozenset({
        "write_limits", "api_v2_write", "flux", "sql", "buckets", "databases_v3", "health", "ready",
    }),
    Version("influxdb", 1, 8): frozenset({"write_limits", "flux", "sql", "buckets", "databases_v3", "ready"}),
    Version("influxdb", 1, 10): frozenset({"write_limits", "flux", "sql", "databases_v3", "ready"}),
    Version("influxdb", 1, 12): frozenset({"flux", "sql", "databases_v3", "ready"}),
    Version("influxdb", 2, 7): frozenset({
        "administration", "users", "write_limits", "lines_stored_in_part", "sql", "databases_v3",
    }),
    Version("influxdb", 3, 0): frozenset({
        "administration", "users", "write_limits", "lines_stored_in_part", "flux", "buckets", "ready",
    }),
    Version("victoriametrics", 1, 0): frozenset(FEATURES) - {"api_v2_write", "lines_stored_in_part"},
    Version("victoriametrics", 1, 105): frozenset(FEATURES) - {"api_v2_write"},
}  # fmt: skip


def lacks(version: Version) -> frozenset[str]:
    """Return the features that a server of this version lacks."""
    rows = [row for row in LACKS if row.product == version.product and row <= version]
    return LACKS[max(rows)] if rows else LACKS[min(row for row in LACKS if row.product == version.product)]
