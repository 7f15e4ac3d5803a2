"""Wheels and sdists, built once per test session, also with several pytest-xdist workers."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with each package's sdist and the wheel built from it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # shared by the workers of one session
    folder = base / "built"
    complete = base / "built.complete"
    with (base / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            for package in sorted((ROOT / "packages").iterdir()):
                command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(package)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stdout + done.stderr
            complete.touch()
    return folder
