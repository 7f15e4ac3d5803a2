"""Client configured by the command-line options and the environment."""

from __future__ import annotations

import argparse
import os
import warnings
from typing import Any

from influx_proto import RetryPolicy

from influx_requests import InfluxDBClient

from ._console import CommandError, Exit, print_stderr


def create_client(options: argparse.Namespace, retry: RetryPolicy | None = None) -> InfluxDBClient:
    """Return a client configured by the options and the environment.

    Raises:
        CommandError: an option or an environment variable is invalid.
    """
    environ = dict(os.environ)
    if options.url is not None:
        if ":" in options.url.partition("//")[2].rpartition("@")[0]:
            msg = "--url: a password in the URL is visible in the process list; set INFLUXDB_PASSWORD instead"
            raise CommandError(msg, Exit.USAGE)
        environ["INFLUXDB_URL"] = options.url
    if options.username is not None:
        environ["INFLUXDB_USERNAME"] = options.username
        environ.pop("INFLUXDB_TOKEN", None)  # --username takes precedence over a token
    options_given = {
        "retry": retry,
        "database": options.database,
        "password": _prompt_password() if options.ask_password else None,
        "verify": False if options.insecure else options.ca,
        "timeout": options.timeout,
    }
    settings: dict[str, Any] = {name: value for name, value in options_given.items() if value is not None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            client = InfluxDBClient.from_env(environ, **settings)
        except (ValueError, OSError) as error:
            raise CommandError(str(error), Exit.USAGE) from error
    for warning in caught:
        print_stderr(f"warning: {warning.message}")
    return client


def _prompt_password() -> str:
    from getpass import GetPassWarning, getpass  # noqa: PLC0415 - rarely needed

    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)  # the terminal would echo the password
        try:
            return getpass()
        except (EOFError, GetPassWarning):
            msg = "--ask-password requires a terminal; set INFLUXDB_PASSWORD instead"
            raise CommandError(msg, Exit.USAGE) from None
