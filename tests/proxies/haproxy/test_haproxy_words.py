from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from palpo_installer.answers import Address, Delegation
from palpo_installer.errors import RefusedPlan
from palpo_installer.matrix_site import FEDERATION_PATHS, LOGIN, MEDIA_PATHS, homeserver_routes
from palpo_installer.proxies.haproxy.tree import tokens
from palpo_installer.proxies.haproxy.words import bare, condition, detours, document, quoted, shortcuts
from palpo_installer.site import (
    NOT_REGISTERING,
    NOTHING,
    Closed,
    Forward,
    Match,
    Scope,
)
from tests.homeserver import made
from tests.lab.conformance.targets import CLOSED, REGISTRATION


def pattern(text: str) -> str:
    """Return the regular expression of the last condition of a text."""
    return tokens(text)[-2]


def hits(match: Match, path: str) -> bool:
    """Return whether a condition takes a path, as HAProxy reads both."""
    return re.search(pattern(condition(match)), path) is not None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/_matrix", True),
        ("/_matrix/client", True),
        ("//%5fm%61trix%2Fclient", True),
        ("/%5Fmatrix/", True),
        ("/_matrixfoo", False),
        ("/_MATRIX/client", False),
        ("/x/_matrix", False),
    ],
)
def test_a_subtree_in_every_spelling_and_on_a_segment_boundary(path: str, expected: bool) -> None:
    """As the homeserver reads it: letters and slashes plain or as %xx in either case; the case of a path counts."""
    assert hits(Match("/_matrix"), path) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/_matrix/client/v3/login", True),
        ("/_matrix/client/v3/login/", True),
        ("/_matrix/client/r0/%6cogin", True),
        ("/_matrix/client/v3/login/x", False),
        ("/_matrix/client/login", False),
    ],
)
def test_an_exact_path_with_any_one_segment(path: str, expected: bool) -> None:
    """A trailing slash is the same; a star is one segment."""
    assert hits(Match("/_matrix/client/*/login", Scope.EXACT), path) is expected


def test_everything_and_a_method() -> None:
    """No condition where every request is meant, and the method before the path."""
    assert condition(Match("/")) == ""
    assert condition(Match("/x", method="POST")).startswith("{ method POST } { path ")


def test_detours_lead_to_closed_paths_through_dots() -> None:
    """Only with a segment of two dots, and with the answer of the closed path; forwarded paths have none."""
    found = detours([Closed(Match("/_palpo/admin")), Closed(Match("/a/*/b", Scope.EXACT, "POST"), NOT_REGISTERING)])
    assert [refusal for _, refusal in found] == [NOTHING, NOT_REGISTERING]
    dots, path = (re.compile(each) for each in tokens(found[0][0])[4::6])
    for target in ("/_matrix/../_palpo/admin", "/_matrix/%2e.%2f_p%61lpo/./admin/x"):
        assert dots.search(target)
        assert path.search(target)
    assert not dots.search("/_matrix/rooms/..x/_palpo/admin")
    assert found[1][0].startswith("{ method POST } ")


def test_quoting_is_undone_by_haproxys_reader() -> None:
    """Variables, backslashes, quotes, comments and spaces arrive as they are."""
    body = '{"a":"it\'s $HOME \\" # %[src] \\\\"}'
    assert tokens(f"x {document(body)} y") == ("x", body, "y")


@pytest.mark.parametrize("word", ["a b", "a'b", "a#b", "$a", "a\nb", ""])
def test_what_cannot_be_written_is_refused(word: str) -> None:
    """A name or path with a character that means something is no word of ours."""
    with pytest.raises(RefusedPlan):
        bare(word)
    with pytest.raises(RefusedPlan):
        quoted("a\nb")


def decoded_tests(text: str) -> tuple[str, list[str]]:
    """Return what a path must begin with for a shortcut, and what it must not have in it."""
    words = tokens(text)
    end = words.index("}")
    assert words[:4] == ("{", "path,url_dec", "-m", "beg")
    assert words[end + 1 : end + 5] == ("!{", "path,url_dec", "-m", "sub")
    return words[4], list(words[end + 5 : -1])


def test_a_shortcut_leaves_out_whatever_an_earlier_rule_could_be_about() -> None:
    """Only routes that pass everything on as it is have one, and only earlier routes that can meet them count."""
    upstream = Address("127.0.0.1", 8008)
    routes = (
        Closed(Match("/_matrix/federation")),
        Forward(Match("/_matrix/media"), upstream, host="example.com"),
        Forward(Match("/_matrix/client/*/login", Scope.EXACT), upstream, limit=LOGIN),
        Forward(Match("/_matrix"), upstream),
        Forward(Match("/_palpo/client"), upstream),
        Closed(Match("/_palpo/admin")),
    )
    found = shortcuts(routes)
    assert [route for _, route in found] == list(routes[3:5])
    pieces = ["//", "/..", "/_matrix/federation", "/_matrix/media", "/login"]
    assert [decoded_tests(text) for text, _ in found] == [("/_matrix/", pieces), ("/_palpo/client/", ["//", "/.."])]


@pytest.mark.parametrize("delegation", Delegation)
def test_no_shortcut_takes_what_is_closed_or_counted(delegation: Delegation) -> None:
    """However it is written; the news that every client waits for is taken."""
    answers = replace(made.answers(delegation=delegation), media=Address("127.0.0.1", 8000))
    taken = [decoded_tests(text) for text, _ in shortcuts(homeserver_routes(answers))]
    media = [f"{path.replace('m', '%6D')}/x" for path in MEDIA_PATHS]
    federation = FEDERATION_PATHS if delegation is Delegation.NONE else ()
    login = "/_matrix/client/v3%2F%6Cogin"

    def shortened(target: str) -> bool:
        path = unquote(target.partition("?")[0])
        return any(path.startswith(begin) and not any(piece in path for piece in pieces) for begin, pieces in taken)

    assert [each for each in (*CLOSED, *REGISTRATION, *media, *federation, login) if shortened(each)] == []
    assert shortened("/_matrix/client/v3/sync")
    assert shortened("/_matrix/client/v3/rooms/%21abc%3Aexample.com/send/m.room.message/1")
