"""Builders of administration: InfluxQL statements, buckets, databases of InfluxDB 3, and health.

Each returns an `Op` without sending it, or an `OpSequence`, which sends several requests.

The operations for buckets are for InfluxDB 2, InfluxDB Cloud Serverless, and InfluxDB 1.10 or later. Those whose names
end in `_v3` are for InfluxDB 3 Core and Enterprise. On a server without them they raise `ResponseError`, whose message
names the operations for that server. Likewise, the error of a statement that a server does not execute has a note.

Arguments of statements have the order of their clauses. `list_...` operations return a list of small objects;
statements that change something return None. The server rejects unknown names (`QueryError`). An argument of the wrong
type raises before the request is sent, and the message begins with its name.

Common arguments:

- `db`: the database; None uses the client's database. Statements that must name a database require it.
- `measurement`: a name, or a pattern of `re` that matches names anywhere.
- `tags`: selects series by their tags. The value of a tag is a string, `""` for series without the tag, a pattern of
  `re` that matches values anywhere, or `Not(...)` of one of these. For `list_measurements`, `Not(...)` applies to all
  series of a measurement together. See `influxql.quote_regex` on patterns.
- `start`, `end`: a time range, `end` excluded: any timestamp; integers are nanoseconds.
- `limit`, `offset`: maximum number of results, and number of results to skip; per measurement if the results are
  grouped by measurement.
- `timeout`: replaces the client's timeout for this call, in seconds, as `(connect, idle)` or as a `Timeout`.
"""

from __future__ import annotations

from ._admin.buckets import Bucket, create_bucket, drop_bucket, list_buckets, update_bucket
from ._admin.continuous_queries import (
    ContinuousQuery,
    Subscription,
    create_continuous_query,
    create_subscription,
    drop_continuous_query,
    drop_subscription,
    list_continuous_queries,
    list_subscriptions,
)
from ._admin.databases import (
    RetentionPolicy,
    alter_retention_policy,
    create_retention_policy,
    drop_retention_policy,
    list_databases,
    list_retention_policies,
)
from ._admin.databases_v3 import (
    Database,
    create_database_v3,
    drop_database_v3,
    list_databases_v3,
    update_database_v3,
)
from ._admin.deletion import delete
from ._admin.series import (
    FieldKey,
    SeriesKey,
    TagKey,
    TagValue,
    drop_series,
    field_key_cardinality,
    list_field_keys,
    list_measurements,
    list_series,
    list_tag_keys,
    list_tag_values,
    measurement_cardinality,
    series_cardinality,
    tag_key_cardinality,
    tag_values_cardinality,
)
from ._admin.server import (
    Diagnostics,
    RunningQuery,
    Shard,
    ShardGroup,
    Statistics,
    diagnostics,
    drop_shard,
    explain,
    explain_analyze,
    kill_query,
    list_queries,
    list_shard_groups,
    list_shards,
    stats,
)
from ._admin.status import Health, Readiness, health, ready
from ._admin.users import (
    Grant,
    Privilege,
    User,
    create_user,
    drop_user,
    grant,
    grant_admin,
    list_grants,
    list_users,
    revoke,
    revoke_admin,
    set_password,
)
from ._influxql.clauses import Not
from ._public_names import set_public_module

__all__ = [
    "Bucket",
    "ContinuousQuery",
    "Database",
    "Diagnostics",
    "FieldKey",
    "Grant",
    "Health",
    "Not",
    "Privilege",
    "Readiness",
    "RetentionPolicy",
    "RunningQuery",
    "SeriesKey",
    "Shard",
    "ShardGroup",
    "Statistics",
    "Subscription",
    "TagKey",
    "TagValue",
    "User",
    "alter_retention_policy",
    "create_bucket",
    "create_continuous_query",
    "create_database_v3",
    "create_retention_policy",
    "create_subscription",
    "create_user",
    "delete",
    "diagnostics",
    "drop_bucket",
    "drop_continuous_query",
    "drop_database_v3",
    "drop_retention_policy",
    "drop_series",
    "drop_shard",
    "drop_subscription",
    "drop_user",
    "explain",
    "explain_analyze",
    "field_key_cardinality",
    "grant",
    "grant_admin",
    "health",
    "kill_query",
    "list_buckets",
    "list_continuous_queries",
    "list_databases",
    "list_databases_v3",
    "list_field_keys",
    "list_grants",
    "list_measurements",
    "list_queries",
    "list_retention_policies",
    "list_series",
    "list_shard_groups",
    "list_shards",
    "list_subscriptions",
    "list_tag_keys",
    "list_tag_values",
    "list_users",
    "measurement_cardinality",
    "ready",
    "revoke",
    "revoke_admin",
    "series_cardinality",
    "set_password",
    "stats",
    "tag_key_cardinality",
    "tag_values_cardinality",
    "update_bucket",
    "update_database_v3",
]

set_public_module(__name__, globals())
