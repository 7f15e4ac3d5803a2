"""Newer servers than Debian's: InfluxDB 1.13 and 2.7 and a current VictoriaMetrics, built from their Go modules.

    python -m tests.servers.builds [NAME...]  # builds what is missing; `make servers`

The programs are stored outside the repository, in `$XDG_CACHE_HOME/influx-python-servers` (or `~/.cache`). Each is
optional: one that cannot be built is skipped, and the reason is printed. The first build takes some minutes for each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "influx-python-servers"

#: Compiles the Rust library of Flux when cgo asks for its flags.
PKG_CONFIG = "github.com/influxdata/pkg-config@v0.2.7"

#: Flux declares warnings as errors, and newer releases of Rust have more warnings.
RUSTC_WRAPPER = """\
#!/bin/sh
case " $* " in
*" --cap-lints "*) exec "$@" ;;
*) exec "$@" --cap-lints warn ;;
esac
"""


class BuildError(RuntimeError):
    """A server was not built; the message says why."""


@dataclass(frozen=True)
class Build:
    """A server of a released Go module: `package` is compiled to `program`, which prints its version at `--version`."""

    title: str
    module: str
    version: str
    package: str
    program: str
    version_variable: str
    tags: str = ""
    #: The library of Flux needs Rust and cgo.
    has_flux: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return CACHE / f"{self.program}-{self.version}"

    @property
    def path(self) -> Path:
        return self.folder / self.program

    @property
    def tools(self) -> tuple[str, ...]:
        return ("go", "cargo", "cc", "pkg-config") if self.has_flux else ("go",)


BUILDS = {
    "1.13": Build(
        "InfluxDB 1.13",
        "github.com/influxdata/influxdb",
        "v1.13.2",
        "./cmd/influxd",
        "influxd",
        "main.version",
        has_flux=True,
    ),
    "2.7": Build(
        "InfluxDB 2.7",
        "github.com/influxdata/influxdb/v2",
        "v2.7.12",
        "./cmd/influxd",
        "influxd",
        "main.version",
        tags="sqlite_foreign_keys,sqlite_json",  # without `assets`, which has the web pages
        has_flux=True,
    ),
    "victoriametrics": Build(
        "VictoriaMetrics",
        "github.com/VictoriaMetrics/VictoriaMetrics",
        "v1.150.0",
        "./app/victoria-metrics",
        "victoria-metrics",
        "github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version",
        environment={"CGO_ENABLED": "0"},
    ),
}


def find_build(name: str) -> Path:
    """Return the program of a server that was built; raise `BuildError` if it was not."""
    build = BUILDS[name]
    if not build.path.exists():
        raise BuildError(f"{build.title} {build.version} is not built; run `make servers`.")
    return build.path


def make(name: str) -> Path:
    """Return the program of a server; build it if necessary."""
    build = BUILDS[name]
    if build.path.exists():
        return build.path
    if missing := [tool for tool in build.tools if not shutil.which(tool)]:
        raise BuildError(f"the build needs {' and '.join(missing)}, missing on PATH")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f"{build.folder.name}-") as folder:
        source = _copy_source(build, Path(folder))
        built = Path(folder, "built")
        built.mkdir()
        _run(
            *("go", "build", "-mod=mod", "-buildvcs=false", f"-tags={build.tags}"),
            f"-ldflags=-X {build.version_variable}={build.version}",
            *("-o", str(built / build.program), build.package),
            cwd=source,
            environment=build.environment | (_flux_environment(Path(folder)) if build.has_flux else {}),
        )
        _publish(built, build.folder)
    return build.path


def _copy_source(build: Build, folder: Path) -> Path:
    """Return a writable copy of the module. Go refuses to install a module with replacements, but builds it."""
    described = _run("go", "mod", "download", "-json", f"{build.module}@{build.version}", cwd=folder)
    source = folder / "source"
    shutil.copytree(json.loads(described)["Dir"], source, copy_function=shutil.copyfile)
    for parent, _, _ in os.walk(source):
        Path(parent).chmod(0o755)  # in Go's cache, files and folders are read-only
    return source


def _flux_environment(folder: Path) -> dict[str, str]:
    _run("go", "install", PKG_CONFIG, cwd=folder, environment={"GOBIN": str(folder)})
    wrapper = folder / "rustc-wrapper"
    wrapper.write_text(RUSTC_WRAPPER)
    wrapper.chmod(0o755)
    environment = {"CGO_ENABLED": "1", "PKG_CONFIG": str(folder / "pkg-config"), "RUSTC_WRAPPER": str(wrapper)}
    if shutil.which("rustup") and "RUSTUP_TOOLCHAIN" not in os.environ:
        # Flux names an older release of Rust with targets for other systems, which rustup would download.
        environment["RUSTUP_TOOLCHAIN"] = _run("rustup", "show", "active-toolchain", cwd=folder).split()[0]
    return environment


def _publish(built: Path, target: Path) -> None:
    # The rename is atomic, and fails for the second of two concurrent processes.
    try:
        built.rename(target)
    except OSError:
        if not target.exists():
            raise


def _run(*command: str, cwd: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise BuildError(f"`{' '.join(command)}` failed:\n{tail}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.builds", description="Build newer servers.")
    parser.add_argument("names", nargs="*", choices=[[], *BUILDS], metavar="NAME", help=", ".join(BUILDS))
    for name in parser.parse_args().names or BUILDS:
        try:
            outcome = str(make(name))
        except BuildError as error:
            outcome = f"skipped, {error}"
        print(f"{BUILDS[name].title} {BUILDS[name].version}: {outcome}", flush=True)  # noqa: T201 - a program, here


if __name__ == "__main__":
    main()
