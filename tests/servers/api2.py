"""The parts of the API of InfluxDB 2.x that fixtures need, with only the standard library."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tests.servers.influxd import InfluxdError


def set_up(url: str, *, org: str, bucket: str, token: str) -> None:
    """Create the first user, organization, bucket and operator token of a new server."""
    values = {"username": "admin", "password": "a long password", "org": org, "bucket": bucket, "token": token}
    call(url, "POST", "/api/v2/setup", values)


def create_bucket(url: str, token: str, org: str, name: str) -> None:
    """Create a bucket, which InfluxQL finds as a database of that name."""
    query = urllib.parse.urlencode({"org": org})
    [found] = call(url, "GET", f"/api/v2/orgs?{query}", token=token)["orgs"]
    call(url, "POST", "/api/v2/buckets", {"name": name, "orgID": found["id"], "retentionRules": []}, token=token)


def drop_bucket(url: str, token: str, org: str, name: str) -> None:
    """Delete the bucket of that name, if there is one."""
    query = urllib.parse.urlencode({"org": org, "name": name})
    for bucket in call(url, "GET", f"/api/v2/buckets?{query}", token=token)["buckets"]:
        call(url, "DELETE", f"/api/v2/buckets/{bucket['id']}", token=token)


def empty_bucket(url: str, token: str, org: str, name: str) -> None:
    """Delete all points of a bucket."""
    query = urllib.parse.urlencode({"org": org, "bucket": name})
    span = {"start": "1677-09-21T00:12:44Z", "stop": "2262-04-11T23:47:16Z"}
    call(url, "POST", f"/api/v2/delete?{query}", span, token=token)


def call(url: str, method: str, target: str, values: object = None, *, token: str | None = None) -> Any:
    """Send JSON values, and return the decoded response; an error response raises `InfluxdError`."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"  # the scheme that 2.x and 3 have in common
    body = None if values is None else json.dumps(values).encode()
    request = urllib.request.Request(url.rstrip("/") + target, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            content = response.read()
    except urllib.error.HTTPError as error:
        with error:
            message = f"{method} {target}: {error.code} {error.read().decode(errors='replace')}"
        raise InfluxdError(message) from None
    return json.loads(content) if content else None
