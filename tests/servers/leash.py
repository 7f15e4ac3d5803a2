"""Cleanup after servers whose parent process is killed."""

from __future__ import annotations

import subprocess
from pathlib import Path


def start_leash(server: subprocess.Popen[bytes], folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that kills `server` and removes `folder` when this process ends, however it ends.

    When this process ends, the kernel closes its end of the pipe, and the shell's `read` returns. Linux's
    PR_SET_PDEATHSIG would act too early: when the *thread* that started the server ends.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", 'read -r _; kill -9 "$0"; rm -rf "$1"', str(server.pid), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def release_leash(leash: subprocess.Popen[bytes]) -> None:
    """End the process of `start_leash` without killing the server."""
    with leash:
        leash.kill()
