"""Timing of the variants of a benchmark, interleaved so that other load affects all of them equally."""

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

#: Runs the benchmark once and returns its result, which is compared with that of other variants.
Variant: TypeAlias = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Times of one variant, in seconds per unit of the benchmark (a row, a point, a write)."""

    rounds: Sequence[float]

    @property
    def median(self) -> float:
        """Median of all rounds."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """Median absolute deviation, relative to the median."""
        if len(self.rounds) < 2:
            return 0.0
        return statistics.median(abs(each - self.median) for each in self.rounds) / self.median


def measure_interleaved(variants: Mapping[str, Variant], units: Mapping[str, int], rounds: int) -> dict[str, Times]:
    """Run all variants in each round, in alternating order, after a warm-up.

    Args:
        variants: the variants by name.
        units: the number of units of each variant.
        rounds: the number of rounds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for variant in variants.values():
        variant()
    for number in range(rounds):
        for name, variant in variants.items() if number % 2 else reversed(variants.items()):
            begin = time.perf_counter()
            variant()
            seconds[name].append((time.perf_counter() - begin) / units[name])
    return {name: Times(taken) for name, taken in seconds.items()}


def ratio(one: Times, other: Times) -> float:
    """Return the median of the ratios in each round: 2 if `one` takes twice the time of `other`."""
    return statistics.median(first / second for first, second in zip(one.rounds, other.rounds, strict=True))


def describe_machine() -> str:
    """Return the CPU, the system and the load."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {model}, {platform.system()}, load {os.getloadavg()[0]:.1f}"


def describe_versions(packages: Sequence[str]) -> str:
    """Return the versions of Python and the packages."""
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} is not installed")
    return ", ".join(found)
