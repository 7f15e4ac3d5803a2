"""The overview names every example, and every example says how it is run."""

from __future__ import annotations

import pytest

from tests.examples.programs import ROOT, shown_arguments

PROGRAMS = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


def test_the_overview_is_complete() -> None:
    overview = (ROOT / "examples/README.md").read_text()
    assert [name for name in PROGRAMS if f"| [`{name}.py`]({name}.py) |" not in overview] == []


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in {"quickstart", "bring_your_own_http"}])
def test_how_it_is_run_is_shown(name: str) -> None:
    shown_arguments(name)
