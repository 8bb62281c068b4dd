"""Which targets take the short way through Caddy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from posixpath import normpath
from urllib.parse import unquote

import pytest

from palpo_installer.answers import Address, Delegation
from palpo_installer.matrix_site import FEDERATION_PATHS, LOGIN, MEDIA_PATHS, homeserver_routes
from palpo_installer.proxies.caddy.shortcuts import shortcut
from palpo_installer.site import Closed, FixedJson, Forward, Match, Route, Scope, VirtualHost
from tests.homeserver import made
from tests.lab.conformance.targets import BROKEN, CLOSED, ILLEGAL, REGISTRATION
from tests.proxies.caddy.test_caddy_rendering import rendered

HOMESERVER, MEDIA = Address("127.0.0.1", 8008), Address("127.0.0.1", 8000)
ALL = Forward(Match("/_matrix"), HOMESERVER)


def virtual_host(*routes: Route) -> VirtualHost:
    """Return one on port 443."""
    return VirtualHost("matrix.example.com", 443, tls=True, certificate="matrix.example.com", routes=routes)


def taken_by(host: VirtualHost) -> Callable[[str], bool]:
    """Return what tells whether a target takes the short way: as it came, and by its path decoded and cleaned."""
    found = shortcut(host)
    assert found
    usual, others = (line.partition("`")[2].removesuffix("`") for line in found.matcher)
    assert found.matcher == (f"vars_regexp {{http.request.orig_uri}} `{usual}`", f"not path_regexp `{others}`")

    def is_taken(target: str) -> bool:
        path = unquote(target.partition("?")[0])
        slash = "/" if path.endswith("/") else ""
        cleaned = re.sub("^//+", "/", normpath(path)) + slash
        return re.search(usual, target) is not None and re.search(others, cleaned) is None

    return is_taken


def test_the_words_of_the_shortcut() -> None:
    """Two expressions that remember nothing, in front of all other matchers."""
    closed = [Closed(Match(f"/_matrix/client/*/{path}", Scope.EXACT, "POST")) for path in ("register", "login")]
    found = shortcut(virtual_host(*closed, ALL))
    assert found
    signs = r"(?:[A-Za-z0-9_~:@!$&'()*+,;=-]|%(?:2[0-46-9A-Ca-c]|3[ABDabd]|40|[89A-Fa-f][0-9A-Fa-f]))"
    assert found.matcher == (
        f"vars_regexp {{http.request.orig_uri}} `^(?:/_matrix)/{signs}(?:/?{signs}|[.])*(?:[?]|$)`",
        r"not path_regexp `^(?:/_matrix/client/[^/]+(?:/register/?$|/login/?$)|[^\x7b]*\x7b)`",
    )
    assert found.route == ALL
    (file,) = rendered().secure.files
    assert file.text.index("handle @palpo_usual {") < file.text.index("\troute {")
    assert file.text.count("keepalive_idle_conns_per_host") == file.text.count("\tkeepalive ") > 1


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/_matrix/client/v3/sync?since=a%2Fb{c}..//", True),
        ("/_matrix/client/v3/rooms/%21abc%3Aexample.com/send/m.room.message/1.2", True),
        ("/_matrix/client/v3/directory/room/%23%E2%80%A2:example.com", True),
        ("/_matrix", False),
        ("/_matrix/", False),
        ("/_matrixfoo/x", False),
        ("/_MATRIX/x", False),
        ("/_matrix//x", False),
        ("//_matrix/x", False),
        ("/_matrix/x/../y", False),
        ("/_matrix/x/%2e./y", False),
        ("/_matrix/x%2Fy", False),
        ("/_matrix/%78", False),
        ("/_matrix/%2561", False),
        ("/_matrix/%zz", False),
        ("/_matrix/x%0d%0ay", False),
        ("/_matrix/{x}/y", False),
        ("https://matrix.example.com/_matrix/x", False),
        ("*", False),
    ],
)
def test_only_what_is_written_as_usual_is_taken(target: str, expected: bool) -> None:
    """No dots or slashes on end, and no escape of anything that the path of a route may have."""
    assert taken_by(virtual_host(ALL))(target) is expected


def test_a_path_in_braces_is_not_taken_whatever_it_stands_for() -> None:
    """Caddy replaces it in the target before it compares that: the path, where it does not, has the last word."""
    found = shortcut(virtual_host(ALL))
    assert found
    others = found.matcher[1].partition("`")[2].removesuffix("`")
    assert re.search(others, "/_matrix/client/{http.request.header.x}/register")
    assert not re.search(others, "/_matrix/client/v3/register")


def test_earlier_routes_keep_what_they_could_be_about() -> None:
    """Whatever the method; with stars, and on the boundary of a segment; those of other paths do not count."""
    routes = (
        FixedJson("/_matrix/fixed", "{}", 0),
        Closed(Match("/_matrix/federation")),
        Closed(Match("/_palpo/admin")),
        Forward(Match("/_matrix/client/v1/media"), MEDIA, host="example.com"),
        Forward(Match("/_matrix/client/*/login", Scope.EXACT), HOMESERVER, limit=LOGIN),
    )
    is_taken = taken_by(virtual_host(*routes, ALL, Forward(Match("/_other"), MEDIA), Closed(Match("/"))))
    kept = ("/_matrix/fixed", "/_matrix/federation/v1/x", "/_matrix/federation", "/_matrix/client/v1/media/x?a")
    assert [each for each in (*kept, "/_matrix/client/v3/login", "/_other/x") if is_taken(each)] == []
    assert is_taken("/_matrix/federations")
    assert is_taken("/_matrix/client/v3/login/sso/redirect")
    assert shortcut(virtual_host(*routes)) is None
    assert not taken_by(virtual_host(Closed(Match("/")), ALL))("/_matrix/x")


@pytest.mark.parametrize("delegation", Delegation)
def test_no_shortcut_takes_what_is_closed_or_somebody_elses(delegation: Delegation) -> None:
    """However it is written; the news that every client waits for is taken."""
    answers = replace(made.answers(delegation=delegation), media=MEDIA)
    is_taken = taken_by(virtual_host(*homeserver_routes(answers)))
    media = [f"{path}/{each}" for path in MEDIA_PATHS for each in ("x", "%78", "")]
    media += [f"{path.replace('m', '%6D')}/x" for path in MEDIA_PATHS]
    federation = [f"{path}/x" for path in FEDERATION_PATHS if delegation is Delegation.NONE]
    illegal = [each for each in ILLEGAL if each != "/_matrix/a#b"]
    kept = (*CLOSED, *BROKEN, *REGISTRATION, *media, *federation, *illegal, "/_matrix/client/v3%2F%6Cogin")
    assert [each for each in kept if is_taken(each)] == []
    assert is_taken("/_matrix/client/v3/sync")
