"""What a site says of its own paths."""

from __future__ import annotations

import pytest

from palpo_installer.site import Match, Scope


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        (Match("/a"), Match("/a/b"), True),
        (Match("/a/*"), Match("/a/b", Scope.EXACT), True),
        (Match("/a/*"), Match("/a/b/c"), True),
        (Match("/a/b"), Match("/a/*"), False),
        (Match("/a", Scope.EXACT), Match("/a"), False),
        (Match("/a", Scope.EXACT), Match("/a/b", Scope.EXACT), False),
        (Match("/"), Match("/a"), True),
        (Match("/a/b"), Match("/a"), False),
    ],
)
def test_which_match_covers_which(outer: Match, inner: Match, expected: bool) -> None:
    """Every path of the inner one is a path of the outer one."""
    assert outer.covers(inner) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("/a", "/a/b", True),
        ("/a/*/c", "/a/b", True),
        ("/a/b", "/a/c", False),
        ("/", "/a", True),
        ("/*/b", "/a/c", False),
    ],
)
def test_which_matches_meet(one: str, other: str, expected: bool) -> None:
    """A path can begin as both do, whichever is asked."""
    assert Match(one).meets(Match(other)) is Match(other).meets(Match(one)) is expected
