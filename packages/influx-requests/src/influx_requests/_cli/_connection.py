"""From options to a client."""

from __future__ import annotations

import argparse
import os
import warnings
from typing import Any

from influx_proto import RetryPolicy

from influx_requests import InfluxDBClient

from ._console import CommandError, Exit, say


def client_for(options: argparse.Namespace, retry: RetryPolicy | None = None) -> InfluxDBClient:
    """Make the client that the options and the environment describe.

    Raises:
        CommandError: they describe none.
    """
    environ = dict(os.environ)
    if options.url is not None:
        if ":" in options.url.partition("//")[2].rpartition("@")[0]:
            msg = "--url: a password there is for all to see who can list processes; put it into INFLUXDB_PASSWORD"
            raise CommandError(msg, Exit.USAGE)
        environ["INFLUXDB_URL"] = options.url
    if options.username is not None:
        environ["INFLUXDB_USERNAME"] = options.username
        environ.pop("INFLUXDB_TOKEN", None)  # who is named goes before a token
    given = {
        "retry": retry,
        "database": options.database,
        "password": _asked() if options.ask_password else None,
        "verify": False if options.insecure else options.ca,
        "timeout": options.timeout,
    }
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            client = InfluxDBClient.from_env(environ, **settings)
        except (ValueError, OSError) as error:
            raise CommandError(str(error), Exit.USAGE) from error
    for warning in caught:
        say(f"warning: {warning.message}")
    return client


def _asked() -> str:
    from getpass import GetPassWarning, getpass  # noqa: PLC0415 - seldom needed

    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)  # it would be seen
        try:
            return getpass()
        except (EOFError, GetPassWarning):
            msg = "--ask-password: there is no terminal to ask at; put the password into INFLUXDB_PASSWORD"
            raise CommandError(msg, Exit.USAGE) from None
