"""Client configured by the command-line options and the environment."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from influx_proto import RetryPolicy

from influx_requests import InfluxDBClient

from ._config import config_path, load_config
from ._console import CommandError, Exit, print_stderr
from ._errors import name_option


def create_client(options: argparse.Namespace, retry: RetryPolicy | None = None) -> InfluxDBClient:
    """Return a client configured by the options, the profile and the environment.

    Options take precedence over a profile that is named on the command line, then the environment variables, then the
    settings of the configuration file outside of profiles.

    Raises:
        CommandError: an option, an environment variable or a setting is invalid.
    """
    config = load_config(options.profile)
    environ = dict(os.environ)
    for name in ("url", "database", "username", "password", "token"):
        variable = f"INFLUXDB_{name.upper()}"
        if name in config and (options.profile is not None or variable not in environ):
            environ[variable] = config[name]
    if options.profile is not None and "username" in config and "token" not in config:
        environ.pop("INFLUXDB_TOKEN", None)
    if (url := _url(options)) is not None:
        environ["INFLUXDB_URL"] = url
    if options.username is not None:
        environ["INFLUXDB_USERNAME"] = options.username
        environ.pop("INFLUXDB_TOKEN", None)  # --username takes precedence over a token
    verify: bool | str | Path | None = False if options.insecure else options.ca
    if verify is None:
        verify = False if config.get("insecure") else config.get("ca")
    timeout = config.get("timeout") if options.timeout is None else options.timeout
    options_given = {
        "retry": retry,
        "database": options.database,
        "password": _prompt_password() if options.ask_password else None,
        "verify": verify,
        "timeout": timeout,
    }
    settings: dict[str, Any] = {name: value for name, value in options_given.items() if value is not None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            client = InfluxDBClient.from_env(environ, **settings)
        except (ValueError, OSError) as error:
            raise CommandError(name_option(str(error), _places(options, config)), Exit.USAGE) from error
    for warning in caught:
        print_stderr(f"warning: {warning.message}")
    return client


def _places(options: argparse.Namespace, config: Mapping[str, Any]) -> dict[str, str]:
    """Return where the settings come from, by the names of the client's arguments."""
    places = {}
    for name in ("url", "database", "username", "timeout", "ca"):
        variable = f"INFLUXDB_{name.upper()}"
        if getattr(options, name) is not None:
            places[name] = f"--{name}"
        elif name in config and (options.profile is not None or variable not in os.environ):
            places[name] = f"{config_path()}: {name}"
        elif os.environ.get(variable):
            places[name] = variable
    if "ca" in places:
        places["verify"] = places["ca"]
    return places


def _url(options: argparse.Namespace) -> str | None:
    """Return the URL of the server from the options, or None if there is none."""
    if options.url is not None:
        if options.host is not None or options.port is not None:
            msg = "pass --url, or --host and --port, not both"
            raise CommandError(msg, Exit.USAGE)
        if ":" in options.url.partition("//")[2].rpartition("@")[0]:
            msg = "--url: a password in the URL is visible in the process list; set INFLUXDB_PASSWORD instead"
            raise CommandError(msg, Exit.USAGE)
        return str(options.url)
    if options.host is None and options.port is None:
        return None
    host = options.host or "localhost"
    if "/" in host or ("]" not in host and host.count(":") == 1):
        msg = f"--host: got {host!r}; pass the name without a scheme and a port, or use --url"
        raise CommandError(msg, Exit.USAGE)
    if ":" in host and not host.startswith("["):  # an IPv6 address
        host = f"[{host}]"
    return f"http://{host}:{options.port or 8086}"


def _prompt_password() -> str:
    from getpass import GetPassWarning, getpass  # noqa: PLC0415 - rarely needed

    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)  # the terminal would echo the password
        try:
            return getpass()
        except (EOFError, GetPassWarning):
            msg = "--ask-password requires a terminal; set INFLUXDB_PASSWORD instead"
            raise CommandError(msg, Exit.USAGE) from None
