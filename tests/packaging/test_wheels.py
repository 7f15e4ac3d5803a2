"""The built packages: installed without the sources and used as users do."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Callable
from email.parser import Parser
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from influx_proto import __version__
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.servers.influxd import Server

ROOT = Path(__file__).parents[2]
ADAPTERS = ["influx-aiohttp", "influx-trio", "influx-requests"]
PACKAGES = ["influx-proto", *ADAPTERS]
EXTRAS = {"arrow", "pandas", "polars"}
#: For its command line.
EXTRAS_OF_ONE = {"influx-requests": {"cli", "parquet", "plot", "shell", "zstd"}}
#: Dependencies of each package. These may bring in more, but never those of another package.
OWN = {
    "influx-proto": {"msgspec", "wcwidth"},
    "influx-aiohttp": {"influx-proto", "aiohttp"},
    "influx-trio": {"influx-proto", "trio", "h11"},
    "influx-requests": {"influx-proto", "requests", "urllib3", "wcwidth"},
}
HEAVY = {"numpy", "pandas", "polars", "pyarrow", "orjson", "matplotlib", "tqdm"}

UV = (sys.executable, "-m", "uv", "--quiet", "pip")
PANDAS_EXTRA = {"numpy", "pandas", "pyarrow", "orjson"}


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def module_of(package: str) -> str:
    return package.replace("-", "_")


def readme_of(package: str) -> str:
    return (ROOT / "packages" / package / "README.md").read_text()


def project_of(package: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
    return project


def own_requirements(built: Path, package: str, extra: str = "") -> list[str]:
    """Return requirements for a package and the core that name our wheels by path, so no index can supply them."""
    extras = {"influx-proto": "", package: f"[{extra}]" if extra else ""}
    return [f"{name}{extras[name]} @ {only(built, f'{module_of(name)}-*.whl').as_uri()}" for name in extras]


@pytest.fixture(scope="module")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that holds the dependencies at their releases in this environment."""
    releases = {each.metadata["Name"]: each.version for each in distributions()}
    path = tmp_path_factory.mktemp("constraints") / "constraints.txt"
    path.write_text("".join(f"{name}=={version}\n" for name, version in releases.items() if name not in PACKAGES))
    return path


@pytest.fixture(scope="module")
def install(built: Path, constraints: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`install(package)` returns the Python of a new environment that contains that package and its dependencies."""
    installed: dict[str, Path] = {}

    def install(package: str) -> Path:
        if package not in installed:
            folder = tmp_path_factory.mktemp(package)
            venv.create(folder, with_pip=False)
            installed[package] = folder / "bin" / "python"
            run(
                *UV,
                "install",
                "--python",
                installed[package],
                "--constraint",
                constraints,
                *own_requirements(built, package),
                cwd=folder,
            )
        return installed[package]

    return install


def only(folder: Path, pattern: str) -> Path:
    [found] = folder.glob(pattern)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_is_typed_and_licensed(built: Path, package: str) -> None:
    module = module_of(package)
    names = zipfile.ZipFile(only(built, f"{module}-*.whl")).namelist()
    assert f"{module}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert all(name.startswith(module) for name in names)


@pytest.mark.parametrize("package", PACKAGES)
def test_sdist_and_wheel_contain_the_sources(built: Path, package: str) -> None:
    module = module_of(package)
    folder = ROOT / "packages" / package / "src"
    sources = {
        str(path.relative_to(folder))
        for path in (folder / module).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    in_wheel = zipfile.ZipFile(only(built, f"{module}-*.whl")).namelist()
    assert {name for name in in_wheel if ".dist-info/" not in name} == sources
    sdist = only(built, f"{module}-*.tar.gz")
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    others = {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
    assert in_sdist - others == {f"src/{name}" for name in sources}


def test_twine_check_passes(built: Path) -> None:
    """Its README checks also pass."""
    output = run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *sorted(built.iterdir()))
    assert output.count("PASSED") == 2 * len(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_readme_links_are_absolute(package: str) -> None:
    """PyPI shows the README without the repository's files, so links must be absolute."""
    assert all(re.match("https://|#", target) for target in re.findall(r"\]\(([^)]*)\)", readme_of(package)))


@pytest.mark.parametrize("package", PACKAGES)
def test_versions_are_equal(built: Path, package: str) -> None:
    module = importlib.import_module(module_of(package))
    assert module.__version__ == __version__
    only(built, f"{module.__name__}-{__version__}.tar.gz")
    only(built, f"{module.__name__}-{__version__}-py3-none-any.whl")
    for name in set(dir(module)) & {"AsyncInfluxDBClient", "InfluxDBClient"}:
        assert getattr(module, name).user_agent.startswith(f"{package}/{__version__} ")


def test_citation_and_the_changelog_have_the_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {__version__}\n" in citation
    [date] = re.findall(r'^date-released: "(\S+)"$', citation, re.MULTILINE)
    assert f"\n## {__version__} - {date}\n" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("package", PACKAGES)
def test_classifiers_match_the_workflows(package: str) -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    [pythons] = re.findall(r"python: \[(.*)\]", workflow)
    [systems] = re.findall(r"os: \[(.*)\]", workflow)
    classifiers = project_of(package)["classifiers"]
    prefix = "Programming Language :: Python :: 3."
    assert [f'"3.{each.removeprefix(prefix)}"' for each in classifiers if each.startswith(prefix)] == pythons.split(
        ", "
    )
    expected = {"windows": "Microsoft :: Windows", "macos": "MacOS"}
    tested = {expected[each.partition("-")[0]] for each in systems.split(", ")} | {"POSIX :: Linux"}
    prefix = "Operating System :: "
    assert {each.removeprefix(prefix) for each in classifiers if each.startswith(prefix)} == tested


@pytest.mark.parametrize("package", PACKAGES)
def test_all_packages_have_the_same_authors_and_urls(package: str) -> None:
    for key in ("authors", "urls", "requires-python"):
        assert project_of(package)[key] == project_of("influx-proto")[key]
    assert f"repository-code: {project_of(package)['urls']['Repository']}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize("package", ADAPTERS)
def test_adapter_requires_a_compatible_core(package: str) -> None:
    [core] = [each for each in map(Requirement, project_of(package)["dependencies"]) if each.name == "influx-proto"]
    version = Version(__version__)
    assert str(min(core.specifier, key=str)) == f"<{version.major}.{version.minor + 1}"
    assert str(max(core.specifier, key=str)) == f">={__version__}"


@pytest.mark.parametrize("package", PACKAGES)
def test_extras_are_equal_and_documented(package: str) -> None:
    assert project_of(package)["optional-dependencies"].keys() == EXTRAS | EXTRAS_OF_ONE.get(package, set())
    in_readme = re.findall(r"^\| `\[(\w+)\]` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(in_readme) == EXTRAS.union(*EXTRAS_OF_ONE.values())


@pytest.mark.parametrize("package", PACKAGES)
def test_only_required_dependencies_are_installed(install: Callable[[str], Path], package: str) -> None:
    program = "from importlib.metadata import distributions; print(*(each.name for each in distributions()))"
    names = {canonicalize_name(name) for name in run(install(package), "-c", program).split()}
    needed = {package} | OWN[package] | OWN["influx-proto"]
    assert names >= needed
    assert not names & (set.union(HEAVY, PACKAGES, *OWN.values()) - needed)
    if package == "influx-proto":
        assert names == needed


@pytest.mark.parametrize("package", PACKAGES)
def test_extras_install_what_the_core_uses(built: Path, constraints: Path, package: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("\n".join(own_requirements(built, package, "pandas")))
    resolve = (*UV, "compile", "--no-header", "--no-annotate", "--python", sys.executable, "--constraint", constraints)
    resolved = [*map(Requirement, run(*resolve, "requirements.in", cwd=tmp_path).splitlines())]
    assert {each.name for each in resolved} >= {package, "influx-proto", *PANDAS_EXTRA}
    assert {each.name for each in resolved if each.url} == {package, "influx-proto"}


@pytest.mark.parametrize("package", PACKAGES)
def test_extras_omit_orjson_on_platforms_without_wheels(built: Path, package: str) -> None:
    wheel = zipfile.ZipFile(only(built, f"{module_of(package)}-*.whl"))
    [metadata] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    requirements = map(Requirement, Parser().parsestr(wheel.read(metadata).decode()).get_all("Requires-Dist", []))
    for requirement in requirements:
        if requirement.name == "orjson":
            assert requirement.marker
            for version, wanted in (("3.11", True), ("3.14", True), ("3.15", False)):
                assert (
                    any(requirement.marker.evaluate({"python_version": version, "extra": extra}) for extra in EXTRAS)
                    == wanted
                )


@pytest.mark.parametrize("package", PACKAGES)
def test_installed_package_works(
    install: Callable[[str], Path], package: str, influxd: Server, database: str, tmp_path: Path
) -> None:
    """The README's program for a client; for the core, a client built on an existing HTTP library."""
    if package == "influx-proto":
        program = (ROOT / "examples" / "bring_your_own_http.py").read_text()
        expected = "databases"
    else:
        [program] = re.findall(r"```python\n(.*?)```", readme_of(package), re.DOTALL)
        assert 'Client(database="testdb")' in program
        program = program.replace('Client(database="testdb")', "Client.from_env()").replace("testdb", database)
        expected = "'load': 0.64"
    (tmp_path / "program.py").write_text(program)
    output = run(
        install(package), "-W", "error", "program.py", cwd=tmp_path, INFLUXDB_URL=f"{influxd.url}?database={database}"
    )
    assert expected in output


@pytest.mark.parametrize("package", PACKAGES)
def test_installed_package_is_imported(install: Callable[[str], Path], package: str, tmp_path: Path) -> None:
    module = module_of(package)
    found = run(install(package), "-c", f"import {module}; print({module}.__file__)", cwd=tmp_path)
    assert Path(found.strip()).is_relative_to(install(package).parents[1])


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with all the wheels; the libraries they need are those of this environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    run(*UV, "install", "--python", python, "--no-deps", *built.glob("*.whl"))
    site = only(folder, "lib/python*/site-packages")
    # add only the folder, so that its editable installs are not active
    (site / "libraries.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n")
    return python


def test_command_line_is_installed(python: Path, tmp_path: Path) -> None:
    version = run(python, "-c", "import influx_requests; print(influx_requests.__version__)", cwd=tmp_path)
    for command in ([python.parent / "influxq"], [python, "-m", "influx_requests"]):
        assert run(*command, "--version", cwd=tmp_path) == f"influxq {version}"
    (tmp_path / "a.lp").write_text("m v=1 1\n")
    assert run(python.parent / "influxq", "lint", "a.lp", cwd=tmp_path) == ""


def test_mypy_reads_the_wheels(python: Path, tmp_path: Path) -> None:
    api = ROOT / "tests" / "typing" / "api.py"
    (tmp_path / "api.py").write_text(api.read_text())
    if (known := ROOT / ".mypy_cache").exists():  # after `make types`; it has the libraries
        shutil.copytree(known, tmp_path / ".mypy_cache")
    options = ("--config-file", ROOT / "pyproject.toml", "--python-executable", python)  # strict, as the cache is
    run(sys.executable, "-m", "mypy", *options, "api.py", cwd=tmp_path)


def test_pyright_reads_the_wheels(python: Path, tmp_path: Path) -> None:
    api = ROOT / "tests" / "typing" / "api.py"
    (tmp_path / "api.py").write_text("# pyright: strict\n" + api.read_text())
    run(sys.executable, "-m", "pyright", "--pythonpath", python, "api.py", cwd=tmp_path)
