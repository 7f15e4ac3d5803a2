"""Programs for the tests from Debian packages, unpacked into `.cache` without root or running services."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"


class ProgramUnavailableError(RuntimeError):
    """A program is neither installed nor available from Debian; the message says what was tried."""


def unpack_program(package: str, program: str) -> Path:
    """Return the path of a package's program in `.cache`; unpack the package there first if necessary."""
    target = CACHE / package
    found = target / program
    if not found.exists():
        _fetch(package, target)
    return found


def _fetch(package: str, target: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise ProgramUnavailableError(
            f"{package} is not installed, and without apt-get and dpkg-deb it cannot be fetched."
        )
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{package}-") as folder:
        try:
            _download(package, Path(folder))
            (archive,) = Path(folder).glob(f"{package}_*.deb")
            _run("dpkg-deb", "-x", str(archive), f"{folder}/{package}")
        except subprocess.CalledProcessError as error:
            raise ProgramUnavailableError(
                f"{package} is not installed, and `{' '.join(error.cmd)}` failed:\n{error.output}"
            ) from None
        # The rename is atomic, and fails for the second of two concurrent processes.
        try:
            Path(folder, package).rename(target)
        except OSError:
            if not target.exists():
                raise


def _download(package: str, folder: Path) -> None:
    download = ("apt-get", "-q", "-o", "Acquire::Retries=2", "download", package)
    try:
        _run(*download, cwd=folder)
    except subprocess.CalledProcessError:
        # The package lists are missing or outdated. Updating them is the only step that needs root.
        update = _as_root("apt-get", "-q", "update")
        if update is None:
            raise
        _run(*update)
        _run(*download, cwd=folder)


def _as_root(*command: str) -> tuple[str, ...] | None:
    """Return the command with a root prefix, or None if root is not available without a password."""
    if os.geteuid() == 0:
        return command
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return (sudo, "-n", *command)
    return None


def _run(*command: str, cwd: Path | None = None) -> None:
    subprocess.run(
        command,
        cwd=cwd,
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
