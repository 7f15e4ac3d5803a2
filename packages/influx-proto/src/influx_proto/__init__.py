"""InfluxDB's HTTP protocol without I/O.

`ops` and `admin` build operations and decode their responses, `influxql` quotes InfluxQL, `serialize` encodes line
protocol and `parse_lines` parses it. The packages influx-aiohttp, influx-trio and influx-requests contain the clients;
`influx_proto.adapter` is the interface for a client over another HTTP library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
from ._http.messages import Headers, Request
from ._http.observer import Exchange, Observer, Retry
from ._http.server import Server
from ._http.timeout import Timeout
from ._line_protocol.options import FieldType
from ._public_names import set_public_module
from ._result.errors import QueryError, QueryTooLarge
from ._result.result import QueryResult
from ._result.series import Series, SeriesList
from ._runtime.op import Op, OpSequence
from ._runtime.retry import RetryPolicy
from ._runtime.stream import StreamOp
from ._version import __version__

if TYPE_CHECKING:
    from . import admin, influxql, ops
    from ._admin.status import ServerInfo
    from ._batch.async_writer import AsyncBatchWriter
    from ._batch.options import Spool
    from ._batch.receipt import AsyncReceipt, Receipt
    from ._batch.writer import BatchWriter
    from ._encode.classes.decorator import lineprotocol
    from ._encode.classes.schema import (
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
    from ._encode.serialize import serialize, serialize_batches
    from ._line_protocol.parse import check_lines, parse_lines, split_lines
    from ._result.iterpoints import iterpoints

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
    "AsyncReceipt",
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
    "OpSequence",
    "PartialWriteError",
    "PayloadTooLarge",
    "Place",
    "ProtocolError",
    "QueryError",
    "QueryResult",
    "QueryTooLarge",
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
    "SeriesList",
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

set_public_module(__name__, globals())


#: Names that are imported on first access, so that importing this package is fast, by module.
_LAZY_NAMES = {
    "_admin.status": ("ServerInfo",),
    "_batch.async_writer": ("AsyncBatchWriter",),
    "_batch.options": ("Spool",),
    "_batch.receipt": ("AsyncReceipt", "Receipt"),
    "_batch.writer": ("BatchWriter",),
    "_encode.classes.decorator": ("lineprotocol",),
    "_encode.classes.schema": (
        "BOOL", "DECIMAL", "ENUM", "FLOAT", "INT", "MEASUREMENT", "STR", "TAG", "TAGENUM", "TIMEDT", "TIMEINT",
        "TIMESTR",
    ),
    "_encode.serialize": ("serialize", "serialize_batches"),
    "_line_protocol.parse": ("check_lines", "parse_lines", "split_lines"),
    "_result.iterpoints": ("iterpoints",),
}  # fmt: skip
_LAZY_MODULES = {"admin", "influxql", "ops"}


def __getattr__(name: str) -> Any:
    """Import a module of `_LAZY_MODULES`, or the names of a module of `_LAZY_NAMES`."""
    if name in _LAZY_MODULES:
        return import_module(f".{name}", __name__)
    for path, names in _LAZY_NAMES.items():
        if name in names:
            module = import_module(f".{path}", __name__)
            globals().update({each: getattr(module, each) for each in names})
            set_public_module(__name__, globals())
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of this module, with those that are imported on first access, for `help` and completion."""
    return sorted({*globals(), *__all__})
