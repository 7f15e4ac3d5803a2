"""What a query does: whether it only reads, and how many statements it has."""

from __future__ import annotations

import re

_QUOTED_OR_COMMENT = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'""",
    re.DOTALL | re.VERBOSE,
)
_READ = re.compile(r"[\s;]*(?:SELECT|SHOW|EXPLAIN)\b", re.IGNORECASE)
_ONLY_SHOW = re.compile(r"(?:[\s;]*+SHOW\b[^;]*+)*+[\s;]*+", re.IGNORECASE)
_DIAGNOSTICS = re.compile(r"\bSHOW\s+DIAGNOSTICS\b", re.IGNORECASE)
_CHANGE = re.compile(r"\b(?:ALTER|CREATE|DELETE|DROP|GRANT|INTO|KILL|REVOKE|SET)\b", re.IGNORECASE)


def is_read(q: str) -> bool:
    """Say whether a query only reads.

    Where that cannot be told for certain without parsing InfluxQL whole, the answer is False: the query is then sent
    as a POST and not repeated, which is right for reads as well.
    """
    bare = _bare(q)
    # A slash divides or begins a regular expression, in which a quote is no quote. Only a parser could tell, so every
    # word counts, those inside quotes included.
    return _READ.match(bare) is not None and _CHANGE.search(q if "/" in bare else bare) is None


def is_empty(q: str) -> bool:
    """Say whether a query has no statement, but at the most comments."""
    return not _bare(q).strip("; \t\r\n")


def is_several(q: str) -> bool:
    """Say whether a query has more than one statement."""
    return bool(_bare(q).partition(";")[2].strip("; \t\r\n"))


def is_about_diagnostics(q: str) -> bool:
    """Say whether a query has SHOW DIAGNOSTICS among its statements, and none that selects values."""
    bare = _bare(q)
    return _DIAGNOSTICS.search(bare) is not None and _ONLY_SHOW.fullmatch(bare) is not None


def _bare(q: str) -> str:
    """Give a query without its comments, and with nothing between its quotes."""
    return _QUOTED_OR_COMMENT.sub(lambda found: " " if found[0][0] in "-/" else "''", q)
