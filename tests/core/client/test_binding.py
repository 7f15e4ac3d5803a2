"""Operations as client methods: ordinary functions to `help`, `inspect`, mocks and type checkers."""

from __future__ import annotations

import asyncio
import inspect
import pydoc
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any
from unittest.mock import AsyncMock, create_autospec

import influx_aiohttp
import influx_requests
import pytest
from influx_proto import QueryResult, Timeout, admin, ops
from influx_proto.adapter import AsyncClient, Client

CLIENTS = [influx_requests.InfluxDBClient, influx_aiohttp.AsyncInfluxDBClient]
#: Builders by method name; `write` is bound to the builder for several requests.
BUILDERS = {
    **{name: getattr(ops, name) for name in ops.__all__},
    "write": ops.write_batches,
    **{
        name: getattr(admin, name)
        for name in admin.__all__
        if inspect.isfunction(getattr(admin, name)) and hasattr(Client, name)
    },
}
NOT_BOUND = {"write_batches"}
OPERATIONS = sorted(BUILDERS.keys() - NOT_BOUND)


@pytest.mark.parametrize("client_class", CLIENTS)
def test_methods_have_the_parameters_and_docstring_of_their_builders(client_class: type) -> None:
    for name in OPERATIONS:
        function = getattr(client_class, name)
        built = inspect.signature(BUILDERS[name])
        first, *others = inspect.signature(function).parameters.values()
        assert first.name == "self", name
        assert [(each.name, each.kind, each.default) for each in others] == [
            (each.name, each.kind, each.default) for each in built.parameters.values()
        ], name
        assert function.__doc__ == BUILDERS[name].__doc__, name
        assert function.__name__ == name
        assert inspect.signature(function).return_annotation is not inspect.Signature.empty, name


def test_every_builder_has_a_timeout() -> None:
    timeouts = {name: inspect.signature(builder).parameters.get("timeout") for name, builder in BUILDERS.items()}
    found = {name: timeout and (timeout.kind, timeout.default) for name, timeout in timeouts.items()}
    assert found == dict.fromkeys(BUILDERS, (inspect.Parameter.KEYWORD_ONLY, None))


def test_builder_sets_the_timeout() -> None:
    assert ops.ping(timeout=5).timeout == Timeout(connect=5, idle=5, pool=5)
    assert ops.write("m v=1", timeout=Timeout(total=3)).timeout == Timeout(total=3)
    assert [op.timeout for op in ops.write_batches("m v=1", timeout=3)] == [Timeout(connect=3, idle=3, pool=3)]
    assert ops.query_points("SELECT v FROM m", timeout=5).timeout == Timeout(connect=5, idle=5, pool=5)
    assert admin.list_users(timeout=5).timeout == Timeout(connect=5, idle=5, pool=5)
    assert admin.drop_user("u").timeout is None


def test_operations_of_async_client_classes_are_coroutine_functions() -> None:
    assert inspect.iscoroutinefunction(influx_aiohttp.AsyncInfluxDBClient.query)
    assert inspect.iscoroutinefunction(AsyncClient.write)
    assert not inspect.iscoroutinefunction(influx_aiohttp.AsyncInfluxDBClient.query_points)  # a context manager
    assert not inspect.iscoroutinefunction(influx_requests.InfluxDBClient.query)


def test_return_types() -> None:
    def returned(function: Any) -> object:
        return inspect.signature(function).return_annotation

    assert returned(Client.query) == returned(AsyncClient.query) == QueryResult
    assert returned(Client.write) is bool
    assert returned(Client.list_users) == list[admin.User]
    assert returned(Client.query_dataframe) == "pd.DataFrame"
    assert returned(Client.query_chunks) == AbstractContextManager[Iterator[QueryResult]]
    assert returned(AsyncClient.query_chunks) == AbstractAsyncContextManager[AsyncIterator[QueryResult]]
    assert returned(Client.batch_writer) == "BatchWriter"
    assert returned(AsyncClient.batch_writer) == "AsyncBatchWriter"


def test_annotations_are_those_of_the_signature() -> None:
    signature = inspect.signature(influx_aiohttp.AsyncInfluxDBClient.query)
    expected = {name: each.annotation for name, each in list(signature.parameters.items())[1:]}
    assert inspect.get_annotations(influx_aiohttp.AsyncInfluxDBClient.query) == expected | {"return": QueryResult}


def test_help_shows_return_types() -> None:
    text = pydoc.plain(pydoc.render_doc(influx_aiohttp.AsyncInfluxDBClient))
    words = text.partition("async query(")[2].replace(" |  ", " ").split()  # since Python 3.14, on several lines
    assert words[:4] == ["self,", "/,", "q:", "str,"]
    assert words[words.index("->") + 1] == "influx_proto.QueryResult"
    assert "-> Op[" not in text


@pytest.mark.parametrize("spec", [influx_aiohttp.AsyncInfluxDBClient, influx_aiohttp.AsyncInfluxDBClient()])
def test_autospec_of_an_async_client(spec: Any) -> None:
    mock = create_autospec(spec, instance=True)
    assert isinstance(mock.query, AsyncMock)
    mock.query.return_value = "result"
    assert asyncio.run(mock.query("SELECT v FROM m", db="d")) == "result"
    with pytest.raises(TypeError, match="database"):
        mock.query("SELECT v FROM m", database="d")


def test_autospec_of_a_sync_client() -> None:
    mock = create_autospec(influx_requests.InfluxDBClient, instance=True)
    mock.drop_database("d")
    with pytest.raises(TypeError, match="db"):
        mock.drop_database()


def test_subclass_calls_an_operation_through_super() -> None:
    class Counting(influx_requests.InfluxDBClient):
        calls = 0

        def execute(self, operation: Any, **_: Any) -> Any:
            return operation

        def ping(self, **arguments: Any) -> Any:
            self.calls += 1
            return super().ping(**arguments)

    with Counting() as client:
        client.ping(timeout=1)
        assert client.calls == 1
        operation: Any = Counting.query(client, "SELECT v FROM m")
        assert operation.request.method == "GET"
