"""A web page with a live chart of the data of `examples.collector_asyncio`, with aiohttp and some JavaScript.

    python -m examples.live_chart --port 8080

Then open http://localhost:8080. Every two seconds the page requests `/data?host=...&seconds=...`. The server of
INFLUXDB_URL aggregates the points to as many means as the chart shows. Values from browsers are bind parameters.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from influx_aiohttp import AsyncInfluxDBClient
from influx_proto import InfluxDBError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

CLIENT = web.AppKey("client", AsyncInfluxDBClient)
PAGE = Path(__file__).with_name("live_chart.html").read_text()
POINTS = 200  # most points of a curve
MAX_SECONDS = 24 * 60 * 60

QUERY = """
    SELECT mean(cpu) AS cpu, mean(load) AS load, mean(memory_used) AS memory,
        non_negative_derivative(mean(network_in), 1s) AS received,
        non_negative_derivative(mean(network_out), 1s) AS sent
    FROM machine WHERE host = $host AND time >= $begin AND time < $end GROUP BY time($step) fill(none)
"""


async def page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def hosts(request: web.Request) -> web.Response:
    tags = await request.app[CLIENT].list_tag_values("host", measurement="machine")
    return web.json_response([tag.value for tag in tags])


async def data(request: web.Request) -> web.Response:
    try:
        host, seconds = request.query["host"], int(request.query["seconds"])
    except (KeyError, ValueError):
        host, seconds = "", 0
    if not 0 < seconds <= MAX_SECONDS:
        message = f"invalid host or seconds; request /data?host=NAME&seconds=N, where N is at most {MAX_SECONDS}"
        return web.json_response({"error": message}, status=400)
    step = max(1, seconds // POINTS)
    end = int(time.time() + 1) // step * step  # whole steps, so that the means do not change with each request
    params = {"host": host, "begin": (end - seconds) * 10**9, "end": end * 10**9, "step": timedelta(seconds=step)}
    result = await request.app[CLIENT].query(QUERY, params=params, epoch="ms")
    rows = list(result.points())
    return web.json_response({"begin": (end - seconds) * 1000, "end": end * 1000, "rows": rows})


@web.middleware
async def report_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Return an error of InfluxDB as JSON; the page shows it and retries."""
    try:
        return await handler(request)
    except InfluxDBError as error:
        return web.json_response({"error": str(error)}, status=503 if error.retryable else 502)


def application(database: str) -> web.Application:
    async def connect(app: web.Application) -> AsyncIterator[None]:
        """Share one client between all requests; closing it waits for requests in flight."""
        async with AsyncInfluxDBClient.from_env(database=database, timeout=5) as client:
            app[CLIENT] = client
            yield

    app = web.Application(middlewares=[report_errors])
    app.cleanup_ctx.append(connect)
    app.add_routes([web.get("/", page), web.get("/hosts", hosts), web.get("/data", data)])
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--port", type=int, default=8080, help="port on localhost (default: %(default)s)")
    options = parser.parse_args()
    web.run_app(application(options.database), host="localhost", port=options.port)


if __name__ == "__main__":
    main()
