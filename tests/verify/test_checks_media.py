"""Whose answer comes on the paths of media, and is the repository asked by the right name?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from palpo_installer.answers import Address, Delegation
from palpo_installer.probe import Answer, Question
from palpo_installer.verify.checks_media import SIGN, check_media, judge
from palpo_installer.verify.report import Check, Result
from palpo_installer.verify.view import Contact
from tests.verify.worlds import choices, json_answer, view, zone

MEDIA = Address("127.0.0.1", 8000)
VERSION = json_answer('{"Version":"v1.3.8","GitCommit":"x"}')
OWN = json_answer('{"errcode":"M_MISSING_TOKEN","error":"no token provided (required)"}', status=401)
PALPO = json_answer('{"errcode":"M_MISSING_TOKEN","error":"Missing access token."}', status=401)
UNKNOWN = json_answer('{"errcode":"M_UNKNOWN","error":"Review server logs to continue"}', status=502)
REFUSED = json_answer('{"errcode":"M_UNRECOGNIZED","error":"Nothing is served here"}', status=404)
SIGNED = replace(OWN, headers=(*OWN.headers, (SIGN, "sandbox;")))
SILENT = Answer(problem="refused")
BUSY = json_answer('{"errcode":"M_LIMIT_EXCEEDED","error":"Rate Limited"}', status=429)

Ask = Callable[[Question], Answer]


def asked(question: Question) -> Answer:
    """Answer as it should be: the repository by its server name only, the proxy as the repository, and Palpo."""
    if question.tls and "/admin" in question.target:
        return REFUSED
    if question.tls or (question.port == MEDIA.port and question.host == "example.com"):
        return VERSION if question.target.endswith("/version") else SIGNED
    return UNKNOWN if question.port == MEDIA.port else PALPO


def checks(ask: Ask, delegation: Delegation = Delegation.WELL_KNOWN) -> tuple[Check, ...]:
    """Return the checks of a world that answers like this."""
    here = replace(view(replace(choices(delegation), media=MEDIA), zone()), ask=ask)
    contacts = {there: Contact(there, {"192.0.2.1": Answer(status=204)}, {}) for there in here.forwarding}
    return check_media(here, contacts, MEDIA)


def test_a_sound_repository_passes() -> None:
    """Itself, and on the way through the proxy, in all three families; two without federation."""
    itself, through = checks(asked)
    assert (itself.result, itself.what) == (Result.PASS, "matrix-media-repo v1.3.8 answers as example.com.")
    assert (through.result, "all 3 families" in through.what) == (Result.PASS, True)
    assert "all 2 families" in checks(asked, Delegation.NONE)[1].what


def instead(answer: Answer, holds: Callable[[Question], bool]) -> Ask:
    """Return a world in which some questions get another answer."""
    return lambda question: answer if holds(question) else asked(question)


FAULTS: dict[str, tuple[Ask, int, str]] = {
    "nobody there": (instead(SILENT, lambda q: q.port == MEDIA.port), 0, "Nothing answers"),
    "another program": (instead(PALPO, lambda q: q.port == MEDIA.port), 0, "no matrix-media-repo"),
    "another server name": (instead(UNKNOWN, lambda q: q.port == MEDIA.port), 0, "does not know the server"),
    "an old one": (instead(Answer(404), lambda q: q.target.startswith("/_matrix/client") and not q.tls), 0, "has no"),
    "the public name as Host": (instead(UNKNOWN, lambda q: q.tls), 1, "under another name (502)"),
    "one family at Palpo": (
        instead(PALPO, lambda q: q.tls and q.target.startswith("/_matrix/federation")),
        1,
        "/_matrix/federation/v1/media/download/palpo-installer-verify: Palpo answers",
    ),
    "a page of the proxy": (instead(Answer(404, (), b"<html>"), lambda q: q.tls), 1, "gives 404"),
    "administration open": (instead(SIGNED, lambda q: "/admin" in q.target), 1, "unstable/admin: open to everybody"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_with_what_to_do(fault: str) -> None:
    """Exactly the check that it belongs to says so."""
    ask, number, words = FAULTS[fault]
    check = checks(ask)[number]
    assert (check.result, words in check.what, bool(check.next)) == (Result.FAIL, True, True), check


def test_equal_answers_prove_nothing_but_for_the_repositorys_own_header() -> None:
    """Where Palpo would say the very same."""
    assert judge(OWN, OWN, OWN) is None
    assert judge(SIGNED, SIGNED, OWN) == ""
    assert judge(OWN, OWN, PALPO) == ""
    assert judge(OWN, SILENT, PALPO) is None


def test_a_repository_that_has_been_asked_too_often_is_not_judged() -> None:
    """Itself or through the proxy: for a moment it answers 429 to whoever asked."""
    itself, through = checks(instead(BUSY, lambda question: question.port == MEDIA.port))
    assert (itself.result, through.result) == (Result.CANNOT_TELL, Result.CANNOT_TELL)
    itself, through = checks(instead(BUSY, lambda question: question.tls and "/admin" not in question.target))
    assert (itself.result, through.result) == (Result.PASS, Result.CANNOT_TELL)
