"""Conditions and quoting for Apache's configuration language."""

from __future__ import annotations

import json
import re

import pytest

from palpo_installer.answers import Address
from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.apache.expressions import (
    bare,
    document,
    exactly,
    here,
    misread,
    passed_on,
    quoted,
    refused,
    there,
    told_apart,
    usual,
)
from palpo_installer.site import NOT_FEDERATING, Closed, Forward, Match, Scope
from tests.lab.conformance.targets import CLOSED, ILLEGAL, REGISTRATION

UPSTREAM = Address("127.0.0.1", 8008)
PATTERN = re.compile(
    r"(?P<subject>%\{\w+\}) =~ m#(?P<pattern>[^#]*)#(?P<caseless>i?)|%\{REQUEST_METHOD\} == '(?P<m>\w+)'"
)


def holds(condition: str, path: str, *, raw: str = "", method: str = "GET") -> bool:
    """Return whether a condition holds, computed as Apache does from the path it reads and the target as it came."""

    def decided(match: re.Match[str]) -> str:
        if match["m"]:
            return str(method == match["m"])
        subject = path if match["subject"] == "%{REQUEST_URI}" else f"{method} {raw or path} HTTP/1.1"
        return str(re.search(match["pattern"], subject, re.IGNORECASE if match["caseless"] else 0) is not None)

    logic = PATTERN.sub(decided, condition).replace("&&", "and").replace("||", "or").replace("!", " not ")
    words = {"true": "True", "false": "False"}
    logic = re.sub(r"\b(true|false)\b", lambda match: words[match[0]], logic)
    assert re.fullmatch(r"(?:True|False|and|or|not|[() ])+", logic), logic
    return bool(eval(logic))  # noqa: S307 - checked to be logic only


@pytest.mark.parametrize(
    ("match", "path", "fits"),
    [
        (Match("/_matrix"), "/_matrix", True),
        (Match("/_matrix"), "/_matrix/x", True),
        (Match("/_matrix"), "/_matrixfoo", False),
        (Match("/_matrix"), "/_MATRIX/x", False),
        (Match("/a/*/login", Scope.EXACT), "/a/v3/login", True),
        (Match("/a/*/login", Scope.EXACT), "/a/v3/login/", True),
        (Match("/a/*/login", Scope.EXACT), "/a/v3/x/login", False),
        (Match("/a/*/login", Scope.EXACT), "/a/v3/login/x", False),
        (Match("/a.b"), "/axb", False),
        (Match("/"), "/anything", True),
    ],
)
def test_paths_as_apache_reads_them(match: Match, path: str, fits: bool) -> None:
    """On segment boundaries, with one segment for a star, in this case of letters."""
    assert holds(here(match), path) == fits


@pytest.mark.parametrize(
    ("raw", "fits"),
    [
        ("/_palpo/admin", True),
        ("/%5fpalpo/%61dmin", True),
        ("//_palpo%2Fadmin/x?y", True),
        ("https://matrix.example.com/_palpo/admin", True),
        ("/_palpo/administration", False),
        ("/x?/_palpo/admin", False),
    ],
)
def test_targets_as_the_homeserver_reads_them(raw: str, fits: bool) -> None:
    """Each character plain or escaped, any number of slashes, in absolute form too."""
    assert holds(there(Match("/_palpo/admin")), "/", raw=raw) == fits


ROUTES = (
    Closed(Match("/_matrix/federation"), NOT_FEDERATING),
    Forward(Match("/_matrix/media"), Address("127.0.0.1", 8000)),
    Forward(Match("/_matrix/client/*/login", Scope.EXACT), UPSTREAM),
    Forward(Match("/_matrix"), UPSTREAM),
    Closed(Match("/_palpo/admin")),
    Closed(Match("/")),
)


@pytest.mark.parametrize(
    ("path", "raw", "passes"),
    [
        ("/_matrix/x", "/_matrix/x", True),
        ("/_matrix/client/v3/login", "/_matrix/client/v3/login", True),
        ("/_matrix/federation/v1", "/_matrix/federation/v1", False),
        ("/_matrix/federationx", "/_matrix/federationx", True),
        ("/_palpo/admin", "/_palpo/admin", False),
        ("/_matrix/x", "/_palpo/admin/..%2f..%2f_matrix/x", False),
        ("/_palpo/admin", "/_matrix/..%2f_palpo/admin", False),
        ("/_matrix/x", "/_matrix/federation/../x", False),
        ("/", "/", False),
    ],
)
def test_only_what_both_readings_pass_on_is_passed_on(path: str, raw: str, passes: bool) -> None:
    """The first route that fits decides, in either reading."""
    assert holds(passed_on(ROUTES), path, raw=raw) == passes


EARLIER = (
    Closed(Match("/_matrix/client/*/register", Scope.EXACT, method="POST"), NOT_FEDERATING),
    *ROUTES[:-2],
    Forward(Match("/_palpo/client"), UPSTREAM),
    *ROUTES[-2:],
)


@pytest.mark.parametrize(
    "target",
    ["/_matrix", "/_matrix?/../x", "/_matrix/client/v3/sync", "/_matrix//a.b/!x:y.z/@a", "/_matrix/client/v3/login"],
)
def test_most_targets_need_no_closer_look(target: str) -> None:
    """Plain ones below what is passed on, which are passed on by either reading."""
    assert re.search(usual(EARLIER), target.partition("?")[0])
    assert holds(passed_on(EARLIER), target.partition("?")[0], raw=target)


@pytest.mark.parametrize(
    "target",
    [
        *CLOSED,
        *REGISTRATION,
        *ILLEGAL,
        "/_matrix/client/v3/REGISTER",
        "/_matrix/federation/v1",
        "/_matrix//Federation?x",
        "/_matrix/media/v3/x",
        "/_matrix/./x",
        "/_matrix/.",
        "/_matrix/%61",
        "https://matrix.example.com/_matrix/x",
    ],
)
def test_all_others_are_looked_at_closely(target: str) -> None:
    """What is closed, passed on elsewhere, or has more than one reading, in any spelling."""
    assert re.search(usual(EARLIER), target.partition("?")[0]) is None


def test_without_a_way_past_the_closed_paths_every_target_is_looked_at() -> None:
    """Nothing is passed on, or a wider path is closed before."""
    closing = Forward(Match("/_matrix"), UPSTREAM)
    for routes in ((), ROUTES[-2:], (Closed(Match("/_matrix")), closing), (Closed(Match("/")), closing)):
        assert re.search(usual(routes), "/_matrix/x") is None


def test_what_is_passed_on_apart_keeps_its_first_slash_for_the_address() -> None:
    """Apache keeps no connections where a group follows the port; the target behind that slash is as it came."""
    for target in ("/_matrix/media/a%2Fb?x", "//%5fmatrix%2fmedia", "https://x/_matrix/media/a"):
        found = re.search(told_apart(Match("/_matrix/media")), target)
        assert found
        assert f"/{found[1]}" == target.removeprefix("https://x")
    assert re.search(told_apart(Match("/_matrix/media")), "/_matrix/mediax") is None


def test_what_a_following_route_passes_on_has_no_expression_of_its_own() -> None:
    """Unless a closed one is between them."""
    login, everything = (
        Forward(Match("/_matrix/client/*/login", Scope.EXACT), UPSTREAM),
        Forward(Match("/_matrix"), UPSTREAM),
    )
    assert "login" not in passed_on((login, everything))
    assert "login" in passed_on((login, Closed(Match("/_matrix/client")), everything))


def test_an_answer_of_our_own_has_its_method_and_its_turn() -> None:
    """Only POST where a route says so, and not where a route before it has all of it."""
    closed = Closed(Match("/_matrix/client/*/register", Scope.EXACT, method="POST"), NOT_FEDERATING)
    assert holds(refused(closed, ()), "/_matrix/client/v3/register", method="POST")
    assert not holds(refused(closed, ()), "/_matrix/client/v3/register")
    before = (Forward(Match("/_matrix"), UPSTREAM),)
    assert not holds(refused(closed, before), "/_matrix/client/v3/register", method="POST")


def test_what_would_have_to_be_rewritten_is_told_apart() -> None:
    """A path of the media repository for Apache that is none as it came."""
    condition = misread(Match("/_matrix/media"))
    assert holds(condition, "/_matrix/media/x", raw="/_matrix/client/../media/x")
    assert not holds(condition, "/_matrix/media/x", raw="/_matrix//media%2fx")


def unquoted(word: str) -> str:
    """Return what Apache makes of a quoted word, and then of an expression's text."""
    once = re.sub(r'\\(["\\])', r"\1", word[1:-1])
    return re.sub(r"\\(.)", r"\1", once)


@pytest.mark.parametrize("text", ["it's $1 ${x} %{y} 100%", 'a "b" \\ c', "plain"])
def test_documents_survive_both_of_apaches_readers(text: str) -> None:
    """Quotes, backslashes, and what would be variables and matches."""
    body = json.dumps({"a": text}, separators=(",", ":"))
    word = document(body)
    assert json.loads(unquoted(word)) == {"a": text}
    assert "$" not in word
    assert "%" not in word


@pytest.mark.parametrize("body", ["{", '{"a":\n1}', json.dumps({"a": "x" * 9000})])
def test_documents_that_apache_cannot_read_are_refused(body: str) -> None:
    """No JSON, several lines, or longer than a line of Apache's."""
    with pytest.raises(RefusedPlan):
        document(body)


@pytest.mark.parametrize("word", ["a b", 'a"', "a$b", "a>", ""])
def test_words_that_mean_something_to_apache_are_refused(word: str) -> None:
    """Names and origins stand without quotes."""
    with pytest.raises(RefusedPlan):
        bare(word)


def test_paths_are_quoted() -> None:
    """Blanks stay; variables would be replaced, so they are refused."""
    assert quoted('/a "b"') == '"/a \\"b\\""'
    for text in ("/a${b}", "/a\n"):
        with pytest.raises(RefusedPlan):
            quoted(text)


def test_a_path_as_a_pattern() -> None:
    """Without backslashes, which more than one reader would take away."""
    assert exactly("/.well-known/x") == "^/[.]well[-]known/x$"
