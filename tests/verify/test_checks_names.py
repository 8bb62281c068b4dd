"""Names in DNS."""

from __future__ import annotations

from palpo_installer.answers import BaseDomain
from palpo_installer.verify.checks_names import check_names
from palpo_installer.verify.report import Check, Result
from tests.verify.worlds import BASE, CLIENT, Zone, choices, dns_name, view, zone

OWN = frozenset({"192.0.2.1", "8.8.4.4", "2620:fe::9", "172.17.0.1", "fe80::1", "127.0.0.1"})


def checks(lookup: Zone, base_domain: BaseDomain = BaseDomain.OURS) -> dict[str, Check]:
    """Return the checks by name."""
    return {check.subject: check for check in check_names(view(choices(base_domain=base_domain), lookup, own=OWN))}


def test_addresses_of_this_machine_and_others() -> None:
    """Which addresses are this machine's is said; another's is no failure by itself."""
    found = checks(zone(dns_name(BASE, "192.0.2.1", "192.0.2.9"), dns_name(CLIENT, "192.0.2.1", alias="host.example")))
    assert found[BASE].result is Result.PASS
    assert "192.0.2.1 (this machine) and 192.0.2.9 (another machine, or a router" in found[BASE].what
    assert "is an alias of host.example" in found[CLIENT].what


def test_no_address_fails_with_the_lines_to_publish() -> None:
    """A name without addresses fails with the records of this machine's public addresses."""
    found = checks(zone(dns_name(BASE, "192.0.2.1")))[CLIENT]
    assert found.result is Result.FAIL
    assert found.next.splitlines()[1:] == [f"{CLIENT}. 3600 IN AAAA 2620:fe::9", f"{CLIENT}. 3600 IN A 8.8.4.4"]


def test_a_website_elsewhere_is_not_sent_here() -> None:
    """For a base domain that another machine serves, this machine's addresses are not proposed."""
    found = checks(zone(dns_name(CLIENT, "192.0.2.1")), BaseDomain.ELSEWHERE)[BASE]
    assert found.result is Result.FAIL
    assert "8.8.4.4" not in found.next


def test_silent_name_servers_prove_nothing() -> None:
    """DNS that could not be asked is no failure."""
    found = checks(zone(dns_name(BASE, problem="SERVFAIL"), dns_name(CLIENT, "192.0.2.1")))[BASE]
    assert found.result is Result.CANNOT_TELL
    assert "SERVFAIL" in found.what
