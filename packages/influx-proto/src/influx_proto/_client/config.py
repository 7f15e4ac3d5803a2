"""Settings of a client from a URL or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from .._checks import check_mapping, check_str
from .._http.server import DEFAULT_PORT, invalid_url_message, split_url, url_host

_URL_SETTINGS = {"database": "database", "db": "database"}
_CREDENTIALS = ("username", "password", "token")


def settings_from_url(url: str) -> dict[str, Any]:
    """Return the keyword arguments of a client for `https://user:password@host:port/prefix?database=name`.

    The default port is 443 for https, and 8086 for http.

    Raises:
        ValueError: the URL is not of that form; the message omits credentials.
    """
    found = split_url(check_str("url", url))
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
            msg = f"url: unknown parameter {name!r}; use {' or '.join(_URL_SETTINGS)}"
            raise ValueError(msg)
        settings[_URL_SETTINGS[name]] = value
    return settings


def settings_from_env(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments of a client from environment variables.

    They are `INFLUXDB_URL`, `INFLUXDB_DATABASE`, `INFLUXDB_USERNAME`, `INFLUXDB_PASSWORD` and `INFLUXDB_TOKEN`. The
    other variables take precedence over the URL. If none is set, the server is `http://localhost:8086`.
    """
    check_mapping("environ", environ)
    settings = settings_from_url(environ["INFLUXDB_URL"]) if environ.get("INFLUXDB_URL") else {}
    variables = {name: environ.get(f"INFLUXDB_{name.upper()}") for name in ("database", *_CREDENTIALS)}
    return merge_settings(settings, {name: value for name, value in variables.items() if value})


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
