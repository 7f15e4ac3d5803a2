"""A client's settings from a URL or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from .._checks import text
from .._http.server import DEFAULT_PORT, invalid_url_message, split_url, url_host

_URL_SETTINGS = {"database": "database", "db": "database"}
_CREDENTIALS = ("username", "password", "token")


def settings_from_url(url: str) -> dict[str, Any]:
    """Read `https://user:password@host:port/prefix?database=name` as keyword arguments of a client.

    A URL without a port means its scheme's own: 443 for https, and InfluxDB's 8086 for http.

    Raises:
        ValueError: this is no such URL; credentials are not repeated in the message.
    """
    found = split_url(text("url", url))
    if found is None or found[0].scheme not in {"http", "https"}:
        form = "http[s]://[user:password@]host[:port][/prefix][?database=name]"
        raise ValueError(invalid_url_message("url", url, form))
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
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _URL_SETTINGS:
            msg = f"url: unknown parameter {name!r}; known are {', '.join(_URL_SETTINGS)}"
            raise ValueError(msg)
        settings[_URL_SETTINGS[name]] = value
    return settings


def settings_from_env(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read `INFLUXDB_URL`, `INFLUXDB_DATABASE`, `INFLUXDB_USERNAME`, `INFLUXDB_PASSWORD` and `INFLUXDB_TOKEN`.

    The single variables win over what the URL says; without any of them the server is `http://localhost:8086`.
    """
    settings = settings_from_url(environ["INFLUXDB_URL"]) if environ.get("INFLUXDB_URL") else {}
    single = {name: environ.get(f"INFLUXDB_{name.upper()}") for name in ("database", *_CREDENTIALS)}
    return settings_joined(settings, {name: value for name, value in single.items() if value})


def settings_joined(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Join the settings of two sources, of which the later wins: its credentials replace those of the other.

    A password without a user is for the user of the other source.
    """
    after = {name: value for name, value in after.items() if value is not None or name not in _CREDENTIALS}
    replaced: set[str] = set()
    if "token" in after:
        replaced = {"username", "password"}
    elif "username" in after:
        replaced = {"token", "password"} if "username" in before else {"token"}
    return {**{name: value for name, value in before.items() if name not in replaced}, **after}
