"""The languages of queries."""

from __future__ import annotations

from typing import Literal, TypeAlias

Language: TypeAlias = Literal["influxql", "sql", "flux"]
