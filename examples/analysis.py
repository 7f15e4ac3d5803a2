# %% [markdown]
"""A year of weather at three stations: written as one DataFrame, aggregated by day, month and hour, and plotted.

    python -m examples.analysis --folder .

INFLUXDB_URL is the server. Run the cells (`# %%`) individually in VS Code, PyCharm, Spyder or Jupyter (with jupytext).
As a script, it runs all cells and saves three plots in the folder. The weather is simulated.
"""

# pyright: reportUnknownMemberType=false
# (matplotlib has no types for its keyword arguments)

# %% Setup
from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from influx_requests import InfluxDBClient
from matplotlib.figure import Figure

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE", "examples"))
parser.add_argument("--folder", type=Path, default=Path(), help="folder of the plots (default: current)")
options, _ = parser.parse_known_args()  # a notebook kernel has other arguments

client = InfluxDBClient.from_env(database=options.database)
client.create_database(options.database)
print(client.ping().version)

# %% A year of simulated weather, every ten minutes. For each station: mean, amplitude of the year, amplitude of the day
STATIONS = {"coast": (11.0, 6.0, 2.0), "plain": (10.0, 11.0, 5.0), "summit": (1.0, 8.0, 2.5)}
times = pd.date_range("2025-01-01", "2026-01-01", freq="10min", inclusive="left", tz="UTC", name="time")


def weather(station: str, seed: int) -> pd.DataFrame:
    """Simulate the weather of a station: seasons, days, weather fronts, and rain."""
    rng = np.random.default_rng(seed)
    mean, season, day = STATIONS[station]
    ticks = np.arange(len(times))
    days = ticks / 144
    every_other_day = np.arange(0, len(times) + 288, 288)
    fronts = np.interp(ticks, every_other_day, rng.normal(size=len(every_other_day)))
    seasons, sun = -np.cos(2 * np.pi * (days - 20) / 365), -np.cos(2 * np.pi * (days - 0.1))
    temperature = mean + season * seasons + day * sun + 3 * fronts
    wet = (fronts < -0.4) & (rng.random(len(times)) < 0.12)
    rain = np.where(wet, rng.exponential(0.4 if station == "plain" else 0.6, len(times)), 0.0)
    return pd.DataFrame({"station": station, "temperature": temperature.round(2), "rain": rain.round(1)}, index=times)


frame = pd.concat([weather(station, seed) for seed, station in enumerate(STATIONS)])
client.drop_measurement("weather")
client.write(frame, "weather", tag_columns=["station"])
print(f"{len(frame)} points written")

# %% By day: the server aggregates 158 thousand points to one row per day and station
MONTHS = pd.date_range("2025-01-01", periods=12, freq="MS", tz="UTC")
YEAR = {"begin": "2025-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
daily = client.query_dataframe(
    "SELECT min(temperature), mean(temperature), max(temperature), sum(rain) AS rain FROM weather "
    "WHERE time >= $begin AND time < $end GROUP BY time(1d), station",
    params=YEAR,
)
print(daily.groupby("station", observed=True).describe()["mean"].round(1))

figure = Figure(figsize=(10, 8), layout="constrained")
panels = figure.subplots(len(STATIONS), sharex=True, sharey=True)
for axes, (station, days) in zip(panels, daily.groupby("station", observed=True), strict=True):
    axes.fill_between(days.index, days["min"], days["max"], color="C1", alpha=0.3, lw=0, label="lowest to highest")
    axes.plot(days.index, days["mean"], color="0.6", lw=0.6, label="mean of the day")
    axes.plot(days.index, days["mean"].rolling("30D", center=True).mean(), color="tab:red", label="of thirty days")
    axes.set_title(station, loc="left")
    axes.set_ylabel("temperature [°C]")
    axes.set_xticks(MONTHS, [f"{month:%b}" for month in MONTHS])
    axes.grid(alpha=0.3)
    axes.margins(x=0)
figure.axes[0].legend(ncols=3, loc="lower right", frameon=False)
figure.suptitle("Temperature by day")
figure.savefig(options.folder / "days.png", dpi=110)

# %% By month: resampled with pandas, one column per station, rain and temperature joined
rain = daily.pivot(columns="station", values="rain").resample("MS").sum()
temperature = daily.pivot(columns="station", values="mean").resample("MS").mean()
monthly = rain.add_prefix("rain ").join(temperature.add_prefix("temperature "))
print(monthly.round(1).to_string())

figure = Figure(figsize=(10, 6), layout="constrained")
warm, wet = figure.subplots(2, sharex=True)
for number, station in enumerate(STATIONS):
    warm.plot(range(12), monthly[f"temperature {station}"], marker="o", label=station)
    wet.bar(np.arange(12) + 0.27 * (number - 1), monthly[f"rain {station}"], width=0.25)
warm.set_ylabel("mean temperature [°C]")
wet.set_ylabel("rain [mm]")
wet.set_xticks(range(12), [f"{month:%b}" for month in MONTHS])
for axes in (warm, wet):
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
figure.legend(loc="outside upper right", ncols=len(STATIONS), frameon=False)
figure.suptitle("Temperature and rain by month")
figure.savefig(options.folder / "months.png", dpi=110)

# %% By hour and month: temperature at the station with the largest difference between day and night
hourly = client.query_dataframe(
    "SELECT mean(temperature) AS temperature FROM weather "
    "WHERE station = $station AND time >= $begin AND time < $end GROUP BY time(1h)",
    params={**YEAR, "station": "plain"},
)
at = pd.DatetimeIndex(hourly.index)
table = hourly.assign(month=at.month, hour=at.hour).pivot_table(
    index="hour", columns="month", values="temperature", aggfunc="mean"
)

figure = Figure(figsize=(7, 6), layout="constrained")
axes = figure.subplots()
image = axes.imshow(table, origin="lower", aspect="auto", cmap="RdYlBu_r")
axes.set_xticks(range(12), [f"{month:%b}" for month in MONTHS])
axes.set_yticks(range(0, 24, 3), [f"{hour:02}:00" for hour in range(0, 24, 3)])
axes.set_ylabel("hour [UTC]")
axes.set_title("Temperature on the plain by hour and month")
figure.colorbar(image, label="temperature [°C]")
figure.savefig(options.folder / "hours.png", dpi=110)

# %% The end
client.close()
print(f"The plots are in {options.folder.resolve()}: days.png, months.png, hours.png")
