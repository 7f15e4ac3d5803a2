"""Credentials and tokens, and how they get into a request."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace

from .._errors import TransportError
from .messages import HEADER_VALUE, Request

_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")
_SCHEMED_TOKEN = re.compile(r"(?:Bearer|Token) \S+")


def authorization(username: str | None, password: str | None, token: str | Callable[[], object] | None) -> str | None:
    """Give the value of the `Authorization` header, or None without credentials, or where a function gives the token.

    A token that is a JSON web token goes out as `Bearer`, which is what InfluxDB 1.x verifies with its shared secret;
    any other as `Token`, which is what 1.8 and later take (`Token user:password`, or a 2.x or 3.x API token). A token
    that names its scheme (`"Bearer abc"`) is sent as it is.

    Raises:
        ValueError: the credentials contradict each other or cannot be carried by HTTP.
    """
    if token is not None:
        if username is not None or password is not None:
            msg = "token: give either a token or a username and password, not both"
            raise ValueError(msg)
        if callable(token):
            return None
        if not token or not HEADER_VALUE.fullmatch(token):
            msg = "token: must be printable ASCII without spaces at its ends, and not empty; strip() it"
            raise ValueError(msg)
        if _SCHEMED_TOKEN.fullmatch(token):
            return token
        return f"{'Bearer' if _JWT.fullmatch(token) else 'Token'} {token}"
    if username is None:
        if password is not None:
            msg = "password: given without a username"
            raise ValueError(msg)
        return None
    if ":" in username:
        # It may be a password that was appended: the message does not quote it.
        msg = "username: contains ':', which HTTP's basic authentication cannot carry; pass password= separately"
        raise ValueError(msg)
    return basic(username, password or "")


def basic(username: str, password: str) -> str:
    """Return a header's value for HTTP's basic authentication.

    Raises:
        ValueError: the username or password has a lone surrogate; the message quotes neither.
    """
    try:
        credentials = f"{username}:{password}".encode()
    except UnicodeEncodeError:  # which would quote them
        msg = "username, password: contain a lone surrogate, which UTF-8 cannot encode"
        raise ValueError(msg) from None
    return f"Basic {base64.b64encode(credentials).decode('ascii')}"


def authorized(request: Request) -> Request:
    """Add the token that a client was told to ask for anew, over a blocking transport.

    Raises:
        TransportError: there is none to be had now: the function raised an OSError. Whatever else it raises is left.
    """
    if request.token is None:
        return request
    try:
        token = request.token()
    except OSError as error:
        raise _no_token(error) from error
    return _with_token(request, token)


async def aauthorized(request: Request) -> Request:
    """Add the token that a client was told to ask for anew, over an awaiting transport; errors are the same."""
    if request.token is None:
        return request
    try:
        token = request.token()
        if isinstance(token, Awaitable):
            token = await token
    except OSError as error:
        raise _no_token(error) from error
    return _with_token(request, token)


def _no_token(error: Exception) -> TransportError:
    return TransportError(f"the function that gives the token failed: {error!r}", maybe_received=False)


def _with_token(request: Request, token: object) -> Request:
    if isinstance(token, Coroutine):
        token.close()  # nobody will await it
    if not isinstance(token, str):
        msg = f"token: the function has to give text, not a {type(token).__name__}"
        raise TypeError(msg)
    header = ("Authorization", authorization(None, None, token) or "")
    return replace(request, headers=(*request.headers, header), token=None)
