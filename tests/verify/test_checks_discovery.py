"""Whether other servers find the way, by what DNS and the website say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from palpo_installer.answers import Answers, BaseDomain, Delegation
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.probe import Answer
from palpo_installer.verify.checks_discovery import check_discovery
from palpo_installer.verify.report import Check, Result
from palpo_installer.verify.resolution import resolve
from palpo_installer.verify.view import Contact
from tests.verify.worlds import BASE, CLIENT, Zone, choices, dns_name, json_answer, service, view, zone

MISSING = Answer(404)
DELEGATES = json_answer(f'{{"m.server":"{CLIENT}:443"}}')
HOST = dns_name(CLIENT, "192.0.2.2")


def checks(answers: Answers, lookup: Zone, website: Answer) -> dict[str, Check]:
    """Return the checks by name, for a website that gives one answer, or a problem."""
    here = replace(view(answers, lookup), ask=lambda _: website)
    asked = {here.website: Contact(here.website, {"192.0.2.1": website}, {})} if website.status else {}
    resolution = resolve(answers.names.server_name, lookup, lambda _: website)
    return {check.name: check for check in check_discovery(here, asked, resolution)}


def results(found: dict[str, Check]) -> dict[str, str]:
    """Return the results in words."""
    return {name: check.result.value for name, check in found.items()}


def test_well_known() -> None:
    """A delegation to the client host passes as a whole and in its part."""
    found = checks(choices(), zone(HOST), DELEGATES)
    assert results(found) == {"server well-known": "pass", "discovery": "pass"}
    assert "Step 3.2" in found["discovery"].what


def test_website_that_cannot_be_reached_from_here() -> None:
    """A website elsewhere that does not answer from here proves nothing, and the way as a whole neither."""
    answers = choices(Delegation.SRV, base_domain=BaseDomain.ELSEWHERE)
    records = dns_name(BASE, "192.0.2.1", federation=service(8448), federation_old=service(8448))
    found = checks(answers, zone(records, HOST), Answer(problem="timed out"))
    assert results(found) == {
        "server well-known": "cannot-tell",
        "service records": "pass",
        "discovery": "cannot-tell",
    }


def test_website_elsewhere_gets_the_document() -> None:
    """A website that does not delegate yet gets the exact document to publish."""
    found = checks(choices(base_domain=BaseDomain.ELSEWHERE), zone(HOST), MISSING)
    assert found["server well-known"].result is Result.FAIL
    assert found["server well-known"].next.splitlines()[-1] == '{"m.server":"matrix.example.com:443"}'


ALIAS = dns_name(CLIENT, "192.0.2.2", alias="host.example.net")


@pytest.mark.parametrize(
    ("fed", "old", "host", "cause"),
    [
        ((), service(8448), HOST, "_matrix-fed._tcp.example.com is missing."),
        (service(8448), (), HOST, "_matrix._tcp.example.com is missing."),
        (service(443), service(8448), HOST, "_matrix-fed._tcp.example.com leads to matrix.example.com:443."),
        (service(8448, "old.example."), service(8448), HOST, "leads to old.example:8448."),
        (service(0, "."), service(8448), HOST, "leads to nowhere (.)."),
        (service(8448), service(8448), ALIAS, "which is an alias (CNAME, host.example.net)"),
    ],
)
def test_service_records(
    fed: tuple[ServiceRecord, ...], old: tuple[ServiceRecord, ...], host: Name, cause: str
) -> None:
    """Each way in which SRV records are wrong is named; with the lines to publish where they are."""
    lookup = zone(dns_name(BASE, federation=fed, federation_old=old), host)
    found = checks(choices(Delegation.SRV), lookup, MISSING)
    check = found["service records"]
    assert check.result is Result.FAIL
    assert cause in check.what
    if host is HOST:
        assert check.next.splitlines()[-1].endswith(f"._tcp.{BASE}. IN SRV 10 0 8448 {CLIENT}.")


@pytest.mark.parametrize("delegation", [Delegation.SRV, Delegation.DIRECT])
def test_a_valid_well_known_is_in_the_way(delegation: Delegation) -> None:
    """Where the answer must not be valid, a valid one is the failure, whatever it says."""
    records = service(8448) if delegation is Delegation.SRV else ()
    base = dns_name(BASE, "192.0.2.1", federation=records, federation_old=records)
    found = checks(choices(delegation), zone(base, HOST), DELEGATES)
    assert found["server well-known"].result is Result.FAIL
    assert f"other servers follow it to {CLIENT}:443" in found["server well-known"].what
    assert found["discovery"].result is Result.CANNOT_TELL


def test_srv_records_divert_from_direct() -> None:
    """With the delegation direct, SRV records lead away and must go."""
    found = checks(choices(Delegation.DIRECT), zone(dns_name(BASE, "192.0.2.1", federation=service(8448))), MISSING)
    assert found["service records"].result is Result.FAIL


def test_direct_on_a_port_nobody_tries() -> None:
    """Without a port in the server name other servers try 8448 and no other one."""
    found = checks(choices(Delegation.DIRECT, port=443), zone(dns_name(BASE, "192.0.2.1")), MISSING)
    assert found["discovery"].result is Result.FAIL
    assert "Other servers do not end up at example.com:443" in found["discovery"].what
    assert "example.com:8448" in found["discovery"].next


def test_a_port_in_the_name_needs_neither() -> None:
    """A server name with a port is not looked for in well-known answers or SRV records."""
    answers = choices(Delegation.DIRECT, server_name=f"{BASE}:8449", port=8449)
    found = checks(answers, zone(dns_name(BASE, "192.0.2.1")), DELEGATES)
    assert results(found) == {"discovery": "pass"}


def test_silent_dns_proves_nothing() -> None:
    """SRV records that could not be asked for are no failure."""
    found = checks(choices(Delegation.SRV), zone(dns_name(BASE, problem="SERVFAIL")), MISSING)
    assert found["service records"].result is Result.CANNOT_TELL
    assert found["discovery"].result is Result.CANNOT_TELL
