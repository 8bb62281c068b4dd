"""nginx's regular expressions, judged with Python's: the two languages are alike, but not the same.

nginx uses PCRE. What PCRE alone knows, or reads in another way, cannot be judged here, and that is said.
"""

from __future__ import annotations

import re
from functools import cache

OTHERWISE = re.compile(r"\[\[|\[:|--|&&|~~|\|\||\{,|\\[NuUZ]|\(\?[PR0-9&|+-]|\(\*|(?<!^)\(\?[a-z]+\)")
"""What Python reads otherwise than PCRE without an error: classes by name, set operations, ``{,3}``, recursion."""

NAMED = re.compile(r"\(\?(?:P?<|')(?P<name>[A-Za-z_]\w*)[>']")
"""A named group as PCRE writes it, in three ways."""

ESCAPED = re.compile(r"\\([\"'\\])")


@cache
def compiled(pattern: str, *, caseless: bool = False) -> re.Pattern[str] | None:
    """Return a pattern of nginx's for searching, None where Python's ``re`` may read it otherwise.

    Args:
        pattern: as it stands in the configuration, without quotes and without ``~``.
        caseless: whether letters match in either case.
    """
    word = ESCAPED.sub(r"\1", pattern)
    without_names = NAMED.sub("(", word)
    if OTHERWISE.search(without_names):
        return None
    try:
        return re.compile(NAMED.sub(r"(?P<\g<name>>", word), re.ASCII | (re.IGNORECASE if caseless else re.NOFLAG))
    except (re.error, OverflowError, RecursionError):
        return None
