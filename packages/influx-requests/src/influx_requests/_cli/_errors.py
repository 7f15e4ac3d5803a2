"""Messages, remedies and exit codes of exceptions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from influx_proto import (
    AuthenticationError,
    AuthorizationError,
    DatabaseNotFound,
    InfluxDBError,
    ProtocolError,
    RateLimited,
    ServerUnavailable,
    TransportError,
)

from ._console import PROGRAM, CommandError, Exit

#: Exit code and remedy for each exception class; the first match is used.
_ADVICE: Final[tuple[tuple[type[InfluxDBError], Exit, str], ...]] = (
    (TransportError, Exit.UNREACHABLE, "check that the server is running, and --host, or --url (or INFLUXDB_URL)"),
    (ProtocolError, Exit.UNREACHABLE, "check that --url (or INFLUXDB_URL) is the address of InfluxDB"),
    (ServerUnavailable, Exit.UNREACHABLE, "retry later"),
    (RateLimited, Exit.UNREACHABLE, "retry later"),
    (AuthorizationError, Exit.DENIED, "ask an administrator to GRANT the privilege"),
    (AuthenticationError, Exit.DENIED, "check --username and INFLUXDB_PASSWORD, or INFLUXDB_TOKEN"),
    (
        DatabaseNotFound,
        Exit.FAILED,
        f"check --database, or create it: {PROGRAM} query 'CREATE DATABASE ...', or write with --create-database",
    ),
    (InfluxDBError, Exit.FAILED, ""),
)

#: Options for the arguments that messages of the client begin with.
_OPTIONS: Final = {
    "url": "--url (or INFLUXDB_URL)",
    "host": "--host",
    "port": "--port",
    "database": "--database (or INFLUXDB_DATABASE)",
    "db": "--database (or INFLUXDB_DATABASE)",
    "username": "--username (or INFLUXDB_USERNAME)",
    "timeout": "--timeout",
    "verify": "--ca",
    "params": "--params",
    "q": "QUERY",
    "rp": "--rp",
    "measurement": "--measurement",
}
_ARGUMENT: Final = re.compile(r"([a-z]+)(?=: )")

#: InfluxDB's messages for a query and for a write without a database.
_NO_DATABASE: Final = ("database name required", "database is required", "missing db")
#: InfluxDB's message for a parameter without a value.
_PARAMETER: Final = re.compile(r"missing parameter: (\w+)")


def describe(error: Exception, *, in_shell: bool = False) -> tuple[str, Exit]:
    """Return the message with a remedy, and the exit code.

    Args:
        error: the error.
        in_shell: whether it is the error of a statement in the interactive shell, where no options can be passed.
    """
    match error:
        case CommandError():
            return str(error), error.code
        case InfluxDBError():
            code, advice = next((code, advice) for kind, code, advice in _ADVICE if isinstance(error, kind))
            is_missing = str(error).startswith(_NO_DATABASE)
            if in_shell and (is_missing or isinstance(error, DatabaseNotFound)):
                advice = "select a database with USE; \\l lists them"
            elif isinstance(error, ProtocolError) and error.retryable:  # the server or a proxy closed the connection
                advice = "retry, and check --url (or INFLUXDB_URL) if it fails again"
            elif is_missing:
                advice = "pass --database (or set INFLUXDB_DATABASE)"
            elif str(error).startswith("TLS handshake"):
                advice = "pass --ca FILE for a certificate of a private CA, or --url http://... for no TLS"
            elif match := _PARAMETER.search(str(error)):
                advice = f"pass --params '{{\"{match[1]}\": ...}}'"
            elif str(error).startswith("retention policy not found"):
                advice = "`SHOW RETENTION POLICIES` lists those of the database"
            return f"{error}; {advice}" if advice else str(error), code
        case OSError():
            return str(error), Exit.FAILED
        case _:
            return f"internal error: {type(error).__name__}: {error}; pass -v for the traceback", Exit.INTERNAL


def name_option(message: str, places: Mapping[str, str] = MappingProxyType({})) -> str:
    """Replace the argument that a message of the client begins with by the option of the command line.

    Args:
        message: the message.
        places: where the settings come from, by argument, if that is known.
    """
    if match := _ARGUMENT.match(message):
        argument = match.group()
        message = f"{places.get(argument) or _OPTIONS.get(argument, argument)}{message[match.end() :]}"
    if message.startswith("--url"):
        message = message.replace("[user:password@]", "")  # the option accepts no password
    return message.replace("pass None for no default database", "omit it for no database")
