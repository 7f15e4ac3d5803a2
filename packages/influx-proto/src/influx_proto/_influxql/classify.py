"""What a query does: whether it only reads, and how many statements it has."""

from __future__ import annotations

import re

#: A comment or quoted text. One that does not end reaches to the end of the query, so that nothing is read twice.
_QUOTED_OR_COMMENT = re.compile(
    r"""--[^\n]*+(?P<end>) | /\*(?:[^*]|\*(?!/))*+(?:\*/(?P<end_>))?
    | "(?:[^"\\]|\\.?)*+(?:"(?P<end__>))? | '(?:[^'\\]|\\.?)*+(?:'(?P<end___>))?""",
    re.DOTALL | re.VERBOSE,
)
#: What a statement is made of: a comment, quoted text, a word, or any other sign.
_LEXEME = re.compile(rf"(?:{_QUOTED_OR_COMMENT.pattern}) | (?P<word>\w++) | (?P<sign>\S)", re.DOTALL | re.VERBOSE)
_REGEX_LITERAL = re.compile(r"/(?:[^/\\\n]|\\.)*+/")
#: Words before a regular expression; after any other a slash divides.
_BEFORE_REGEX = frozenset({"SELECT", "FROM", "BY", "WHERE", "AND", "OR", "IN", "DISTINCT"})
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


def statement_count(q: str) -> int:
    """Count the statements of a query, by the semicolons outside of text, comments and regular expressions."""
    if ";" not in q:
        return 0 if is_empty(q) else 1
    count = at = 0
    has_words = is_operand = False
    while found := _LEXEME.search(q, at):
        at = found.end()
        word, sign = found["word"], found["sign"]
        if sign == ";":
            count += has_words
            has_words = is_operand = False
        elif sign is not None:
            has_words = True
            if sign == "/" and not is_operand and (literal := _REGEX_LITERAL.match(q, at - 1)):
                at = literal.end()
                is_operand = True
            else:
                is_operand = sign in ")*"
        elif word is not None or found[0][0] not in "-/":  # not a comment
            has_words = True
            is_operand = word is None or word.upper() not in _BEFORE_REGEX
    return count + has_words


def is_about_diagnostics(q: str) -> bool:
    """Say whether a query has SHOW DIAGNOSTICS among its statements, and none that selects values."""
    bare = _bare(q)
    return _DIAGNOSTICS.search(bare) is not None and _ONLY_SHOW.fullmatch(bare) is not None


def _bare(q: str) -> str:
    """Give a query without its comments, and with nothing between its quotes."""
    return _QUOTED_OR_COMMENT.sub(_blanked, q)


def _blanked(found: re.Match[str]) -> str:
    if found.lastindex is None:  # it does not end: the server rejects the query, and every word counts
        return found[0]
    return " " if found[0][0] in "-/" else "''"
