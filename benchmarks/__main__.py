"""All comparisons, side by side on this machine, with a real InfluxDB: `make bench`.

    python -m benchmarks [--rounds N] [--only TEXT] [--results FOLDER]

Writes RESULTS.md and its charts into the folder, which is that of the benchmarks unless another is named. Each way of
a work takes its turn, round after round; what is compared is the median of the ratios within the rounds. The most
memory is that of a process of its own, beyond what it had before.
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
from benchmarks.turns import Times, machine, ratio, take_turns, versions
from benchmarks.works import WORKS, Work, prepare
from tests.servers.influxd import Influxd

mpl.use("agg")
import matplotlib.pyplot as plt

PACKAGES = (
    "influx-proto", "msgspec", "numpy", "pandas", "pyarrow", "orjson", "aiohttp", "trio", "h11", "requests", "urllib3",
    "questdb", "influxdb", "influxdb-client", "influxdb3-python",
)  # fmt: skip


def tell_peak(number: int, name: str, url: str) -> None:
    """Do a work in one way, and say how much memory that takes."""
    way = WORKS[number].ways(url)[name]
    gc.collect()
    before = memory.forget_peak()
    made = way()
    print(memory.peak() - before)
    del made


def peak_of(number: int, name: str, url: str) -> float:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks", "--peak", str(number), name, "--url", url]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def measure(number: int, work: Work, url: str, rounds: int | None) -> tuple[dict[str, Times], list[str]]:
    """Measure a work; give the times of its ways, and its part of the results."""
    ways = work.ways(url)
    if work.check is not None:
        work.check(ways)
    units = {name: work.fewer.get(name, work.rows) for name in ways}
    times = take_turns(ways, units, rounds or work.rounds)
    del ways
    first = next(iter(times))
    text = [
        f"## {work.title}",
        "",
        f"| way | us a {work.unit} | spread | time, {first} = 1 | most memory, MB |",
        "|---|---|---|---|---|",
    ]
    for name, taken in times.items():
        text.append(
            f"| {name} | {taken.median * 1e6:.3g} | {taken.spread:.0%} | {ratio(taken, times[first]):.2f} "
            f"| {peak_of(number, name, url):.0f} |"
        )
    checked = "What the ways have made was compared and is the same." if work.check else ""
    return times, [*text, "", *([checked, ""] if checked else [])]


def aims_of(work: Work, times: Mapping[str, Times]) -> list[str]:
    """Give the lines of the table of aims."""
    found = []
    for aim in work.aims:
        took = ratio(times[aim.way], times[aim.other])
        reached = "yes" if took <= aim.at_most else "**no**"
        found.append(f"| {work.title} | {aim.way} | {aim.other} | {aim.at_most:.3g} | {took:.3g} | {reached} |")
    return found


def chart(results: Mapping[str, Mapping[str, Times]], path: Path) -> None:
    """Draw each work's ways as bars, on a scale on which twice the time is as far everywhere."""
    figure, axes = plt.subplots(len(results), 1, figsize=(9, 1.1 + sum(0.28 * len(w) + 0.75 for w in results.values())),
                                height_ratios=[len(ways) + 1 for ways in results.values()], squeeze=False,
                                layout="constrained")  # fmt: skip
    for axis, (title, times) in zip(axes[:, 0], results.items(), strict=True):
        names = list(times)
        first = times[names[0]]
        values = [ratio(times[name], first) for name in names]
        ours = ("influx", "serialize", "10 %", "all there")
        colors = [
            "tab:blue" if (name.startswith(ours) and name not in OTHERS) or "ours" in name else "0.7" for name in names
        ]
        axis.barh(names, values, color=colors)
        for place, value in enumerate(values):
            axis.text(value, place, f" {value:.2f}", va="center", fontsize=8)
        axis.invert_yaxis()
        axis.set_xscale("log")
        axis.set_xlim(min(values) / 1.5, max(values) * 1.6)
        axis.set_xticks([tick for tick in (0.5, 1, 2, 5, 10, 20, 50) if min(values) / 1.5 <= tick <= max(values) * 1.6])
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
        axis.set_title(f"{title}: time, {names[0]} = 1", fontsize=9, loc="left")
        axis.tick_params(labelsize=8)
        axis.grid(axis="x", alpha=0.3, which="both")
        axis.set_axisbelow(True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


OTHERS = {"influxdb", "influxdb-client", "influxdb3-python", "influxdb-client Point", "influxdb make_lines"}


def streaming(count: int) -> list[str]:
    """Measure how much memory streams take, each in a process of its own."""
    text = [
        f"## Streams of {count:,} points, over influx-requests",
        "",
        "| way | points a second | most memory, MB |",
        "|---|---|---|",
    ]
    for way, rate, most in memory.measured(count):
        text.append(f"| {way} | {rate:,.0f} | {most:.0f} |")
    return [*text, ""]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", default="", help="only works whose titles have this in them, and nothing else")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peak:
        tell_peak(int(options.peak[0]), options.peak[1], options.url)
        return
    began = time.monotonic()
    head = [
        "# Results",
        "",
        f"`make bench`, {time.strftime('%Y-%m-%d')}; {machine()}; InfluxDB {{version}}.",
        "",
        versions(PACKAGES) + ".",
        "",
    ]
    aims = [
        "## Aims",
        "",
        "Times; less is better.",
        "",
        "| work | way | compared with | at most | measured | reached |",
        "|---|---|---|---|---|---|",
    ]
    parts: list[str] = []
    results: dict[str, dict[str, Times]] = {}
    with Influxd() as server:
        prepare(server.url)
        with InfluxDBClient.from_url(server.url) as client:
            version = client.ping().version or ""
        for number, work in enumerate(WORKS):
            if options.only not in work.title:
                continue
            print(f"{time.monotonic() - began:5.0f} s  {work.title}", flush=True)
            times, text = measure(number, work, server.url, options.rounds)
            results[work.title] = times
            aims += aims_of(work, times)
            parts += text
            print("\n".join(text), flush=True)
    if not options.only:
        parts += streaming(5_000_000)
        parts += scaling.results(options.results / "scaling.png")
    chart(results, options.results / "results.png")
    picture = ["![Time of each way](results.png)", ""]
    text = "\n".join([*head, *aims, "", *picture, *parts]).replace("{version}", version)
    (options.results / "RESULTS.md").write_text(text)
    print("\n".join(aims))
    print(f"{time.monotonic() - began:.0f} s; see {options.results / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
