"""Builders of the operations of the HTTP API: each returns an `Op` or `StreamOp` without sending it."""

from __future__ import annotations

from ._admin.databases import create_database, drop_database, show_databases, show_retention_policies
from ._admin.series import drop_measurement, select_all, show_measurements
from ._admin.status import ping
from ._admin.users import show_users
from ._public_names import set_public_module
from ._query.query import (
    query,
    query_as,
    query_chunks,
    query_dataframe,
    query_dataframe_chunks,
    query_dataframes,
    query_flux,
    query_points,
    query_sql,
)
from ._write.write import write, write_batches, write_compressed

__all__ = [
    "create_database",
    "drop_database",
    "drop_measurement",
    "ping",
    "query",
    "query_as",
    "query_chunks",
    "query_dataframe",
    "query_dataframe_chunks",
    "query_dataframes",
    "query_flux",
    "query_points",
    "query_sql",
    "select_all",
    "show_databases",
    "show_measurements",
    "show_retention_policies",
    "show_users",
    "write",
    "write_batches",
    "write_compressed",
]

set_public_module(__name__, globals())
