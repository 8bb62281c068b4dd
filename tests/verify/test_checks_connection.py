"""Whether an address leads here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from palpo_installer.probe import Answer, Question
from palpo_installer.verify.checks_connection import check_connections, judge
from palpo_installer.verify.report import Result
from palpo_installer.verify.view import Endpoint, contact
from tests.verify.worlds import BASE, CLIENT, choices, dns_name, view, zone

OURS = Endpoint(CLIENT, 443, tls=True, ours=True)
WEBSITE = Endpoint(BASE, 443, tls=True, ours=False)
MARKED, OLD, BARE = (
    Answer(200, (("palpo-installer", "abc"),)),
    Answer(200, (("palpo-installer", "old"),)),
    Answer(404),
)
REFUSED, SILENT = Answer(problem="refused"), Answer(problem="timed out")
ALERT = Answer(problem="tls: TLSV1_UNRECOGNIZED_NAME")


@pytest.mark.parametrize(
    ("endpoint", "answer", "own", "result", "words"),
    [
        (OURS, MARKED, True, Result.PASS, "shows this installation"),
        (OURS, REFUSED, True, Result.FAIL, "does not answer on port 443 (refused)"),
        (OURS, SILENT, True, Result.FAIL, "timed out"),
        (OURS, BARE, True, Result.FAIL, "Another site of this machine answers for matrix.example.com"),
        (OURS, MARKED, False, Result.PASS, "shows this installation"),
        (OURS, REFUSED, False, Result.CANNOT_TELL, "cannot be reached from here (refused)"),
        (OURS, SILENT, False, Result.CANNOT_TELL, "routers often do not send a connection back inside"),
        (OURS, BARE, False, Result.FAIL, "Another machine answers there"),
        (OURS, OLD, False, Result.FAIL, "Another installation answers there"),
        (OURS, ALERT, False, Result.FAIL, "no TLS for matrix.example.com (TLSV1_UNRECOGNIZED_NAME)"),
        (WEBSITE, BARE, False, Result.PASS, "It is reached"),
        (WEBSITE, SILENT, False, Result.CANNOT_TELL, "timed out"),
    ],
)
def test_judgement(endpoint: Endpoint, answer: Answer, own: bool, result: Result, words: str) -> None:
    """Not to get through is a failure only at this machine's own addresses; a wrong answer is one anywhere."""
    check = judge(endpoint, "192.0.2.1", answer, own=own, digest="abc")
    assert check.result is result
    assert words in check.what
    assert bool(check.next) == (result is not Result.PASS)


def test_hairpin_uses_this_machine_instead() -> None:
    """Behind a router that sends nothing back, the checks go through this machine's own socket, and none fails."""
    here = view(choices(), zone(dns_name(BASE, "198.51.100.1"), dns_name(CLIENT, "198.51.100.1")))

    def ask(question: Question) -> Answer:
        return MARKED if question.address == "127.0.0.1" else SILENT

    here = replace(here, ask=ask)
    contacts = {there: contact(here, there) for there in here.endpoints}
    assert contacts[here.client].doors == ("127.0.0.1",)
    assert {check.result for check in check_connections(here, contacts)} == {Result.CANNOT_TELL}


def test_a_stale_address_is_told_from_this_machine() -> None:
    """An old AAAA record that leads to another machine fails; the checks go where the marker is."""
    answers = {"192.0.2.1": MARKED, "2001:db8::9": OLD, "127.0.0.1": MARKED}
    there = dns_name(CLIENT, "192.0.2.1", "2001:db8::9")
    here = view(choices(client_host=CLIENT), zone(there), own=frozenset({"192.0.2.1"}))
    here = replace(here, ask=lambda question: answers.get(question.address, REFUSED))
    found = contact(here, here.client)
    checks = check_connections(here, {here.client: found})
    by_subject = {check.subject: check.result for check in checks}
    assert by_subject[f"{CLIENT}:443 at 2001:db8::9"] is Result.FAIL
    assert by_subject[f"{CLIENT}:443 at 192.0.2.1"] is Result.PASS


def test_nothing_answers_and_dns_has_nothing() -> None:
    """Without addresses and without a socket of this machine, that is said for the endpoint."""
    here = view(choices(), zone())
    contacts = {there: contact(here, there) for there in here.endpoints}
    checks = check_connections(here, contacts)
    assert {check.what for check in checks if "matrix" in check.subject} == {
        f"Nothing on this machine answers for {CLIENT}:80.",
        f"Nothing on this machine answers for {CLIENT}:443.",
    }


def test_one_port_is_one_finding() -> None:
    """A port that refuses is reported once, not for each name on it."""
    here = view(choices(), zone(dns_name(BASE, "127.0.0.1"), dns_name(CLIENT, "127.0.0.1")))
    contacts = {there: contact(here, there) for there in here.endpoints}
    checks = check_connections(here, contacts)
    assert sorted(check.subject for check in checks) == ["port 443 at 127.0.0.1", "port 80 at 127.0.0.1"]


def test_an_endpoint_without_contact_was_too_slow() -> None:
    """What was not answered in time cannot be told."""
    here = view(choices(), zone())
    assert {check.result for check in check_connections(here, {})} == {Result.CANNOT_TELL}
