"""InfluxDB's HTTP protocol without I/O.

`ops` builds requests and reads their answers, `influxql` quotes, `serialize` writes line protocol and `parse_lines`
reads it. The clients that do I/O are in the packages influx-aiohttp, influx-trio and influx-requests; what is needed
to write another is in `influx_proto.adapter`.
"""

from typing import TYPE_CHECKING, Any

from . import admin, influxql, ops
from ._batch_options import Spool
from ._errors import (
    AuthenticationError,
    AuthorizationError,
    BufferFullError,
    CallbackError,
    DatabaseNotFound,
    InfluxDBError,
    PartialWriteError,
    PayloadTooLarge,
    Place,
    ProtocolError,
    QueryError,
    RateLimited,
    RejectedLine,
    ResponseError,
    SchemaError,
    SerializationError,
    ServerUnavailable,
    SpoolError,
    TransportError,
    UndeliveredError,
    UndeliveredLines,
    WriteError,
)
from ._iterpoints import iterpoints
from ._lineprotocol import lineprotocol
from ._observer import Exchange, Observer, Retry
from ._op import Op
from ._parse import check_lines, parse_lines, split_lines
from ._ping import ServerInfo
from ._policy import FieldType
from ._result import QueryResult, Series
from ._retry import RetryPolicy
from ._schema import (
    BOOL,
    DECIMAL,
    ENUM,
    FLOAT,
    INT,
    MEASUREMENT,
    STR,
    TAG,
    TAGENUM,
    TIMEDT,
    TIMEINT,
    TIMESTR,
)
from ._serialize import serialize, serialize_batches
from ._server import Server
from ._stream import StreamOp
from ._timeout import Timeout
from ._version import __version__
from ._wire import Headers, Request

if TYPE_CHECKING:
    from ._batch_writer import AsyncBatchWriter, BatchWriter
    from ._batcher import Receipt

__all__ = [
    "BOOL",
    "DECIMAL",
    "ENUM",
    "FLOAT",
    "INT",
    "MEASUREMENT",
    "STR",
    "TAG",
    "TAGENUM",
    "TIMEDT",
    "TIMEINT",
    "TIMESTR",
    "AsyncBatchWriter",
    "AuthenticationError",
    "AuthorizationError",
    "BatchWriter",
    "BufferFullError",
    "CallbackError",
    "DatabaseNotFound",
    "Exchange",
    "FieldType",
    "Headers",
    "InfluxDBError",
    "Observer",
    "Op",
    "PartialWriteError",
    "PayloadTooLarge",
    "Place",
    "ProtocolError",
    "QueryError",
    "QueryResult",
    "RateLimited",
    "Receipt",
    "RejectedLine",
    "Request",
    "ResponseError",
    "Retry",
    "RetryPolicy",
    "SchemaError",
    "SerializationError",
    "Series",
    "Server",
    "ServerInfo",
    "ServerUnavailable",
    "Spool",
    "SpoolError",
    "StreamOp",
    "Timeout",
    "TransportError",
    "UndeliveredError",
    "UndeliveredLines",
    "WriteError",
    "__version__",
    "admin",
    "check_lines",
    "influxql",
    "iterpoints",
    "lineprotocol",
    "ops",
    "parse_lines",
    "serialize",
    "serialize_batches",
    "split_lines",
]


def __getattr__(name: str) -> Any:
    """Import what few need when it is asked for, so that importing this package is fast for all."""
    if name in {"AsyncBatchWriter", "BatchWriter"}:
        from . import _batch_writer  # noqa: PLC0415 - see above

        return getattr(_batch_writer, name)
    if name == "Receipt":
        from ._batcher import Receipt  # noqa: PLC0415 - see above

        return Receipt
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
