"""The public API as type checkers see it. Never run: mypy and pyright check it against the sources and the wheels."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, assert_type

import influx_aiohttp
import influx_requests
import influx_trio
from influx_proto import (
    AsyncBatchWriter,
    AsyncReceipt,
    BatchWriter,
    Op,
    QueryResult,
    Receipt,
    RetryPolicy,
    Series,
    SeriesList,
    ServerInfo,
    Spool,
    StreamOp,
    Timeout,
    WriteError,
    admin,
    ops,
)


def check_sync() -> None:
    with influx_requests.InfluxDBClient("localhost", 8086, database="db", retry=RetryPolicy(attempts=3)) as client:
        assert_type(client, influx_requests.InfluxDBClient)
        assert_type(client.ping(), ServerInfo)
        assert_type(client.write("m v=1", precision="s", tags={"a": 1}, region="eu"), bool)
        assert_type(client.query("SELECT 1", params={"a": 1}), QueryResult)
        assert_type(client.create_database("db"), QueryResult)
        assert_type(client.create_database(db="db"), QueryResult)
        assert_type(client.query("SELECT 1").series, SeriesList)
        assert_type(client.query("SELECT 1").series[0], Series)
        assert_type(client.query("SELECT 1").series["cpu"], SeriesList)
        assert_type(client.query("SELECT 1").rows(), Iterator[tuple[Any, ...]])
        assert_type(client.query("SELECT 1").first(), dict[str, Any] | None)
        assert_type(client.query("SELECT 1").points(), Iterator[dict[str, Any]])
        assert_type(client.execute(ops.ping()), ServerInfo)
        assert_type(client.query("SELECT 1", timeout=5), QueryResult)
        assert_type(client.query_sql("SELECT $n", db="db", params={"n": 1}), QueryResult)
        assert_type(client.query_flux("buckets()", org="o"), QueryResult)
        client.query_points("SELECT 1", language="SQL")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert_type(client.write("m v=1", timeout=Timeout(total=5)), bool)
        assert_type(client.write(object(), "m", tag_columns=iter(["t"]), time_column="when"), bool)
        client.write("m v=1", time_column=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        with client.query_chunks("SELECT 1", chunk_size=5) as chunks:
            assert_type(chunks, Iterator[QueryResult])
        with client.query_points("SELECT 1") as points:
            assert_type(next(points), dict[str, Any])
        assert_type(client.list_users(), list[admin.User])
        assert_type(client.list_users()[0].admin, bool)
        assert_type(
            client.list_tag_values(admin.Not("host"), tags={"a": admin.Not(re.compile("b"))}), list[admin.TagValue]
        )
        assert_type(client.create_retention_policy("p", "db", "1d", past_write_limit=timedelta(hours=1)), None)
        assert_type(client.series_cardinality(exact=True), int)
        assert_type(client.explain("SELECT 1"), str)
        assert_type(client.write("m v=1", bucket="b", org="o"), bool)
        client.write("m v=1", bucket=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert_type([(line, reason) for line, reason in WriteError(400, "").rejected], list[tuple[str, str]])
        assert_type(WriteError(400, "").rejected[0].number, int | None)
        assert_type(client.db, str | None)
        client.db = "other"
        client.query(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # must be rejected
        with client.batch_writer(max_lines=5) as writer:
            assert_type(writer, BatchWriter)
            assert_type(writer.write("m v=1"), Receipt)
            writer.write("m v=1").wait(timeout=5)
        client.query()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # must be rejected


async def check_async() -> None:
    async with influx_aiohttp.AsyncInfluxDBClient(database="db", timeout=Timeout(total=5)) as client:
        assert_type(client, influx_aiohttp.AsyncInfluxDBClient)
        assert_type(await client.ping(), ServerInfo)
        assert_type(await client.write([{"measurement": "m", "fields": {"v": 1}}]), bool)
        assert_type(await client.query("SELECT 1", epoch=None), QueryResult)
        assert_type(await client.show_databases(), QueryResult)
        assert_type(await client.list_shards(), list[admin.Shard])
        assert_type(await client.drop_user("u"), None)
        assert_type(await client.execute(ops.query("SELECT 1")), QueryResult)
        async with client.query_chunks("SELECT 1") as chunks:
            assert_type(chunks, AsyncIterator[QueryResult])
        async with client.batch_writer(max_lines=5, spool=Spool("spool", sync=True)) as writer:
            assert_type(writer, AsyncBatchWriter)
            written = await writer.write("m v=1", tag_columns={"t": 1}, time_column="when")
            receipt = assert_type(written, AsyncReceipt)
            await receipt
    async with influx_trio.AsyncInfluxDBClient.from_url("http://localhost") as other:
        assert_type(other, influx_trio.AsyncInfluxDBClient)
        assert_type(await other.ping(), ServerInfo)


def check_class_attributes(headers: Mapping[str, str], body: bytes) -> None:
    assert_type(ops.query("SELECT 1"), Op[QueryResult])
    assert_type(ops.query("SELECT 1").read(200, headers, body), QueryResult)
    assert_type(ops.query_sql("SELECT 1"), Op[QueryResult])
    assert_type(ops.query_flux("buckets()"), Op[QueryResult])
    assert_type(ops.query_points("SELECT 1", language="sql"), StreamOp[dict[str, Any]])
    assert_type(ops.write("m v=1"), Op[bool])
    assert_type(admin.list_grants("u"), Op[list[admin.Grant]])
    assert_type(ops.query_points("SELECT 1"), StreamOp[dict[str, Any]])
    builder: Callable[..., Any] = influx_requests.InfluxDBClient.query
    assert builder is ops.query
