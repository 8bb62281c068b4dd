"""What is said beside the questions: the account, consequences, DNS records to copy, rows of certificates."""

from __future__ import annotations

from dataclasses import replace

from palpo_installer.conversation import PAGES, Page, talk
from palpo_installer.facts import Facts
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.layout import Layout
from palpo_installer.screens.asides import Seen, aside, named
from palpo_installer.screens.form import Aside
from tests.situations import certificate, facts, name

PAGE: dict[str, Page] = {page.name: page for page in PAGES}


def beside(
    page: str, given: dict[str, object], seen: Facts | None = None, terms: dict[str, str] | None = None
) -> Aside:
    """Return what a page says beside its questions."""
    known, layout = seen or facts(), Layout()
    return aside(PAGE[page], Seen(given, talk(given, known, layout), known, layout, terms or {}))


def below(given: dict[str, object], seen: Facts | None = None) -> str:
    """Return the consequences of a delegation."""
    return beside("delegation", {"names.server_name": "example.com", **given}, seen).below


def test_the_account_is_shown_as_it_will_be() -> None:
    """While the server name is typed, the account stands above it; nothing is made up from a wrong one."""
    assert beside("names", {"names.server_name": "example.com"}).above == "@you:example.com  for ever"
    assert beside("names", {"names.server_name": "exa mple"}).above == "@you:?  for ever"


def test_a_name_without_address_gets_lines_to_copy() -> None:
    """One line for each public address of this host, in the form of a zone file."""
    seen = facts(names=(name("matrix.example.com"),), addresses=("203.0.113.5", "9.9.9.9", "2620:fe::fe", "127.0.0.1"))
    said = below({}, seen)
    assert "! matrix.example.com: no address yet." in said
    assert "matrix.example.com. IN A 9.9.9.9" in said
    assert "matrix.example.com. IN AAAA 2620:fe::fe" in said
    assert "127.0.0.1" not in said
    assert "  example.com: asking ..." in said


def test_a_name_that_leads_here_and_one_that_does_not_are_told_apart() -> None:
    """Where a name leads is said beside its addresses."""
    said = below({}, facts(names=(name("matrix.example.com", "203.0.113.5"), name("example.com", "198.51.100.1"))))
    assert "matrix.example.com: 203.0.113.5 (this host)" in said
    assert "example.com: 198.51.100.1 (another machine, or a router in front of this one)" in said


def test_srv_records_that_are_missing_are_given_to_copy() -> None:
    """What is there is not asked for again; what is missing is one line each."""
    there = (ServiceRecord(10, 0, 8448, "matrix.example.com"),)
    known = Name("example.com", ("203.0.113.5",), "", there, (), (), "")
    said = below({"federation.delegation": "srv"}, facts(names=(known,))).splitlines()
    there_at, add_at = said.index("  these records are there:"), said.index("  ! records to add:")
    assert said[there_at + 1] == "    _matrix-fed._tcp.example.com. IN SRV 10 0 8448 matrix.example.com."
    assert said[add_at + 1] == "    _matrix._tcp.example.com. IN SRV 10 0 8448 matrix.example.com."


def test_ports_and_certificates_follow_the_choice() -> None:
    """SRV needs a port and a certificate of the server name here; well-known elsewhere needs neither."""
    srv = below({"federation.delegation": "srv", "names.base_domain": "elsewhere"})
    assert "Ports open from outside: 80, 443, 8448" in srv
    assert "Certificates on this host for: matrix.example.com, example.com" in srv
    away = below({"names.base_domain": "elsewhere"})
    assert "Ports open from outside: 80, 443\n" in away
    assert "Certificates on this host for: matrix.example.com\n" in away
    assert "What the website of example.com must answer" in away


def test_terms_stand_at_the_tick() -> None:
    """The link, once the authority has said it; until then, that it is asked."""
    given: dict[str, object] = {"names.server_name": "example.com", "certificates.directory": "https://ca.example/dir"}
    asked = beside("certificates", given).notes["certificates.agree_terms"]
    assert asked == "asking https://ca.example/dir for its terms ..."
    read = beside("certificates", given, terms={"https://ca.example/dir": "The terms: https://ca.example/tos"})
    assert read.notes["certificates.agree_terms"] == "The terms: https://ca.example/tos"


def test_certificates_that_are_there_are_offered_by_name() -> None:
    """A row for each name that needs one: found on the host, else as typed, else empty."""
    given: dict[str, object] = {"names.server_name": "example.com", "certificates.method": "files"}
    found = facts(certificates=(certificate("/etc/ssl/all", "example.com", "matrix.example.com"),))
    rows = beside("certificates", given, found).rows
    assert rows["example.com"] == ("/etc/ssl/all/fullchain.pem", "/etc/ssl/all/privkey.pem")
    typed = beside("certificates", {**given, "certificates.files": {"example.com": {"chain": "/a.pem"}}}).rows
    assert typed == {"matrix.example.com": ("", ""), "example.com": ("/a.pem", "")}


def test_dns_is_asked_for_names_and_never_for_addresses() -> None:
    """The host that clients use and the base domain; an IP literal is no name."""
    layout, known = Layout(), facts()
    given: dict[str, object] = {"names.server_name": "192.0.2.1:8448", "names.client_host": "matrix.example.com"}
    seen = Seen(given, talk(given, known, layout), known, layout, {})
    assert named(seen.situation) == ("matrix.example.com",)


def test_a_port_that_somebody_else_holds_is_said_where_it_is_chosen() -> None:
    """With the choice that needs it, and gone with another: 8448 for srv, 80 for a proof."""
    python = {"process": "python3", "pid": 77, "unit": "", "container": ""}
    taken = [Listener("0.0.0.0", 8448, False, **python), Listener("::", 80, False, **python)]  # type: ignore[arg-type]
    seen = replace(facts(), listeners=tuple(taken))
    line = "! 0.0.0.0:8448 is held by python3 (process 77); nginx needs it"
    assert line in below({"federation.delegation": "srv"}, seen)
    assert line not in below({}, seen)
    given: dict[str, object] = {"names.server_name": "example.com"}
    assert "! [::]:80 is held" in beside("certificates", given, seen).below
    assert beside("certificates", {**given, "certificates.method": "self-signed"}, seen).below == ""
