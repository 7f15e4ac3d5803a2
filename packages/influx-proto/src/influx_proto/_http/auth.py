"""Credentials and tokens, and the `Authorization` header."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace

from .._errors import ResponseError, TransportError
from .messages import HEADER_VALUE, Headers, Request

_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")
_SCHEMED_TOKEN = re.compile(r"(bearer|token|basic) +(\S+)", re.IGNORECASE)


def authorization(username: str | None, password: str | None, token: str | Callable[[], object] | None) -> str | None:
    """Return the value of the `Authorization` header, or None without credentials and for a token function.

    The scheme of a JSON Web Token is `Bearer`: InfluxDB 1.x verifies it with its shared secret. The scheme of any other
    token is `Token`, which all servers accept: 1.8 and later for `user:password`, 2.x and 3.x for their tokens. 2.x
    rejects `Bearer` for `/write` and `/query`. A token that names its scheme (`"Bearer abc"`) keeps it, in the case and
    with the single space that 1.x and 3.x require.

    Raises:
        ValueError: the credentials contradict each other or HTTP cannot carry them.
    """
    if token is not None:
        if username is not None or password is not None:
            raise ValueError("token: pass either a token or a username and password, not both")
        if callable(token):
            return None
        if not token or not HEADER_VALUE.fullmatch(token):
            raise ValueError("token: must be non-empty printable ASCII without leading or trailing spaces; strip() it")
        if (found := _SCHEMED_TOKEN.fullmatch(token)) is not None:
            return f"{found[1].capitalize()} {found[2]}"
        return f"{'Bearer' if _JWT.fullmatch(token) else 'Token'} {token}"
    if username is None:
        if password is not None:
            raise ValueError("password: requires a username; pass username= too")
        return None
    if ":" in username:
        # The username may contain a password ("user:password"), so the message does not quote it.
        msg = "username: contains ':', which HTTP basic authentication cannot carry; pass password= separately"
        raise ValueError(msg)
    return basic(username, password or "")


def basic(username: str, password: str) -> str:
    """Return the value of a header for HTTP basic authentication.

    Raises:
        ValueError: the username or password contains a lone surrogate; the message quotes neither.
    """
    try:
        credentials = f"{username}:{password}".encode()
    except UnicodeEncodeError:  # its message would quote the credentials
        raise ValueError("username, password: contain a lone surrogate, which UTF-8 cannot encode") from None
    return f"Basic {base64.b64encode(credentials).decode('ascii')}"


def authorization_advice(error: ResponseError, request: Request) -> str | None:
    """Return what may be wrong with the `Authorization` header of a request that failed; None if the error says it.

    Args:
        error: the error of the request.
        request: the request; a token function adds its header later, so its scheme is unknown.
    """
    if error.status == 400 and "authorization header was malformed" in error.message.lower():
        return (
            "InfluxDB 3 requires `Bearer <token>`, `Token <token>`, or basic authentication with a token as the "
            "password and no ':' in the username; pass token= without spaces"
        )
    if error.status != 401 or request.token is not None:
        return None
    scheme = Headers(request.headers).get("Authorization", "").partition(" ")[0]
    is_api_v2 = "/api/v2/" in request.target
    if not scheme:
        return "the client sent no credentials; pass token=, or username= and password="
    if error.headers.get("X-Influxdb-Version", "").startswith("1."):
        return None
    if scheme == "Bearer" and not is_api_v2:
        return "InfluxDB 2 rejects the scheme Bearer for /write and /query; pass token='Token <token>'"
    if scheme == "Basic" and is_api_v2:
        return "InfluxDB 2 rejects a username and password for /api/v2; pass token="
    return None


def authorized(request: Request) -> Request:
    """Return the request with the token that the token function of a sync client returns.

    Raises:
        TransportError: the token function raised an OSError. Other exceptions of the function pass unchanged.
    """
    if request.token is None:
        return request
    try:
        token = request.token()
    except OSError as error:
        raise _token_error(error) from error
    return _with_token(request, token)


async def aauthorized(request: Request) -> Request:
    """Return the request with the token that the token function of an async client returns; raises as `authorized`."""
    if request.token is None:
        return request
    try:
        token = request.token()
        if isinstance(token, Awaitable):
            token = await token
    except OSError as error:
        raise _token_error(error) from error
    return _with_token(request, token)


def _token_error(error: Exception) -> TransportError:
    return TransportError(f"the token function failed: {error!r}", maybe_received=False)


def _with_token(request: Request, token: object) -> Request:
    if isinstance(token, Coroutine):
        token.close()  # otherwise Python warns that it was never awaited
    if not isinstance(token, str):
        raise TypeError(f"token: the function must return a str, not {type(token).__name__}")
    header = ("Authorization", authorization(None, None, token) or "")
    return replace(request, headers=(*request.headers, header), token=None)
