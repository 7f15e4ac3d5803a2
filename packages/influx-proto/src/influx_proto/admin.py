"""InfluxQL's statements that manage something, one builder each. Nothing is sent here.

They are as regular as InfluxQL allows: arguments come in the order in which the statement has them; `list_...` gives a
list of small objects, what changes something gives None; a wrong name is the server's to tell (`QueryError`), a wrong
type raises before anything is sent, and the message begins with the argument's name.

What several of them take:

- `db`: the database; the client's own where it is None. Statements in which InfluxQL has to be told require it.
- `measurement`: a name, or a pattern of `re` for all measurements in which it finds something.
- `tags`: only series with these tags: a value, `""` for without the tag, or a pattern that must find something in the
  value; or `Not(...)` of one of these, which `list_measurements` asks of all series of a measurement together. See
  `influxql.quote_regex` on patterns.
- `start`, `end`: a span of time, `end` not included: anything that tells a time, integers are nanoseconds.
- `limit`, `offset`: how many to give, and how many to leave out before; where the answer is by measurement, of each.
"""

from __future__ import annotations

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
from ._admin.series import (
    FieldKey,
    SeriesKey,
    TagKey,
    TagValue,
    delete,
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
    "ContinuousQuery",
    "Diagnostics",
    "FieldKey",
    "Grant",
    "Not",
    "Privilege",
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
    "create_continuous_query",
    "create_retention_policy",
    "create_subscription",
    "create_user",
    "delete",
    "diagnostics",
    "drop_continuous_query",
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
    "kill_query",
    "list_continuous_queries",
    "list_databases",
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
    "revoke",
    "revoke_admin",
    "series_cardinality",
    "set_password",
    "stats",
    "tag_key_cardinality",
    "tag_values_cardinality",
]

set_public_module(__name__, globals())
