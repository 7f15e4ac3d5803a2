"""Ways to do one work, measured side by side: in turns, so that whatever else the machine does hits them all."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

#: Does the work once. What it returns is what it has made, which is compared with what others make.
Way: TypeAlias = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """How long one way took, in seconds for one unit of the work (a row, a point, a write)."""

    rounds: Sequence[float]

    @property
    def median(self) -> float:
        """Of all rounds."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """Half of the rounds are this near to the median, as a share of it."""
        if len(self.rounds) < 2:
            return 0.0
        return statistics.median(abs(each - self.median) for each in self.rounds) / self.median


def take_turns(ways: Mapping[str, Way], units: Mapping[str, int], rounds: int) -> dict[str, Times]:
    """Let the ways take turns, each first once to warm up, in an order that is turned around every other time.

    Args:
        ways: by name.
        units: how many units each way does at a time.
        rounds: how often.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for number in range(rounds):
        for name, way in ways.items() if number % 2 else reversed(ways.items()):
            begin = time.perf_counter()
            way()
            seconds[name].append((time.perf_counter() - begin) / units[name])
    return {name: Times(taken) for name, taken in seconds.items()}


def ratio(one: Times, other: Times) -> float:
    """Give the median of how one compares with the other, round by round: 2 where it takes twice the time."""
    return statistics.median(mine / theirs for mine, theirs in zip(one.rounds, other.rounds, strict=True))


def machine() -> str:
    """Say where this runs, and how busy that is."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {model}, {platform.system()}, load {os.getloadavg()[0]:.1f}"


def versions(packages: Sequence[str]) -> str:
    """Give the versions of what is compared."""
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} is not installed")
    return ", ".join(found)
