"""All benchmarks on this machine, with a real InfluxDB: `make bench`.

    python -m benchmarks [--rounds N] [--only TEXT] [--results FOLDER]

Writes RESULTS.md and its charts into the folder (default: benchmarks). The variants of a benchmark are interleaved; a
ratio is the median of the ratios in each round. Peak memory is measured in a separate process, minus the memory
before the run.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from influx_requests import InfluxDBClient

from benchmarks import memory, scaling
from benchmarks.suite import BENCHMARKS, Benchmark, prepare
from benchmarks.timing import Times, describe_machine, describe_versions, measure_interleaved, ratio
from tests.servers.influxd import Influxd

mpl.use("agg")
import matplotlib.pyplot as plt

PACKAGES = (
    "influx-proto", "msgspec", "numpy", "pandas", "pyarrow", "orjson", "aiohttp", "trio", "h11", "requests", "urllib3",
    "questdb", "aioinflux", "influxdb", "influxdb-client", "influxdb3-python",
)  # fmt: skip


def print_peak(number: int, name: str, url: str) -> None:
    """Run one variant of a benchmark and print its peak memory."""
    variant = BENCHMARKS[number].variants(url)[name]
    gc.collect()
    before = memory.reset_peak()
    result = variant()
    print(memory.peak() - before)
    del result


def measure_peak(number: int, name: str, url: str) -> float:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks", "--peak", str(number), name, "--url", url]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def measure(number: int, benchmark: Benchmark, url: str, rounds: int | None) -> tuple[dict[str, Times], list[str]]:
    """Measure a benchmark; return the times of its variants and its section of the report."""
    variants = benchmark.variants(url)
    if benchmark.check is not None:
        benchmark.check(variants)
    units = {name: benchmark.fewer.get(name, benchmark.rows) for name in variants}
    times = measure_interleaved(variants, units, rounds or benchmark.rounds)
    del variants
    first = next(iter(times))
    text = [
        f"## {benchmark.title}",
        "",
        f"| variant | us per {benchmark.unit} | spread | time, {first} = 1 | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    for name, taken in times.items():
        text.append(
            f"| {name} | {taken.median * 1e6:.3g} | {taken.spread:.0%} | {ratio(taken, times[first]):.2f} "
            f"| {measure_peak(number, name, url):.0f} |"
        )
    checked = "The results of all variants are equal." if benchmark.check else ""
    return times, [*text, "", *([checked, ""] if checked else [])]


def goal_rows(benchmark: Benchmark, times: Mapping[str, Times]) -> list[str]:
    """Return the rows of the table of goals."""
    found = []
    for goal in benchmark.goals:
        measured = ratio(times[goal.variant], times[goal.other])
        reached = "yes" if measured <= goal.at_most else "**no**"
        found.append(
            f"| {benchmark.title} | {goal.variant} | {goal.other} | {goal.at_most:.3g} | {measured:.3g} | {reached} |"
        )
    return found


def chart(results: Mapping[str, Mapping[str, Times]], path: Path) -> None:
    """Plot the variants of each benchmark as bars, whose lengths are proportional to the times."""
    figure, axes = plt.subplots(len(results), 1, figsize=(9, 1.1 + sum(0.28 * len(w) + 0.75 for w in results.values())),
                                height_ratios=[len(variants) + 1 for variants in results.values()], squeeze=False,
                                layout="constrained")  # fmt: skip
    for axis, (title, times) in zip(axes[:, 0], results.items(), strict=True):
        names = list(times)
        first = times[names[0]]
        values = [ratio(times[name], first) for name in names]
        ours = ("influx", "serialize", "10 %", "no missing cells")
        colors = [
            "tab:blue" if (name.startswith(ours) and name not in OTHERS) or "ours" in name else "0.7" for name in names
        ]
        axis.barh(names, values, color=colors)
        for place, value in enumerate(values):
            axis.text(value, place, f" {value:.2f}", va="center", fontsize=8)
        axis.invert_yaxis()
        axis.set_xlim(0, max(values) * 1.1)
        axis.set_title(f"{title}: time, {names[0]} = 1", fontsize=9, loc="left")
        axis.tick_params(labelsize=8)
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


OTHERS = {"influxdb", "influxdb-client", "influxdb3-python", "influxdb-client Point", "influxdb make_lines"}


def streaming(count: int) -> list[str]:
    """Measure the peak memory of streams, each in a separate process."""
    text = [
        f"## Streams of {count:,} points with influx-requests",
        "",
        "| variant | points per second | peak memory, MB |",
        "|---|---|---|",
    ]
    for variant, rate, most in memory.measure_all(count):
        text.append(f"| {variant} | {rate:,.0f} | {most:.0f} |")
    return [*text, ""]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", default="", help="only benchmarks whose title contains this text")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peak:
        print_peak(int(options.peak[0]), options.peak[1], options.url)
        return
    began = time.monotonic()
    head = [
        "# Benchmarks",
        "",
        f"`make bench`, {time.strftime('%Y-%m-%d')}; {describe_machine()}; InfluxDB {{version}}.",
        "",
        describe_versions(PACKAGES) + ".",
        "",
    ]
    goals = [
        "## Goals",
        "",
        "Ratios of times; less is better.",
        "",
        "| benchmark | variant | compared with | at most | measured | reached |",
        "|---|---|---|---|---|---|",
    ]
    parts: list[str] = []
    results: dict[str, dict[str, Times]] = {}
    with Influxd() as server:
        prepare(server.url)
        with InfluxDBClient.from_url(server.url) as client:
            version = client.ping().version or ""
        for number, benchmark in enumerate(BENCHMARKS):
            if options.only not in benchmark.title:
                continue
            print(f"{time.monotonic() - began:5.0f} s  {benchmark.title}", flush=True)
            times, text = measure(number, benchmark, server.url, options.rounds)
            results[benchmark.title] = times
            goals += goal_rows(benchmark, times)
            parts += text
            print("\n".join(text), flush=True)
    if not options.only:
        parts += streaming(5_000_000)
        parts += scaling.results(options.results / "scaling.png")
    chart(results, options.results / "results.png")
    picture = ["![Time of each variant](results.png)", ""]
    text = "\n".join([*head, *goals, "", *picture, *parts]).replace("{version}", version)
    (options.results / "RESULTS.md").write_text(text)
    print("\n".join(goals))
    print(f"{time.monotonic() - began:.0f} s; see {options.results / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
