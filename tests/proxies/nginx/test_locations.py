"""Routes as location blocks, the homeserver's reading of targets, and quoting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import crossplane
import pytest

from palpo_installer.answers import Address
from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.nginx.locations import (
    bare,
    document,
    locations,
    quoted,
    readings,
    selector,
)
from palpo_installer.site import NOT_REGISTERING, Closed, FixedJson, Forward, Match, Scope

PALPO = Address("127.0.0.1", 8008)


def path_pattern(match: Match) -> re.Pattern[str]:
    """Return the regular expression of a selector."""
    return re.compile(selector(match).removeprefix('~ "').removesuffix('"'))


def test_a_subtree_ends_at_a_segment() -> None:
    """The path and what is below it, not what only begins alike."""
    pattern = path_pattern(Match("/_matrix/client/*/a.b"))
    assert pattern.search("/_matrix/client/v3/a.b/c")
    assert pattern.search("/_matrix/client/v3/a.b")
    assert not pattern.search("/_matrix/client/v3/a.bc")
    assert not pattern.search("/_matrix/client/v3/aXb")
    assert not pattern.search("/_matrix/client/v3/x/a.b")


def test_an_exact_path_may_end_in_a_slash() -> None:
    """And in nothing else."""
    pattern = path_pattern(Match("/_matrix/client/*/login", Scope.EXACT))
    assert pattern.search("/_matrix/client/v3/login/")
    assert not pattern.search("/_matrix/client/v3/login/sso")


def test_a_refused_method_stands_in_the_block_of_what_answers_the_others() -> None:
    """One block for the path: the refusal, then the next route that covers it."""
    closed = Closed(Match("/_matrix/client/*/register", Scope.EXACT, "POST"), NOT_REGISTERING)
    limited = Forward(Match("/_matrix/client/*/register", Scope.EXACT), PALPO)
    rest = Forward(Match("/_matrix"), PALPO)
    first, *others = locations([closed, limited, rest])
    assert (first.route, first.refused) == (limited, closed)
    assert [each.route for each in others] == [rest]
    assert locations([closed, rest])[0].route == rest
    assert locations([closed])[0].route == Closed(Match("/"))


def read(routes: Sequence[Closed | Forward], target: str) -> bool:
    """Return whether a target is passed on in the homeserver's reading."""
    for pattern, passed in readings(routes):
        if re.search(pattern.removeprefix('"~*').removesuffix('"'), target, re.IGNORECASE):
            return passed
    return False


def test_the_homeservers_reading_of_targets() -> None:
    """In the order of the routes, each character plain or escaped, whatever nginx would resolve it to."""
    routes: list[Closed | Forward] = [
        Closed(Match("/_matrix/federation"), NOT_REGISTERING),
        Forward(Match("/_matrix/media"), PALPO),
        Forward(Match("/_matrix"), PALPO),
        Closed(Match("/_palpo/admin")),
        Closed(Match("/")),
    ]
    assert len(readings(routes)) == 2, "what the others decide anyway is left out"
    assert read(routes, "/_matrix/client/v3/../sync?a")
    assert read(routes, "//%5Fm%61trix?a")
    assert not read(routes, "/_matrix/federation/..%2fclient")
    assert not read(routes, "/_matrix//f%65deration")
    assert not read(routes, "/_palpo/admin/..%2f..%2f_matrix")
    assert not read(routes, "/x/../_matrix/client")
    assert not read(routes, "/_matrixfoo")


@pytest.mark.parametrize("text", ["plain", 'with "quotes" and \\ and spaces', "; } # {", "ends in \\"])
def test_quoting_reads_back(tmp_path: Path, text: str) -> None:
    """What another parser of the language reads is the text."""
    file = tmp_path / "nginx.conf"
    file.write_text(f"root {quoted(text)};\n")
    (directive,) = crossplane.parse(str(file), check_ctx=False)["config"][0]["parsed"]
    assert [word.replace('\\"', '"').replace("\\\\", "\\") for word in directive["args"]] == [text]


@pytest.mark.parametrize("text", ["$host", "line\nbreak", "\x00", "x" * 4001])
def test_what_cannot_be_quoted_is_refused(text: str) -> None:
    """Variables, line breaks, and words that nginx cannot read."""
    with pytest.raises(RefusedPlan):
        quoted(text)


@pytest.mark.parametrize("word", ["a;b", "a b", "a{", "a$b", 'a"', "", "a\n"])
def test_a_bare_word_has_no_meaning_to_nginx(word: str) -> None:
    """Nothing that ends or opens a directive."""
    with pytest.raises(RefusedPlan):
        bare(word)


def test_json_for_nginx() -> None:
    """Quotes and backslashes are escaped; a dollar sign gets JSON's own escape."""
    assert document(r'{"a":"it' + "'" + r's \"$1\""}') == r"""'{"a":"it\'s \\"\\u00241\\""}'"""
    for broken in ('{"a"', '{\n"a":1}'):
        with pytest.raises(RefusedPlan):
            document(broken)


def test_a_document_is_an_exact_location() -> None:
    """As its path stands."""
    assert locations([FixedJson("/.well-known/matrix/client", "{}", 60)])[0].selector == "= /.well-known/matrix/client"
