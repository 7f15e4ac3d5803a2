"""The wheels, as users get them: installed without the sources beside them."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ["influx-proto", "influx-aiohttp", "influx-trio", "influx-requests"]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for package in PACKAGES:
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT / "packages" / package)
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheels installed; the libraries they need are those of this environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", *wheels)
    [site] = folder.glob("lib/python*/site-packages")
    # Only the folder: editable installs in it are not looked at from here.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_is_typed_and_licensed(wheels: list[Path], package: str) -> None:
    module = package.replace("-", "_")
    [wheel] = [path for path in wheels if path.name.startswith(module + "-")]
    names = zipfile.ZipFile(wheel).namelist()
    assert f"{module}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert all(name.startswith(module) for name in names)


@pytest.mark.parametrize("module", [package.replace("-", "_") for package in PACKAGES])
def test_an_installed_wheel_is_what_is_imported(python: Path, module: str, tmp_path: Path) -> None:
    found = run(python, "-c", f"import {module}; print({module}.__file__, {module}.__version__)", cwd=tmp_path)
    assert "site-packages" in found
    assert str(ROOT) not in found.replace(str(python.parents[1]), "")


def test_the_command_line_is_installed(python: Path, tmp_path: Path) -> None:
    version = run(python, "-c", "import influx_requests; print(influx_requests.__version__)", cwd=tmp_path)
    for command in ([python.parent / "influx-requests"], [python, "-m", "influx_requests"]):
        assert run(*command, "--version", cwd=tmp_path) == f"influx-requests {version}"
    (tmp_path / "a.lp").write_text("m v=1 1\n")
    assert run(python.parent / "influx-requests", "lint", "a.lp", cwd=tmp_path) == ""


def test_mypy_reads_the_wheels(python: Path, tmp_path: Path) -> None:
    api = ROOT / "tests" / "typing" / "api.py"
    (tmp_path / "api.py").write_text(api.read_text())
    run(sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "api.py", cwd=tmp_path)


def test_pyright_reads_the_wheels(python: Path, tmp_path: Path) -> None:
    api = ROOT / "tests" / "typing" / "api.py"
    (tmp_path / "api.py").write_text("# pyright: strict\n" + api.read_text())
    run(sys.executable, "-m", "pyright", "--pythonpath", python, "api.py", cwd=tmp_path)
