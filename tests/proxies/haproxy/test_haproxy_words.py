from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from palpo_installer.answers import Address, Delegation
from palpo_installer.errors import RefusedPlan
from palpo_installer.matrix_site import FEDERATION_PATHS, LOGIN, MEDIA_PATHS, homeserver_routes
from palpo_installer.proxies.haproxy.tree import tokens
from palpo_installer.proxies.haproxy.words import bare, condition, detours, document, quoted, shortcut
from palpo_installer.site import (
    NOT_REGISTERING,
    NOTHING,
    Closed,
    Forward,
    Match,
    Route,
    Scope,
    VirtualHost,
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


def compared(host: VirtualHost) -> tuple[list[str], list[str]]:
    """Return what name and path must begin with for the shortcut, and what the decoded path must not have in it."""
    found = shortcut(host)
    assert found
    words = tokens(found.condition)
    end = words.index("}")
    assert words[:4] == ("{", "base", "-m", "beg")
    # Without this, nothing is found in a path with a broken escape, and it would go on unseen.
    assert words[end + 1 : end + 6] == ("{", "path,url_dec", "-m", "found", "}")
    assert words[end + 6 : end + 10] == ("!{", "path,url_dec", "-m", "sub")
    return list(words[4:end]), list(words[end + 10 : -1])


def virtual_host(*routes: Route) -> VirtualHost:
    """Return one on port 443."""
    return VirtualHost("Matrix.example.com", 443, tls=True, certificate="matrix.example.com", routes=routes)


def test_the_shortcut_leaves_out_whatever_an_earlier_rule_could_be_about() -> None:
    """Only routes that pass everything on as it is are in it, and only earlier routes that can meet them count."""
    upstream = Address("127.0.0.1", 8008)
    routes = (
        Closed(Match("/_matrix/federation")),
        Forward(Match("/_matrix/media"), Address("127.0.0.1", 8000), host="example.com"),
        Forward(Match("/_matrix/client/*/login", Scope.EXACT), upstream, limit=LOGIN),
        Forward(Match("/_matrix"), upstream),
        Forward(Match("/_palpo/client"), upstream),
        Closed(Match("/_palpo/admin")),
    )
    names = ("matrix.example.com", "matrix.example.com:443")
    begins = [f"{name}{path}/" for path in ("/_matrix", "/_palpo/client") for name in names]
    pieces = ["//", "/..", "/_matrix/federation", "/_matrix/media", "/login"]
    assert compared(virtual_host(*routes)) == (begins, pieces)
    found = shortcut(virtual_host(*routes))
    assert found
    assert found.upstream == upstream
    assert shortcut(virtual_host(*routes[:3])) is None


@pytest.mark.parametrize("delegation", Delegation)
def test_no_shortcut_takes_what_is_closed_or_counted(delegation: Delegation) -> None:
    """However it is written; the news that every client waits for is taken."""
    answers = replace(made.answers(delegation=delegation), media=Address("127.0.0.1", 8000))
    begins, pieces = compared(virtual_host(*homeserver_routes(answers)))
    media = [f"{path.replace('m', '%6D')}/x" for path in MEDIA_PATHS]
    federation = FEDERATION_PATHS if delegation is Delegation.NONE else ()
    login = "/_matrix/client/v3%2F%6Cogin"

    def shortened(target: str) -> bool:
        path = target.partition("?")[0]
        begun = f"matrix.example.com{path}".startswith(tuple(begins))
        return begun and not any(piece in unquote(path) for piece in pieces)

    assert [each for each in (*CLOSED, *REGISTRATION, *media, *federation, login) if shortened(each)] == []
    assert shortened("/_matrix/client/v3/sync")
    assert shortened("/_matrix/client/v3/rooms/%21abc%3Aexample.com/send/m.room.message/1")
