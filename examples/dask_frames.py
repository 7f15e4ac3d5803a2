"""A Dask DataFrame, which can be larger than memory, written to InfluxDB and read back in parallel.

    python -m examples.dask_frames --days 10 --workers 2

The workers are processes. Each creates a client for every partition (from INFLUXDB_URL), since connections cannot be
pickled. A partition is a day with a reading per second, which a worker generates or reads. At the end, the program
compares the counts and sums of the rows that were written and read.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import dask.base
import dask.config
import dask.dataframe as dd
import numpy as np
import pandas as pd
from influx_requests import InfluxDBClient

SITES = ["north", "south"]

#: Names and dtypes of the columns, the same for the partitions that are written and read.
META = pd.DataFrame(
    {"site": pd.Categorical([], categories=SITES), "power": np.array([], float), "events": np.array([], np.int64)},
    index=pd.DatetimeIndex([], tz="UTC", name="time"),
)


def make_day(day: pd.Timestamp) -> pd.DataFrame:
    """Generate a day of random readings, seeded by the day."""
    rng = np.random.default_rng(day.day_of_year)
    times = pd.date_range(day, periods=86_400, freq="s", name="time")
    site = pd.Categorical(np.resize(SITES, len(times)), categories=SITES)
    power = np.round(rng.normal(100, 15, len(times)), 3)
    return pd.DataFrame({"site": site, "power": power, "events": rng.poisson(2, len(times))}, index=times)


def write_partition(frame: pd.DataFrame, database: str) -> pd.DataFrame:
    """Write a partition; return a DataFrame of one row with the count and the sums."""
    with InfluxDBClient.from_env(database=database) as client:
        client.write(frame, "reading", tag_columns=["site"])
    return summary(frame)


def read_day(day: pd.Timestamp, database: str) -> pd.DataFrame:
    """Read a day."""
    query = "SELECT power, events FROM reading WHERE time >= $begin AND time < $end GROUP BY site"
    with InfluxDBClient.from_env(database=database) as client:
        frame = client.query_dataframe(query, params={"begin": day, "end": day + pd.Timedelta(days=1)})
    return frame.reindex(columns=META.columns).astype(META.dtypes).sort_index()  # also for an empty result


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"rows": [len(frame)], "power": [frame["power"].sum()], "events": [frame["events"].sum()]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
    parser.add_argument("--days", type=int, default=10, help="number of partitions (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="default: one per core")
    options = parser.parse_args()
    with InfluxDBClient.from_env(database=options.database) as client:
        client.create_database(options.database)
        client.drop_measurement("reading")

    days = list(pd.date_range("2025-01-01", periods=options.days, freq="D", tz="UTC"))
    ends = [*days, days[-1] + pd.Timedelta(days=1)]  # the limits of the partitions, so that Dask does not compute them
    with (
        ProcessPoolExecutor(options.workers, get_context("spawn")) as pool,
        dask.config.set(scheduler="processes", pool=pool),
    ):
        made = dd.from_map(make_day, days, meta=META, divisions=ends)  # type: ignore[no-untyped-call]  # Dask has no types
        written = made.map_partitions(write_partition, options.database, meta=summary(META)).compute().sum()

        stored = dd.from_map(read_day, days, database=options.database, meta=META, divisions=ends)  # type: ignore[no-untyped-call]  # as above
        # Both are computed in parallel from one pass; only the results are sent to this process.
        sums = stored.map_partitions(summary, meta=summary(META))
        means = stored.groupby("site", observed=True)["power"].mean()
        read, means = dask.base.compute(sums, means)  # type: ignore[no-untyped-call]  # as above
    read = read.sum()
    print(pd.DataFrame({"written": written, "read": read}).to_string(float_format="{:,.2f}".format))
    print(means.round(3).to_string(header=["mean power"]))
    if not np.allclose(written, read, rtol=1e-12, atol=0):
        sys.exit("The rows that were read differ from those that were written.")


if __name__ == "__main__":
    main()
