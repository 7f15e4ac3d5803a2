#!/usr/bin/env python3
"""Print the oldest releases that our packages say they run with, as constraints for pip."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    floors = {}
    for path in sorted((ROOT / "packages").glob("*/pyproject.toml")):
        project = tomllib.loads(path.read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        for requirement in [*project["dependencies"], *(each for extra in extras for each in extra)]:
            if (found := re.match(r"([\w.-]+)>=([\w.]+)$", requirement)) and not found[1].startswith("influx-"):
                name, version = found.groups()
                if floors.setdefault(name, version) != version:
                    raise SystemExit(f"{path}: {requirement}, and elsewhere {name}>={floors[name]}")
    print(*(f"{name}=={version}" for name, version in sorted(floors.items())), sep="\n")


if __name__ == "__main__":
    main()
