"""Client configured by the command-line options and the environment."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from influx_proto import RetryPolicy

from influx_requests import InfluxDBClient

from ._config import config_path, load_config
from ._console import CommandError, Exit, print_stderr
from ._errors import name_option

_DEFAULT_URL: Final = "http://localhost:8086"
_CREDENTIALS: Final = ("username", "password", "token")


def create_client(options: argparse.Namespace, retry: RetryPolicy | None = None) -> InfluxDBClient:
    """Return a client configured by the options, the profile and the environment.

    Options take precedence over a profile that is named on the command line, then the environment variables, then the
    settings of the configuration file outside of profiles. Credentials in the environment or outside of profiles are
    not sent to another server than the one that is named beside them.

    Raises:
        CommandError: an option, an environment variable or a setting is invalid.
    """
    config = load_config(options.profile)
    is_profile = options.profile is not None
    environ = dict(os.environ)
    given = _url(options)
    url_of_config = config.get("url") if is_profile or "INFLUXDB_URL" not in environ else None
    url = given or url_of_config or environ.get("INFLUXDB_URL") or environ.get("INFLUX_HOST") or _DEFAULT_URL
    has_username = options.username is not None or "@" in (given or "") or (is_profile and "username" in config)
    _bind(environ, "INFLUXDB_URL", [f"INFLUXDB_{name.upper()}" for name in _CREDENTIALS], url,
          kept=["INFLUXDB_PASSWORD"] if has_username else [])  # fmt: skip
    if not is_profile:
        _bind(config, "url", _CREDENTIALS, url, place=f"{config_path()}: ")
    for name in ("url", "database", *_CREDENTIALS):
        variable = f"INFLUXDB_{name.upper()}"
        if name in config and (is_profile or variable not in environ):
            environ[variable] = config[name]
    if is_profile and "username" in config and "token" not in config:
        environ.pop("INFLUXDB_TOKEN", None)
    if given is not None:
        environ["INFLUXDB_URL"] = given
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


def _bind(
    settings: MutableMapping[str, Any],
    url_name: str,
    credentials: Sequence[str],
    url: str,
    *,
    kept: Sequence[str] = (),
    place: str = "",
) -> None:
    """Remove the credentials beside the URL of another server, and print a warning.

    Args:
        settings: the settings of one source.
        url_name: the name of its URL.
        credentials: the names of its credentials.
        url: the URL of the server that the client uses.
        kept: credentials that are not removed.
        place: where the settings are, for the warning.
    """
    own, server = settings.get(url_name), _origin(url)
    if not own or server is None or _origin(own) == server:
        return
    if removed := [name for name in credentials if settings.get(name) and name not in kept]:
        print_stderr(
            f"warning: {place}{', '.join(removed)} not sent to {server}: {url_name} is another server; "
            "pass --username or --profile for the credentials of this server"
        )
    for name in removed:
        del settings[name]


def _origin(url: str) -> str | None:
    """Return scheme, host and port of a URL, without credentials; None if it is invalid, which the client reports."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 8086)
    except ValueError:
        return None
    host = parts.hostname or ""
    return f"{parts.scheme}://[{host}]:{port}" if ":" in host else f"{parts.scheme}://{host}:{port}"


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
            raise CommandError("pass --url, or --host and --port, not both", Exit.USAGE)
        if ":" in options.url.partition("//")[2].rpartition("@")[0]:
            msg = "--url: a password in the URL is visible in the process list; set INFLUXDB_PASSWORD instead"
            raise CommandError(msg, Exit.USAGE)
        return str(options.url)
    if options.host is None and options.port is None:
        return None
    host = options.host or "localhost"
    if "/" in host or ("]" not in host and host.count(":") == 1):
        raise CommandError(f"--host: got {host!r}; pass the name without a scheme and a port, or use --url", Exit.USAGE)
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
