from __future__ import annotations

import pytest

from palpo_installer.proxies.nginx.patterns import compiled


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"^(www\.)?example\.com$", "www.example.com", True),
        (r"^(?<sub>[a-z]+)\.example\.com$", "www.example.com", True),
        (r"^(?P<sub>[a-z]+)\.example\.com$", "example.com", False),
        (r"^(?'sub'\w+)\.com$", "example.com", True),
        (r"^(?!www\.)", "www.example.com", False),
        (r"(?<=e)\.com", "example.com", True),
        (r"(?i)^EXAMPLE", "example.com", True),
        (r"^\\.well-known", ".well-known", True),
        (r"/\.(?!well-known)", "/.well-known", False),
        (r"^[^.]+\.com$", "example.com", True),
    ],
)
def test_a_pattern_is_judged_as_pcre_does(pattern: str, text: str, fits: bool) -> None:
    """Named groups in all three spellings, look-around, and an escaped backslash as nginx reads it."""
    expression = compiled(pattern)
    assert expression is not None
    assert bool(expression.search(text)) == fits


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[[:alpha:]]+$", r"a{,3}", r"(?|(a)|(b))", r"(?R)", r"(?1)", r"(*UTF8)é", r"\Qa.b\E", r"\h", r"[a--b]",
        r"[a&&b]", r"^(?i)a", r"(unclosed", r"\Z", r"(?<n>a)(?P>n)",
    ],
)  # fmt: skip
def test_what_only_pcre_knows_is_not_judged(pattern: str) -> None:
    """Rather no word than a wrong one."""
    assert compiled(pattern) is None


def test_letters_match_in_either_case_where_it_is_asked_for() -> None:
    """As with "~*"."""
    expression = compiled("^A$", caseless=True)
    assert expression is not None
    assert expression.search("a")
