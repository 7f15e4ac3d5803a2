"""Every operation, bound once to both faces of a client."""

from __future__ import annotations

from . import admin, ops
from ._batch_options import batch_options
from ._bound import method, stream, writer

__all__ = ["Operations"]


class Operations:
    """What both faces can do."""

    ping = method(ops.ping)
    write = method(ops.write_batches)
    write_compressed = method(ops.write_compressed)
    batch_writer = writer(batch_options)
    query = method(ops.query)
    query_chunks = stream(ops.query_chunks)
    query_points = stream(ops.query_points)
    query_dataframe = method(ops.query_dataframe)
    query_dataframes = method(ops.query_dataframes)
    query_dataframe_chunks = stream(ops.query_dataframe_chunks)
    query_as = method(ops.query_as)

    create_database = method(ops.create_database)
    drop_database = method(ops.drop_database)
    drop_measurement = method(ops.drop_measurement)
    show_databases = method(ops.show_databases)
    show_measurements = method(ops.show_measurements)
    show_retention_policies = method(ops.show_retention_policies)
    show_users = method(ops.show_users)
    select_all = method(ops.select_all)

    # Databases and retention policies.
    list_databases = method(admin.list_databases)
    list_retention_policies = method(admin.list_retention_policies)
    create_retention_policy = method(admin.create_retention_policy)
    alter_retention_policy = method(admin.alter_retention_policy)
    drop_retention_policy = method(admin.drop_retention_policy)

    # Users and what they may do.
    list_users = method(admin.list_users)
    create_user = method(admin.create_user)
    set_password = method(admin.set_password)
    drop_user = method(admin.drop_user)
    list_grants = method(admin.list_grants)
    grant = method(admin.grant)
    revoke = method(admin.revoke)
    grant_admin = method(admin.grant_admin)
    revoke_admin = method(admin.revoke_admin)

    # Continuous queries and subscriptions.
    list_continuous_queries = method(admin.list_continuous_queries)
    create_continuous_query = method(admin.create_continuous_query)
    drop_continuous_query = method(admin.drop_continuous_query)
    list_subscriptions = method(admin.list_subscriptions)
    create_subscription = method(admin.create_subscription)
    drop_subscription = method(admin.drop_subscription)

    # What is stored.
    list_measurements = method(admin.list_measurements)
    list_series = method(admin.list_series)
    list_tag_keys = method(admin.list_tag_keys)
    list_tag_values = method(admin.list_tag_values)
    list_field_keys = method(admin.list_field_keys)
    series_cardinality = method(admin.series_cardinality)
    measurement_cardinality = method(admin.measurement_cardinality)
    tag_key_cardinality = method(admin.tag_key_cardinality)
    tag_values_cardinality = method(admin.tag_values_cardinality)
    field_key_cardinality = method(admin.field_key_cardinality)
    delete = method(admin.delete)
    drop_series = method(admin.drop_series)

    # The server itself.
    list_shards = method(admin.list_shards)
    list_shard_groups = method(admin.list_shard_groups)
    drop_shard = method(admin.drop_shard)
    list_queries = method(admin.list_queries)
    kill_query = method(admin.kill_query)
    stats = method(admin.stats)
    diagnostics = method(admin.diagnostics)
    explain = method(admin.explain)
    explain_analyze = method(admin.explain_analyze)
