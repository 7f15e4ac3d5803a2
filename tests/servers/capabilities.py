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
    "administration": "administration in InfluxQL",
    "retention_policies": "more than one retention policy in a database",
    "write_limits": "limits of retention policies for times in the future and the past",
    "lines_stored_in_part": "a write that stores the valid lines of a body with invalid ones",
    "crash_by_tags": "the crash of old versions on a point with 100 tags",
    "open_to_all": "requests without credentials",
    "api_v2_write": "the endpoint /api/v2/write",
    "buckets": "the endpoints /api/v2/buckets and /api/v2/delete",
    "databases_v3": "the endpoint /api/v3/configure/database",
    "health": "the endpoint /health",
    "ready": "the endpoint /ready",
    "flux": "queries in Flux",
    "sql": "queries in SQL",
}

_LATER_THAN_1 = {"administration", "crash_by_tags", "lines_stored_in_part", "retention_policies", "write_limits"}

#: Features that a server lacks, from this version until the next row of the same product.
LACKS: dict[Version, frozenset[str]] = {
    Version("influxdb", 1, 6): frozenset({
        "api_v2_write", "buckets", "databases_v3", "flux", "health", "ready", "sql", "write_limits",
    }),
    Version("influxdb", 1, 8): frozenset({"buckets", "databases_v3", "ready", "sql", "write_limits"}),
    Version("influxdb", 1, 10): frozenset({"databases_v3", "ready", "sql", "write_limits"}),
    Version("influxdb", 1, 12): frozenset({"crash_by_tags", "databases_v3", "ready", "sql"}),
    Version("influxdb", 2, 7): frozenset({*_LATER_THAN_1, "databases_v3", "open_to_all", "sql"}),
    Version("influxdb", 3, 0): frozenset({*_LATER_THAN_1, "buckets", "flux", "open_to_all", "ready"}),
    Version("victoriametrics", 1, 0): frozenset(FEATURES) - {"api_v2_write", "lines_stored_in_part", "open_to_all"},
    Version("victoriametrics", 1, 105): frozenset(FEATURES) - {"api_v2_write", "open_to_all"},
}  # fmt: skip


def lacks(version: Version) -> frozenset[str]:
    """Return the features that a server of this version lacks: those of the oldest row if it is older than all."""
    rows = [row for row in LACKS if row[:2] == version[:2]]
    return LACKS[max((row for row in rows if row <= version), default=min(rows))]
