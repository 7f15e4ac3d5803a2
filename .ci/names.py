#!/usr/bin/env python3
"""Check that the names of the distributions in a folder are ours on PyPI, before the release job uploads them.

Usage: .ci/names.py FOLDER --owner OWNER [--new NAME ...]

OWNER is the PyPI user or organization that must own every name. A name that PyPI does not know passes only with --new,
for the first release through a pending trusted publisher. Every other outcome exits with 1, a failed request included.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(files: list[str]) -> set[str]:
    """Return the normalized names of wheels and sdists. Raises ValueError for any other file."""
    names = set()
    for file in files:
        found = re.fullmatch(r"([\w.]+?)-\d[\w.+!]*(?:\.tar\.gz|(?:-\d\w*)?-[\w.]+-[\w.]+-[\w.]+\.whl)", file)
        if not found:
            msg = f"{file} is neither a wheel nor an sdist; remove it"
            raise ValueError(msg)
        names.add(normalized(found[1]))
    return names


def problem(name: str, project: Any, *, owner: str, new: set[str]) -> str | None:
    """Return why a name must not be published, or None if it is ours.

    Args:
        name: the normalized name.
        project: PyPI's JSON for the project, or None for status 404.
        owner: the user or organization that must own it.
        new: the names that may be unregistered.
    """
    if project is None:
        return (
            None if name in new else f"{name} is not registered; pass --new {name} if a pending publisher exists for it"
        )
    try:
        if normalized(project["info"]["name"]) != name:
            return f"{name}: PyPI returned {project['info']['name']}"
        ownership = project["ownership"]
        owners = {role["user"] for role in ownership["roles"] if role["role"] == "Owner"}
        if ownership["organization"]:
            owners.add(ownership["organization"])
    except (KeyError, TypeError, AttributeError):
        return f"{name}: PyPI's response does not contain the owners"
    if owner not in owners:
        return f"{name} belongs to {', '.join(sorted(owners)) or 'an unknown user'}, not to {owner}; see RELEASING.md"
    return None


def fetch(name: str) -> Any:
    """Return PyPI's JSON for a project, or None for status 404. Raises OSError or ValueError for other failures."""
    try:
        with urllib.request.urlopen(f"https://pypi.org/pypi/{name}/json", timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that the names of distributions are ours on PyPI.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--owner", required=True)
    parser.add_argument("--new", nargs="*", default=[])
    arguments = parser.parse_args()
    new = {normalized(name) for name in arguments.new}
    if not arguments.owner:
        parser.error("--owner must not be empty; set the variable PYPI_OWNER of the repository")
    problems = []
    try:
        names = distributions([path.name for path in sorted(arguments.folder.iterdir())])
        if not names:
            problems.append(f"{arguments.folder} contains no distributions")
        problems += [
            found for name in sorted(names) if (found := problem(name, fetch(name), owner=arguments.owner, new=new))
        ]
    except (OSError, ValueError) as error:
        problems.append(str(error))
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
