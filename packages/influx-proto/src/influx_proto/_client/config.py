"""Settings of a client from a URL or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from .._checks import check_mapping, check_str
from .._http.server import DEFAULT_PORT, invalid_url_message, split_url, url_host

_URL_SETTINGS = {"database": "database", "db": "database", "bucket": "bucket", "org": "org"}
_CREDENTIALS = ("username", "password", "token")


#: Variables with a prefix: our own, and those of the official tools of InfluxDB 2 and 3.
_VARIABLES = ("database", "bucket", "org", *_CREDENTIALS)
_OFFICIAL_VARIABLES = ("database", "bucket", "org", "token")


def settings_from_url(url: str, name: str = "url") -> dict[str, Any]:
    """Return the keyword arguments of a client for `https://user:password@host:port/prefix?database=name`.

    The default port is 443 for https, and 8086 for http.

    Args:
        url: the URL of the server.
        name: the name of the argument or variable, for messages.

    Raises:
        ValueError: the URL is not of that form; the message omits credentials.
    """
    found = split_url(check_str(name, url))
    if found is None or found[0].scheme not in {"http", "https"}:
        form = "http[s]://[user:password@]host[:port][/prefix][?database=name]"
        raise ValueError(invalid_url_message(name, url, form))
    parts, port = found
    ssl = parts.scheme == "https"
    settings: dict[str, Any] = {
        "host": url_host(parts),
        "port": port if port is not None else (443 if ssl else DEFAULT_PORT),
        "ssl": ssl,
        "path": parts.path,
    }
    if parts.username or parts.password:
        settings["username"] = unquote(parts.username or "")
        settings["password"] = unquote(parts.password or "")
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in _URL_SETTINGS:
            raise ValueError(f"{name}: unknown parameter {key!r}; use {' or '.join(_URL_SETTINGS)}")
        settings[_URL_SETTINGS[key]] = value
    return settings


def settings_from_env(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments of a client from environment variables.

    They are `INFLUXDB_URL`, `INFLUXDB_DATABASE`, `INFLUXDB_BUCKET`, `INFLUXDB_ORG`, `INFLUXDB_USERNAME`,
    `INFLUXDB_PASSWORD` and `INFLUXDB_TOKEN`. The other variables take precedence over the URL. If none is set, the
    server is `http://localhost:8086`.

    Without `INFLUXDB_URL`, the variables of the official tools apply too, after those above: `INFLUX_HOST`,
    `INFLUX_TOKEN`, `INFLUX_ORG`, `INFLUX_BUCKET` and `INFLUX_DATABASE`. With it they may be those of another server,
    which must not receive a token that is not its own.
    """
    check_mapping("environ", environ)
    if environ.get("INFLUXDB_URL"):
        settings = settings_from_url(environ["INFLUXDB_URL"])
    else:
        settings = settings_from_url(environ["INFLUX_HOST"], "INFLUX_HOST") if environ.get("INFLUX_HOST") else {}
        settings = merge_settings(settings, _read(environ, "INFLUX_", _OFFICIAL_VARIABLES))
    return merge_settings(settings, _read(environ, "INFLUXDB_", _VARIABLES))


def _read(environ: Mapping[str, str], prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of the variables that are set and not empty, by setting."""
    return {name: value for name in names if (value := environ.get(prefix + name.upper()))}


def merge_settings(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of two sources; `overrides` takes precedence, and its credentials replace those of `base`.

    A password without a username in `overrides` belongs to the username in `base`.
    """
    overrides = {name: value for name, value in overrides.items() if value is not None or name not in _CREDENTIALS}
    replaced: set[str] = set()
    if "token" in overrides:
        replaced = {"username", "password"}
    elif "username" in overrides:
        replaced = {"token", "password"} if "username" in base else {"token"}
    return {**{name: value for name, value in base.items() if name not in replaced}, **overrides}
