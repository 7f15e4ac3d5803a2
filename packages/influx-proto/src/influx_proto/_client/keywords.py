"""Advice on unknown keyword arguments: the name of the same option here, or another call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from .._encode.extra_tags import missing_data_message

P = ParamSpec("P")
T = TypeVar("T")

#: Keywords of other clients and earlier spellings, with the parameters that have the same meaning, by precedence.
_SAME: Final = {
    "batch_bytes": ("max_bytes",),
    "batch_lines": ("max_lines",),
    "batch_size": ("max_lines",),
    "bind_params": ("params",),
    "cert_file": ("cert",),
    "database": ("db", "database"),
    "db": ("database",),
    "default_tags": ("tags",),
    "enable_gzip": ("gzip",),
    "flush_interval": ("max_delay",),
    "max_retries": ("retry",),
    "measurement": ("measurement_column",),
    "proxies": ("proxy",),
    "query": ("q",),
    "query_parameters": ("params",),
    "retention_policy": ("rp",),
    "retries": ("retry",),
    "ssl_ca_cert": ("verify",),
    "use_ssl": ("ssl",),
    "user": ("username",),
    "username": ("user",),
    "verify_ssl": ("verify",),
}

#: What to do instead of passing a keyword that no parameter replaces.
_INSTEAD: Final = {
    "auth_scheme": "pass the scheme with the token: token='Bearer ...'",
    "chunked": "use query_chunks",
    "connection_pool_maxsize": "a client opens up to 100 connections, on demand",
    "debug": "pass observer=, or log the logger 'influx_proto' at DEBUG",
    "language": "use query_sql or query_flux",
    "loop": "a client uses the running event loop",
    "mode": "influx_aiohttp and influx_trio have async clients, influx_requests has a sync one",
    "method": "the client selects GET or POST",
    "output": "use query_dataframe for DataFrames",
    "pool_size": "a client opens up to 100 connections, on demand",
    "raise_errors": "errors are always raised",
    "url": "use from_url(url)",
    "use_udp": "UDP is not supported",
}


def explains_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that its error for an unknown keyword says what to write instead."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except TypeError:
            if (message := _explanation(function, len(args), kwargs)) is not None:
                raise TypeError(message) from None
            raise

    return call


def _explanation(function: Callable[..., object], positional: int, kwargs: Mapping[str, Any]) -> str | None:
    """Return why a function does not accept its arguments, or None if it does."""
    parameters = inspect.signature(function).parameters
    kinds = [parameter.kind for parameter in parameters.values()]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for name in kwargs:
            if name not in parameters:
                advice = _advice(name, parameters)
                return f"{name}: unexpected keyword argument{f'; {advice}' if advice else ''}"
    elif positional == 0 and "data" in parameters and "data" not in kwargs:
        return missing_data_message(kwargs)
    accepted = [name for name, parameter in parameters.items() if parameter.kind < parameter.VAR_POSITIONAL]
    if inspect.Parameter.VAR_POSITIONAL not in kinds and positional > len(accepted) > 0:
        return f"pass the arguments after {accepted[-1]!r} by keyword"
    return None


def _advice(name: str, parameters: Mapping[str, object]) -> str | None:
    same = [parameter for parameter in _SAME.get(name, ()) if parameter in parameters]
    if not same and name in _INSTEAD:
        return _INSTEAD[name]
    if not same:
        from difflib import get_close_matches  # noqa: PLC0415 - only needed for this error

        same = get_close_matches(name, parameters, 1, 0.75)
    return f"use {same[0]}=" if same else None
