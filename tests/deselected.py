"""Counts of the tests that were deselected, for each reason, also over the processes of pytest-xdist."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

_counts = pytest.StashKey[Counter[str]]()


def counts(config: pytest.Config) -> Counter[str]:
    """Return the counts, to which a hook that deselects tests adds its own."""
    return config.stash.setdefault(_counts, Counter())


def send_to_controller(config: pytest.Config) -> None:
    """Send the counts of a worker to the process that reports them."""
    if (output := getattr(config, "workeroutput", None)) is not None:
        output["deselected"] = dict(counts(config))


def receive_from_worker(node: Any) -> None:
    """Store the counts of a worker. All workers collect the same tests."""
    config: pytest.Config = node.config
    config.stash[_counts] = Counter(node.workeroutput.get("deselected", {}))


def report(terminal: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print a line for each reason."""
    if reasons := counts(config):
        terminal.section("deselected")
        for reason, count in reasons.most_common():
            terminal.line(f"{count:5} {reason}")
