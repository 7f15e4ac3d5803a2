"""Quoting for InfluxQL, encoding of bind parameters, and classification of statements.

The client never inserts input of users into a statement unquoted: its own statements use the `quote_...` functions,
and the values in queries are bind parameters.
"""

from __future__ import annotations

from ._influxql.bind import encode_bind_parameters
from ._influxql.classify import is_read
from ._influxql.quote import Duration, quote_duration, quote_identifier, quote_regex, quote_string, quote_time
from ._public_names import set_public_module

__all__ = [
    "Duration",
    "encode_bind_parameters",
    "is_read",
    "quote_duration",
    "quote_identifier",
    "quote_regex",
    "quote_string",
    "quote_time",
]

set_public_module(__name__, globals())
