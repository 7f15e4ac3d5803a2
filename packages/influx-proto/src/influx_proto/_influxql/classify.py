"""Classification of queries: whether a query only reads, and how many statements it has."""

from __future__ import annotations

import re

from .._checks import check_str

#: A comment, quoted string or quoted identifier. An unterminated one extends to the end of the query, so that the scan
#: stays linear.
_QUOTED_OR_COMMENT = re.compile(
    r"""--[^\n]*+(?P<end>) | /\*(?:[^*]|\*(?!/))*+(?:\*/(?P<end_>))?
    | "(?:[^"\\]|\\.?)*+(?:"(?P<end__>))? | '(?:[^'\\]|\\.?)*+(?:'(?P<end___>))?""",
    re.DOTALL | re.VERBOSE,
)
#: A comment, quoted string or identifier, word, or any other character.
_LEXEME = re.compile(rf"(?:{_QUOTED_OR_COMMENT.pattern}) | (?P<word>\w++) | (?P<sign>\S)", re.DOTALL | re.VERBOSE)
_REGEX_LITERAL = re.compile(r"/(?:[^/\\\n]|\\.)*+(?P<end>/)?")
#: Words that may precede a regular expression. After any other word a slash is a division.
_BEFORE_REGEX = frozenset({"SELECT", "FROM", "BY", "WHERE", "AND", "OR", "IN", "DISTINCT"})
_READ = re.compile(r"[\s;]*(?:SELECT|SHOW|EXPLAIN)\b", re.IGNORECASE)
_ONLY_SHOW = re.compile(r"(?:[\s;]*+SHOW\b[^;]*+)*+[\s;]*+", re.IGNORECASE)
_DIAGNOSTICS = re.compile(r"\bSHOW\s+DIAGNOSTICS\b", re.IGNORECASE)
_CHANGE = re.compile(r"\b(?:ALTER|CREATE|DELETE|DROP|GRANT|INTO|KILL|REVOKE|SET)\b", re.IGNORECASE)


def is_read(q: str) -> bool:
    """Return whether a query certainly only reads.

    A query that only a full parser could classify is not a read. The client then sends it as a POST and does not
    retry it, which is also correct for reads.
    """
    stripped = _without_quoted(q)
    # A slash divides or begins a regular expression, in which a quote character quotes nothing. Only a parser could
    # distinguish the two, so every word counts, including words inside quotes.
    return _READ.match(stripped) is not None and _CHANGE.search(q if "/" in stripped else stripped) is None


def is_empty(q: str) -> bool:
    """Return whether a query has no statement, only whitespace, semicolons and comments."""
    return not q[:1].isalpha() and not _without_quoted(q).strip("; \t\r\n")


def statement_count(q: str) -> int:
    """Count the statements of a query. Semicolons in quotes, comments and regular expressions do not separate them."""
    if ";" not in q:
        return 0 if is_empty(q) else 1
    count = position = 0
    unclosed = 0  # no slash before this position begins a regular expression, since none closes it
    has_words = is_operand = False
    while found := _LEXEME.search(q, position):
        position = found.end()
        word, sign = found["word"], found["sign"]
        if sign == ";":
            count += has_words
            has_words = is_operand = False
        elif sign is not None:
            has_words = True
            was_operand, is_operand = is_operand, sign in ")*"
            if sign == "/" and not was_operand and position > unclosed:
                literal = _REGEX_LITERAL.match(q, position - 1)
                assert literal is not None  # noqa: S101 - the slash is there
                if literal["end"]:
                    position = literal.end()
                    is_operand = True
                else:
                    unclosed = literal.end()
        elif word is not None or found[0][0] not in "-/":  # not a comment
            has_words = True
            is_operand = word is None or word.upper() not in _BEFORE_REGEX
    return count + has_words


def one_statement(q: str) -> str:
    """Return the argument `q` after checking that it is one statement, which can be embedded in another one.

    Raises:
        TypeError: the query is not a str.
        ValueError: the query has several statements.
    """
    if statement_count(check_str("q", q)) > 1:
        raise ValueError("q: must be one statement; the server would execute the others separately")
    return q


def is_about_diagnostics(q: str) -> bool:
    """Return whether a query has only SHOW statements, among them SHOW DIAGNOSTICS."""
    if "diagnostics" not in q.lower():
        return False
    stripped = _without_quoted(q)
    return _DIAGNOSTICS.search(stripped) is not None and _ONLY_SHOW.fullmatch(stripped) is not None


def _without_quoted(q: str) -> str:
    """Return a query without comments, and with `''` in place of quoted strings and identifiers."""
    return _QUOTED_OR_COMMENT.sub(_blank, q)


def _blank(found: re.Match[str]) -> str:
    if found.lastindex is None:  # unterminated: the server rejects the query, and every word counts
        return found[0]
    return " " if found[0][0] in "-/" else "''"
