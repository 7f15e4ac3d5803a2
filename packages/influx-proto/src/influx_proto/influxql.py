"""InfluxQL text: quoting what users give, and telling reads from statements that change something.

No user text is ever pasted into a statement: what the client itself composes goes through the `quote_...` functions
here, and values in queries go through bind parameters.
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
