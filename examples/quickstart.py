"""Measure this machine for a few seconds, write the samples to InfluxDB, query them, and print and plot the result.

The asyncio client writes and queries the CPU, the trio client the memory, and the sync client the disks and the
network. `make quickstart` installs the dependencies and runs it.
"""

# pyright: reportUnknownMemberType=false
# (matplotlib has no types for its keyword arguments)

from __future__ import annotations

import argparse
import asyncio
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import influx_aiohttp
import influx_requests
import influx_trio
import numpy as np
import psutil
import trio
from matplotlib.figure import Figure
from tqdm import tqdm

from tests.servers.running import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from influx_proto import QueryResult
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

Point: TypeAlias = dict[str, Any]

EVERY = 0.25  # seconds between samples


# --- Each client writes points and queries them


def with_asyncio(url: str, database: str, points: list[Point], query: str) -> QueryResult:
    async def main() -> QueryResult:
        async with influx_aiohttp.AsyncInfluxDBClient.from_url(url, database=database) as client:
            await client.write(points)
            return await client.query(query)

    return asyncio.run(main())


def with_trio(url: str, database: str, points: list[Point], query: str) -> QueryResult:
    async def main() -> QueryResult:
        async with influx_trio.AsyncInfluxDBClient.from_url(url, database=database) as client:
            await client.write(points)
            return await client.query(query)

    return trio.run(main)


def with_requests(url: str, database: str, points: list[Point], query: str) -> QueryResult:
    with influx_requests.InfluxDBClient.from_url(url, database=database) as client:
        client.write(points)
        return client.query(query)


CLIENTS = {"influx_aiohttp": with_asyncio, "influx_trio": with_trio, "influx_requests": with_requests}


# --- Measurements


def sample(seconds: float) -> list[Point]:
    psutil.cpu_percent(percpu=True)  # each call measures the time since the previous one
    points: list[Point] = []
    for _ in tqdm(range(max(2, round(seconds / EVERY))), desc="Sampling this machine", unit=" samples"):
        time.sleep(EVERY)
        points += measure(time.time_ns())
    return points


def measure(now: int) -> Iterator[Point]:
    cores = psutil.cpu_percent(percpu=True)
    digits = len(str(len(cores) - 1))  # pads numbers, so that core 2 sorts before core 10
    for number, busy in enumerate(cores):
        yield point("cpu", now, {"busy": busy}, core=f"core {number:0{digits}}")

    memory = psutil.virtual_memory()
    yield point("memory", now, {"used": memory.used, "available": memory.available})

    if disks := psutil.disk_io_counters():  # None in some containers
        yield point("disk", now, {"read": disks.read_bytes, "written": disks.write_bytes})

    for name, traffic in psutil.net_io_counters(pernic=True).items():
        if traffic.bytes_recv or traffic.bytes_sent:
            yield point("network", now, {"in": traffic.bytes_recv, "out": traffic.bytes_sent}, interface=name)


def point(measurement: str, now: int, fields: dict[str, float], **tags: str) -> Point:
    return {"measurement": measurement, "time": now, "tags": tags, "fields": fields}


# --- Queries


@dataclass(frozen=True)
class Panel:
    """A panel of the chart: its query and the client that runs it."""

    title: str
    measurement: str
    client: str
    query: str
    unit: str
    scale: float = 1.0
    top: float = 1.0  # minimum upper limit of the axis, so that an idle machine looks idle


# Disks and networks count bytes since boot; InfluxDB computes bytes per second.
PANELS = [
    Panel(
        title="CPU by core",
        measurement="cpu",
        client="influx_aiohttp",
        query="SELECT busy FROM cpu GROUP BY core",
        unit="%",
        top=100,
    ),
    Panel(
        title="Memory",
        measurement="memory",
        client="influx_trio",
        query="SELECT used, available FROM memory",
        unit="GiB",
        scale=2**30,
    ),
    Panel(
        title="Disks",
        measurement="disk",
        client="influx_requests",
        query="""
            SELECT non_negative_derivative("read", 1s) AS "read", non_negative_derivative("written", 1s) AS "written"
            FROM disk
        """,
        unit="MiB/s",
        scale=2**20,
    ),
    Panel(
        title="Network by interface",
        measurement="network",
        client="influx_requests",
        query="""
            SELECT non_negative_derivative("in", 1s) AS "in", non_negative_derivative("out", 1s) AS "out"
            FROM network GROUP BY interface
        """,
        unit="KiB/s",
        scale=2**10,
    ),
]


@dataclass(frozen=True)
class Curve:
    """The values of one field of one series."""

    label: str
    times: NDArray[np.datetime64]
    values: NDArray[np.float64]


def write_and_query(panel: Panel, url: str, database: str, points: list[Point]) -> list[Curve]:
    mine = [point for point in points if point["measurement"] == panel.measurement]
    return list(curves(CLIENTS[panel.client](url, database, mine, panel.query), panel.scale))


def curves(result: QueryResult, scale: float) -> Iterator[Curve]:
    """Yield a curve for each field of each series."""
    for series in result.series:
        times, *fields = zip(*series.values, strict=True)
        for name, values in zip(series.columns[1:], fields, strict=True):
            label = " ".join(series.tags.values() if len(fields) == 1 else [*series.tags.values(), name])
            yield Curve(label, np.array(times, "datetime64[ns]"), np.array(values, float) / scale)


# --- Output


def print_table(results: list[tuple[Panel, list[Curve]]]) -> None:
    print(f"\n{'client':<16} {'measurement':<12} {'':<16} {'points':>6} {'min':>9} {'mean':>9} {'max':>9}")
    for panel, found in results:
        for curve in found:
            name = f"{panel.client:<16} {panel.measurement:<12} {curve.label:<16} {len(curve.values):>6}"
            numbers = (curve.values.min(), curve.values.mean(), curve.values.max())
            print(name, *(f"{number:9.2f}" for number in numbers), panel.unit)
    print()


def draw(results: list[tuple[Panel, list[Curve]]], title: str, output: Path) -> None:
    figure = Figure(figsize=(14, 8), layout="constrained")
    figure.suptitle(f"This machine, in {title}", fontsize="x-large")
    for axes, (panel, found) in zip(figure.subplots(2, 2, sharex=True).flat, results, strict=True):
        draw_panel(axes, panel, found)
    figure.supxlabel("time (UTC)")
    figure.savefig(output, dpi=120)


def draw_panel(axes: Axes, panel: Panel, found: list[Curve]) -> None:
    for curve in found:
        axes.plot(curve.times, curve.values, marker=".", label=curve.label)
    axes.set_title(f"{panel.title}, written and queried with {panel.client}", pad=12)
    axes.set_ylabel(panel.unit)
    axes.set_ylim(0, 1.05 * max([panel.top, *(curve.values.max() for curve in found)]))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if found:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), ncols=1 + len(found) // 20, frameon=False)
    else:
        axes.text(0.5, 0.5, "no data on this machine", transform=axes.transAxes, ha="center")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure this machine and plot the samples with InfluxDB.")
    parser.add_argument("--seconds", type=float, default=5, help="duration of the measurement (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("quickstart.png"), help="the chart (default: %(default)s)")
    arguments = parser.parse_args()

    database = f"quickstart_{uuid.uuid4().hex[:8]}"
    with running_server() as server, influx_requests.InfluxDBClient.from_url(server.url) as client:
        address = urlsplit(server.url).netloc.rpartition("@")[2]  # without credentials
        title = f"InfluxDB {client.ping().version} at {address}, database {database}"
        client.create_database(database)
        try:
            points = sample(arguments.seconds)
            results = [(panel, write_and_query(panel, server.url, database, points)) for panel in PANELS]
        finally:
            client.drop_database(database)
    print_table(results)
    draw(results, title, arguments.output)
    print(f"{len(points)} points written to {title}. The chart is {arguments.output}.")


if __name__ == "__main__":
    main()
