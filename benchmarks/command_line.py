"""`influxq` compared with `influx`, the client of InfluxDB 1.x: importing line protocol, and exporting CSV.

    python -m benchmarks.command_line [--rows 500000] [--rounds 5]

Twice as many lines are imported as rows are exported. The programs run alternately, so that other load affects both
equally. The elapsed time includes that of the server, which executes the same requests for both. The processor time is
that of the program alone, user and system; `influx -import` copies lines without reading them.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import urlsplit

from benchmarks.queries import ONE, lines
from benchmarks.timing import Times, describe_machine, describe_versions, ratio
from tests.servers.debian import ProgramUnavailableError, unpack_program
from tests.servers.influxd import execute
from tests.servers.running import running_server

DATABASE = "benchmark"
AT_MOST = 1.0
INSTALL_HINT = (
    "Install the `influx` client of InfluxDB 1.x so that it is on PATH (Debian: apt-get install influxdb-client)."
)
PREAMBLE = f"# DDL\nCREATE DATABASE {DATABASE}\n# DML\n# CONTEXT-DATABASE: {DATABASE}\n"


class Usage(NamedTuple):
    """Seconds that a process took."""

    processor: float
    elapsed: float


def find_influx() -> str:
    """Return the `influx` client 1.x from PATH, or from Debian's package in `.cache`."""
    if (installed := shutil.which("influx")) and " 1." in version_of(installed):
        return installed
    try:
        return str(unpack_program("influxdb-client", "usr/bin/influx"))
    except ProgramUnavailableError as error:
        sys.exit(f"influx is not on PATH. {error}\n{INSTALL_HINT}")


def version_of(influx: str) -> str:
    """Return what the client says of its version, such as `InfluxDB shell version: 1.6.7`."""
    return subprocess.run([influx, "-version"], capture_output=True, text=True, check=False).stdout.strip()


def run(command: Sequence[str], env: Mapping[str, str], output: Path) -> Usage:
    """Run a program with its output in a file, and return its times."""
    with output.open("wb") as file, tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{errors.read().decode(errors='replace')}")
    return Usage(usage.ru_utime + usage.ru_stime, elapsed)


def rows_of(file: IO[str]) -> Iterator[list[str]]:
    """Yield the rows of an export; numbers are formatted alike."""
    for row in islice(csv.reader(file), 1, None):  # the names of the first column differ
        yield [repr(float(cell)) if cell[:1] in set("-0123456789") else cell for cell in row]


def compare(
    title: str, commands: Mapping[str, Sequence[str]], env: Mapping[str, str], folder: Path, rounds: int, units: int
) -> None:
    """Run both programs in each round, and print their times and the ratios of the first to the second."""
    processor: dict[str, list[float]] = {name: [] for name in commands}
    elapsed: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items() if number % 2 else reversed(commands.items()):
            if title.startswith("Import"):
                execute(env["INFLUXDB_URL"], f"DROP DATABASE {DATABASE}")
            usage = run(command, env, folder / name)
            processor[name].append(usage.processor / units)
            elapsed[name].append(usage.elapsed / units)
    print(f"\n{title}\n{'':24}{'processor':>14}{'elapsed':>14}   (us each)")
    for name in commands:
        times = Times(processor[name]), Times(elapsed[name])
        print(f"{name:24}" + "".join(f"{taken.median * 1e6:8.2f} +-{taken.spread:4.0%}" for taken in times))
    found = [ratio(Times(some["influxq"]), Times(some["influx"])) for some in (processor, elapsed)]
    print(f"{'ratio':24}" + "".join(f"{value:14.2f}" for value in found), end="   ")
    print(f"(elapsed at most {AT_MOST:g}: {'yes' if found[1] <= AT_MOST else 'NO'})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    influx, influxq = find_influx(), str(Path(sys.executable).parent / "influxq")
    print(describe_machine())
    print(f"{describe_versions(['influx-requests', 'requests', 'msgspec'])}, {version_of(influx)}")
    with running_server() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "import.lp"
        with file.open("w") as written:
            written.write(PREAMBLE)
            written.writelines(f"{line}\n" for line in lines(options.rows))
        address = urlsplit(server.url)
        theirs = [influx, "-host", str(address.hostname), "-port", str(address.port), "-precision", "ns"]
        env = {**os.environ, "INFLUXDB_URL": server.url}
        compare(f"Import of {2 * options.rows:,} lines", {
            "influxq": [influxq, "write", str(file)],
            "influx": [*theirs, "-import", "-path", str(file)],
        }, env, folder, options.rounds, 2 * options.rows)  # fmt: skip
        compare(f"Export of {options.rows:,} rows as CSV, integer timestamps", {
            "influxq": [influxq, "query", "-d", DATABASE, ONE, "--format", "csv", "--epoch", "ns"],
            "influx": [*theirs, "-database", DATABASE, "-format", "csv", "-execute", ONE],
        }, env, folder, options.rounds, options.rows)  # fmt: skip
        with (folder / "influxq").open() as ours, (folder / "influx").open() as other:
            count = 0
            for row, same in zip(rows_of(ours), rows_of(other), strict=True):
                assert row == same, f"influxq writes {row}, and influx {same}"
                count += 1
        assert count == options.rows, f"{count} rows were exported"
        print("The rows of both programs are equal.")
        theirs[-1] = "rfc3339"
        compare(f"Export of {options.rows:,} rows as CSV, RFC 3339", {
            "influxq": [influxq, "query", "-d", DATABASE, ONE, "--format", "csv"],
            "influx": [*theirs, "-database", DATABASE, "-format", "csv", "-execute", ONE],
        }, env, folder, options.rounds, options.rows)  # fmt: skip
        execute(server.url, f"DROP DATABASE {DATABASE}")


if __name__ == "__main__":
    main()
