"""Programs that tests need, out of Debian's packages: unpacked into `.cache`, without root, and without any service."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"


class NotToBeHadError(RuntimeError):
    """A program is neither installed nor to be fetched; says what was tried."""


def unpacked(package: str, program: str) -> Path:
    """The path of a package's program in `.cache`, where the package is unpacked if need be."""
    target = CACHE / package
    found = target / program
    if not found.exists():
        _fetch(package, target)
    return found


def _fetch(package: str, target: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NotToBeHadError(f"There is no {package}, and this is not Debian to fetch one from.")
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{package}-") as folder:
        try:
            _download(package, Path(folder))
            (archive,) = Path(folder).glob(f"{package}_*.deb")
            _run("dpkg-deb", "-x", str(archive), f"{folder}/{package}")
        except subprocess.CalledProcessError as error:
            raise NotToBeHadError(
                f"There is no {package}, and `{' '.join(error.cmd)}` failed:\n{error.output}"
            ) from None
        # Whole or not at all, also when two do this at once: the rename fails for whoever comes second.
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
        # No lists of packages yet, or old ones: fetching them is the one thing here that needs root.
        update = _as_root("apt-get", "-q", "update")
        if update is None:
            raise
        _run(*update)
        _run(*download, cwd=folder)


def _as_root(*command: str) -> tuple[str, ...] | None:
    """The command as root runs it, if we can become root without asking anybody."""
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
