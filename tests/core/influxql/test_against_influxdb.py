"""A real InfluxDB executes what each builder says and nothing else, whatever texts a user passes."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from influx_proto import InfluxDBError, Op, QueryError, SerializationError, admin, ops, serialize
from influx_proto.influxql import quote_identifier, quote_regex, quote_string

from tests.servers.influxd import Server, execute

PARTS = st.sampled_from(
    ["\\", "'", '"', "/", ";", "--", "/*", "*/", "\n", "\r", "\0", " ", "$", "$p", ",", "=", "=~", ")", "(", "*", ".",
     "a", "é", "::tag", " OR 1=1", "END", "SELECT", "FROM", "m", "/a/", "''", '""', "\\\\", "time", "_name",
     "; DROP DATABASE victim", " DROP DATABASE victim ", "; DROP DATABASE victim --", "; DROP DATABASE victim;"]
)  # fmt: skip
TEXTS = st.lists(PARTS | st.characters(codec="utf-8"), max_size=6).map("".join)

#: More examples with `--hypothesis-profile random`.
EXAMPLES = 10 if settings.default is None or settings.default.derandomize else 500


class Target:
    """A database to work in, beside the database `victim` that no statement names on purpose."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.db = "fuzzed"
        execute(url, "CREATE DATABASE fuzzed; CREATE DATABASE victim")

    def run(self, op: Op[Any]) -> Any:
        """Send a request and read the response; fail if it was to more than one statement."""
        target = op.request.target + ("" if "db=" in op.request.target else f"&db={self.db}")
        headers = dict(op.request.headers) | {"Accept": "application/json"}
        body = op.request.body or None
        request = urllib.request.Request(self.url + target, body, headers, method=op.request.method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, got, answer = response.status, response.headers.items(), response.read()
        except urllib.error.HTTPError as error:
            with error:
                status, got, answer = error.code, error.headers.items(), error.read()
        for line in answer.splitlines():
            assert all(result["statement_id"] == 0 for result in json.loads(line).get("results", ())), op.request
        return op.read(status, got, answer)

    def attempt(self, build: Callable[[], Op[Any]]) -> Any:
        """Run an operation that may be refused: before it is sent, or by the server as a whole."""
        try:
            return self.run(build())
        except (TypeError, ValueError, SerializationError, InfluxDBError):
            return None

    def check(self) -> None:
        assert {"victim", self.db} <= set(self.run(admin.list_databases()))


@pytest.fixture
def target(influxd: Server) -> Iterator[Target]:
    yield Target(influxd.url)
    execute(influxd.url, "DROP DATABASE fuzzed; DROP DATABASE victim")


live = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@live
@given(name=TEXTS)
@example(name='a"; DROP DATABASE victim --')
@example(name="a\\")
def test_what_is_created_has_this_name_and_no_other(target: Target, name: str) -> None:
    db = target.db
    cases: list[tuple[Callable[[], Op[Any]], Op[list[Any]], Callable[[], Op[Any]]]] = [
        (lambda: ops.create_database(name), admin.list_databases(), lambda: ops.drop_database(name)),
        (
            lambda: admin.create_retention_policy(name, db, "1h"),
            admin.list_retention_policies(db),
            lambda: admin.drop_retention_policy(name, db),
        ),
        (lambda: admin.create_user(name, "p"), admin.list_users(), lambda: admin.drop_user(name)),
        (
            lambda: admin.create_continuous_query(name, db, "SELECT mean(v) INTO n FROM m GROUP BY time(1h)"),
            admin.list_continuous_queries(),
            lambda: admin.drop_continuous_query(name, db),
        ),
        (
            lambda: admin.create_subscription(name, db, "autogen", "udp://127.0.0.1:9"),
            admin.list_subscriptions(),
            lambda: admin.drop_subscription(name, db, "autogen"),
        ),
    ]
    for create, listing, drop in cases:
        before = set(target.run(listing))
        try:
            op = create()
        except ValueError:
            assert not name or any(sign in "\0\r" for sign in name)
            continue
        try:
            target.run(op)
        except QueryError as error:
            failure = str(error)
        else:
            failure = ""
        if failure:
            assert "error parsing query" not in failure
            assert set(target.run(listing)) == before
            continue
        new = {getattr(item, "name", item) for item in set(target.run(listing)) - before}
        assert new <= {name}
        target.run(drop())
        assert set(target.run(listing)) == before - ({name} if name == target.db else set())
    target.check()


@live
@given(value=TEXTS, pattern=TEXTS)
@example(value="\\", pattern="\\\\")
@example(value="a/; DROP DATABASE victim --", pattern="a\\\\/; DROP DATABASE victim --")
def test_what_is_quoted_or_bound_is_compared(target: Target, value: str, pattern: str) -> None:
    lines = serialize({"measurement": "m", "fields": {"s": value, "n": 1}, "time": 1})
    with urllib.request.urlopen(f"{target.url}/write?db={target.db}", lines, timeout=30) as response:
        assert response.status == 204
    queries: list[Op[Any] | None] = [ops.query("SELECT s FROM m WHERE s = $p", params={"p": value}, epoch="ns")]
    conditions: list[Callable[[], str]] = [
        lambda: f"s = {quote_string(value)}",
        lambda: f"s =~ {quote_regex('^' + re.escape(value) + '$')}",
        lambda: f"s =~ {quote_regex(pattern)}",
        lambda: f"s !~ {quote_regex(pattern)} AND s = {quote_string(value)}",
        lambda: f"{quote_identifier(pattern)} = {quote_string(value)}",
    ]
    for condition in conditions:
        try:
            queries.append(ops.query(f"SELECT s FROM m WHERE {condition()}", epoch="ns"))
        except ValueError:
            queries.append(None)
    for number, op in enumerate(queries):
        if op is None:
            continue
        try:
            series = target.run(op).series
        except QueryError as error:
            failure = str(error)
        else:
            failure = ""
        if failure:  # only the user's own pattern can be invalid
            assert number in {3, 4}, op.request
            assert "error parsing regexp" in failure or "invalid" in failure, op.request
            continue
        if number < 3:
            assert [each.values for each in series] == [[[1, value]]], op.request
    target.check()


@live
@given(first=TEXTS, second=TEXTS)
@example(first='SELECT v FROM m WHERE path =~ /"/; DROP DATABASE victim --"', second="a")
@example(first="SELECT v FROM m END; DROP DATABASE victim", second="\\\\")
@example(first="SELECT mean(v) INTO o FROM m GROUP BY time(1h) END; DROP DATABASE victim --", second="")
def test_the_canary_stays(target: Target, first: str, second: str) -> None:
    db = target.db
    names: list[Any] = [first, second]
    for make in (re.compile, admin.Not):
        try:
            names.append(make(first))
        except re.error:
            continue
    builders: list[Callable[[], Op[Any]]] = [
        lambda: admin.explain(first, db=db),
        lambda: admin.explain(f"SELECT v FROM m WHERE t =~ /{first}/ AND s = '{second}'", db=db),
        lambda: admin.explain_analyze(f"SELECT v FROM m {first}", db=db),
        lambda: admin.create_continuous_query("c", db, first),
        lambda: admin.create_continuous_query("c", db, f"SELECT mean(v) INTO n FROM m GROUP BY time(1h) {first}"),
        lambda: admin.stats(first),
        lambda: admin.diagnostics(first),
        lambda: admin.set_password(first, second),
        lambda: admin.grant("read", first, second),
        lambda: admin.grant_admin(first),
        lambda: admin.list_grants(first),
        lambda: admin.alter_retention_policy(first, second, duration=first or 1),
        lambda: admin.create_subscription(first, db, second, [first, second]),
        lambda: ops.create_database(f"x{first}", duration=second or "1h", name=first),
        lambda: ops.drop_database(f"x{first}"),
        lambda: ops.select_all(first, db),
        lambda: ops.drop_measurement(first),
    ]
    for name in names:
        builders += [
            lambda name=name: admin.list_measurements(name, db=db),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            lambda name=name: admin.list_series(name, tags={second: name}, db=db),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            lambda name=name: admin.list_tag_values(name, measurement=second, tags={"t": name}, db=db),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            lambda name=name: admin.delete(name, tags={second: name}, db=db),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            lambda name=name: admin.drop_series(name, tags={"t": name}, db=db),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        ]
    for build in builders:
        target.attempt(build)
    target.attempt(lambda: admin.drop_continuous_query("c", db))
    target.check()
