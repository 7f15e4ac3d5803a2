"""From options to a client."""

from __future__ import annotations

import argparse
import os
import warnings
from typing import Any
from urllib.parse import urlsplit

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
        if urlsplit(options.url).password is not None:
            msg = "--url: a password there is for all to see who can list processes; put it into INFLUXDB_PASSWORD"
            raise CommandError(msg, Exit.USAGE)
        environ["INFLUXDB_URL"] = options.url
    settings: dict[str, Any] = {"retry": retry}
    if options.database is not None:
        settings["database"] = options.database
    if options.username is not None:
        settings |= {"username": options.username, "token": None}
    if options.ask_password:
        settings["password"] = _asked()
    if options.ca is not None:
        settings["verify"] = options.ca
    if options.insecure:
        settings["verify"] = False
    if options.timeout is not None:
        settings["timeout"] = options.timeout
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
    from getpass import getpass  # noqa: PLC0415 - seldom needed

    try:
        return getpass()
    except EOFError:
        msg = "--ask-password: there is no terminal to ask at; put the password into INFLUXDB_PASSWORD"
        raise CommandError(msg, Exit.USAGE) from None
