"""Three charts of query results: a single series, one line per room, and the range between minimum and maximum.

    python -m examples.charts [--url http://localhost:8086] [--out charts.png]

Writes simulated temperatures of three rooms for a day to a new database, plots them, and drops the database.
"""

# pyright: reportUnknownMemberType=false
# (matplotlib has no types for its keyword arguments)

from __future__ import annotations

import argparse
import math
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import influx_requests
from influx_proto import FLOAT, TAG, TIMEINT, lineprotocol
from matplotlib.figure import Figure

MINUTE = 60 * 10**9
MIDNIGHT = 1_735_689_600 * 10**9  # 2025-01-01


@lineprotocol
class Temperature(NamedTuple):
    """Temperature of a room."""

    time: TIMEINT
    room: TAG
    celsius: FLOAT


def simulate_day() -> Iterator[Temperature]:
    rng = random.Random(1)  # noqa: S311 - a simulation, not cryptography
    for room, warm, swing in (("attic", 17.0, 6.0), ("cellar", 12.0, 0.6), ("kitchen", 21.0, 2.0)):
        drift = 0.0
        for minute in range(24 * 60):
            drift = 0.98 * drift + rng.gauss(0, 0.15)
            sun = -math.cos(2 * math.pi * (minute - 120) / (24 * 60))
            yield Temperature(MIDNIGHT + minute * MINUTE, room, warm + swing * sun + drift)


def draw(client: influx_requests.InfluxDBClient) -> Figure:
    figure = Figure(figsize=(8, 9), layout="constrained")
    one, each, band = figure.subplots(3, sharex=True)

    frame = client.query_dataframe("SELECT mean(celsius) AS kitchen FROM Temperature WHERE room = 'kitchen' AND "
                                   "time < '2025-01-02' AND time >= '2025-01-01' GROUP BY time(10m)")  # fmt: skip
    frame.plot(ax=one, title="One room, means of ten minutes", ylabel="temperature [°C]")

    rooms = client.query_dataframe("SELECT celsius FROM Temperature GROUP BY room")
    rooms.pivot(columns="room", values="celsius").plot(ax=each, title="Each room", ylabel="temperature [°C]", lw=0.8)
    each.legend(loc="upper left", ncols=3)
    each.margins(y=0.15)

    hours = client.query_dataframe("SELECT min(celsius), max(celsius), mean(celsius) FROM Temperature WHERE room = $it "
                                   "AND time < '2025-01-02' AND time >= '2025-01-01' GROUP BY time(1h)",
                                   params={"it": "attic"})  # fmt: skip
    hours["mean"].plot(ax=band, title="The attic by the hour", ylabel="temperature [°C]", xlabel="time [UTC]")
    band.fill_between(hours.index, hours["min"], hours["max"], alpha=0.25, label="min to max")
    band.legend()
    band.set_xlim(
        rooms.index[0], rooms.index[-1]
    )  # the limits of all three charts, since the last hour is stamped 23:00
    for axes in (one, each, band):
        axes.grid(alpha=0.3)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:8086")
    parser.add_argument("--out", type=Path, default=Path("charts.png"))
    options = parser.parse_args()
    database = f"charts_{uuid.uuid4().hex}"
    with influx_requests.InfluxDBClient.from_url(options.url, database=database) as client:
        client.create_database(database)
        try:
            client.write(simulate_day())
            draw(client).savefig(options.out, dpi=120)
        finally:
            client.drop_database(database)
    print(f"The charts are in {options.out}.")


if __name__ == "__main__":
    main()
