"""The operations of the clients, each bound once for the sync and the async client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .binding import ModuleOnFirstUse, method, stream, writer

if TYPE_CHECKING:
    from .._admin import (
        buckets,
        continuous_queries,
        databases,
        databases_v3,
        deletion,
        series,
        server,
        status,
        users,
    )
    from .._batch import options
    from .._query import query as queries
    from .._write import write as writes
else:  # most programs use few of these
    buckets = ModuleOnFirstUse("_admin.buckets")
    continuous_queries = ModuleOnFirstUse("_admin.continuous_queries")
    databases = ModuleOnFirstUse("_admin.databases")
    databases_v3 = ModuleOnFirstUse("_admin.databases_v3")
    deletion = ModuleOnFirstUse("_admin.deletion")
    series = ModuleOnFirstUse("_admin.series")
    server = ModuleOnFirstUse("_admin.server")
    status = ModuleOnFirstUse("_admin.status")
    users = ModuleOnFirstUse("_admin.users")
    options = ModuleOnFirstUse("_batch.options")
    queries = ModuleOnFirstUse("_query.query")
    writes = ModuleOnFirstUse("_write.write")


class Operations:
    """The operations of `Client` and `AsyncClient`."""

    ping = method(status.ping)
    health = method(status.health)
    ready = method(status.ready)
    write = method(writes.write_batches)
    write_compressed = method(writes.write_compressed)
    batch_writer = writer(options.BatchOptions)
    query = method(queries.query)
    query_sql = method(queries.query_sql)
    query_flux = method(queries.query_flux)
    query_chunks = stream(queries.query_chunks)
    query_points = stream(queries.query_points)
    query_dataframe = method(queries.query_dataframe)
    query_dataframes = method(queries.query_dataframes)
    query_dataframe_chunks = stream(queries.query_dataframe_chunks)
    query_as = method(queries.query_as)

    create_database = method(databases.create_database)
    drop_database = method(databases.drop_database)
    drop_measurement = method(series.drop_measurement)
    show_databases = method(databases.show_databases)
    show_measurements = method(series.show_measurements)
    show_retention_policies = method(databases.show_retention_policies)
    show_users = method(users.show_users)
    select_all = method(series.select_all)

    # Databases and retention policies.
    list_databases = method(databases.list_databases)
    list_retention_policies = method(databases.list_retention_policies)
    create_retention_policy = method(databases.create_retention_policy)
    alter_retention_policy = method(databases.alter_retention_policy)
    drop_retention_policy = method(databases.drop_retention_policy)

    # Buckets, and databases of InfluxDB 3.
    list_buckets = method(buckets.list_buckets)
    create_bucket = method(buckets.create_bucket)
    update_bucket = method(buckets.update_bucket)
    drop_bucket = method(buckets.drop_bucket)
    list_databases_v3 = method(databases_v3.list_databases_v3)
    create_database_v3 = method(databases_v3.create_database_v3)
    update_database_v3 = method(databases_v3.update_database_v3)
    drop_database_v3 = method(databases_v3.drop_database_v3)

    # Users and privileges.
    list_users = method(users.list_users)
    create_user = method(users.create_user)
    set_password = method(users.set_password)
    drop_user = method(users.drop_user)
    list_grants = method(users.list_grants)
    grant = method(users.grant)
    revoke = method(users.revoke)
    grant_admin = method(users.grant_admin)
    revoke_admin = method(users.revoke_admin)

    # Continuous queries and subscriptions.
    list_continuous_queries = method(continuous_queries.list_continuous_queries)
    create_continuous_query = method(continuous_queries.create_continuous_query)
    drop_continuous_query = method(continuous_queries.drop_continuous_query)
    list_subscriptions = method(continuous_queries.list_subscriptions)
    create_subscription = method(continuous_queries.create_subscription)
    drop_subscription = method(continuous_queries.drop_subscription)

    # Measurements, series, tags and fields.
    list_measurements = method(series.list_measurements)
    list_series = method(series.list_series)
    list_tag_keys = method(series.list_tag_keys)
    list_tag_values = method(series.list_tag_values)
    list_field_keys = method(series.list_field_keys)
    series_cardinality = method(series.series_cardinality)
    measurement_cardinality = method(series.measurement_cardinality)
    tag_key_cardinality = method(series.tag_key_cardinality)
    tag_values_cardinality = method(series.tag_values_cardinality)
    field_key_cardinality = method(series.field_key_cardinality)
    delete = method(deletion.delete)
    drop_series = method(series.drop_series)

    # Shards, running queries, statistics and query plans.
    list_shards = method(server.list_shards)
    list_shard_groups = method(server.list_shard_groups)
    drop_shard = method(server.drop_shard)
    list_queries = method(server.list_queries)
    kill_query = method(server.kill_query)
    stats = method(server.stats)
    diagnostics = method(server.diagnostics)
    explain = method(server.explain)
    explain_analyze = method(server.explain_analyze)
