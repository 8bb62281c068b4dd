"""What is found before an order, and what of it forbids the order."""

from __future__ import annotations

import pytest

from palpo_installer.certificates.directory import Directory
from palpo_installer.certificates.ledger import LETS_ENCRYPT
from palpo_installer.certificates.preflight import Finding, preflight
from palpo_installer.facts.names import Name
from palpo_installer.facts.system import System

PUBLIC4, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"
OTHER4, OTHER6 = "93.184.216.99", "2606:2800:220:9::9"
PUBLIC_CA = Directory(LETS_ENCRYPT, "", False, ("letsencrypt.org",))
OWN_CA = Directory("https://ca.lan/dir", "", False, ("ca.lan",))
ACCOUNT = "https://acme-v02.api.letsencrypt.org/acme/acct/1"


def name(*addresses: str, caa: tuple[str, ...] = (), problem: str = "", text: str = "matrix.example.com") -> Name:
    """Return what DNS says of a name."""
    return Name(text, addresses, "", (), (), caa, problem)


def found(
    what: Name,
    ours: tuple[str, ...] = (PUBLIC4, PUBLIC6, "127.0.0.1"),
    directory: Directory = PUBLIC_CA,
    account: str = "",
) -> tuple[Finding, ...]:
    """Return the findings for a name on a host with these addresses."""
    system = System("debian", "12", "Debian", "systemd", "disabled", (), ours, ipv6=True, root=True)
    return preflight(what, system, directory, account)


def test_nothing_speaks_against_a_name_that_leads_here() -> None:
    """Both addresses are this host's and the CAA set names the CA: no finding."""
    assert found(name(PUBLIC4, PUBLIC6, caa=("0 issue letsencrypt.org",))) == ()


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (name(problem="SERVFAIL"), "DNS cannot be asked for matrix.example.com: SERVFAIL"),
        (name(), "has no address in DNS"),
        (name("10.0.0.5"), "not reachable from the Internet"),
        (name(PUBLIC4, text=PUBLIC4), "certificates are ordered for names only"),
        (name(PUBLIC4, caa=("0 issue ;",)), "they allow nobody"),
        (name(PUBLIC4, caa=("0 issue pki.goog",)), "they allow pki.goog only"),
        (name(PUBLIC4, caa=("0 issue letsencrypt.org; validationmethods=dns-01",)), "by dns-01 only"),
        (name(PUBLIC4, caa=("128 tbs x",)), "critical tag tbs"),
    ],
)
def test_what_forbids_an_order(what: Name, text: str) -> None:
    """An order that cannot succeed has one finding that forbids it and says what to do."""
    (finding,) = found(what)
    assert finding.blocking
    assert text in finding.text
    assert finding.next


@pytest.mark.parametrize(
    ("what", "ours", "following"),
    [
        (name(OTHER4), (PUBLIC4,), f"the A record should be {PUBLIC4}"),
        (name(OTHER4), ("192.168.1.2", "127.0.0.1"), "Behind address translation this is right"),
        (name(PUBLIC4, OTHER6), (PUBLIC4,), "correct or remove the AAAA record"),
        (name(PUBLIC4, OTHER4), (PUBLIC4,), f"the A record should be {PUBLIC4}"),
        (name(PUBLIC4, "10.0.0.5"), (PUBLIC4,), "Put the public address into DNS"),
    ],
)
def test_an_address_elsewhere_is_told_and_forbids_nothing(what: Name, ours: tuple[str, ...], following: str) -> None:
    """Translation, balancers and content networks look like a mistake, so only the CA can tell."""
    (finding,) = found(what, ours)
    assert not finding.blocking
    assert following in finding.next


def test_a_ca_of_ones_own_reaches_private_addresses() -> None:
    """Names in a private network are right for a CA that is not on the Internet."""
    assert found(name("198.18.0.10", "fd10::10"), directory=OWN_CA) == ()


def test_a_ca_that_does_not_say_its_name() -> None:
    """CAA records cannot be judged then, unless they allow nobody at all."""
    silent = Directory("https://ca.lan/dir", "", False, ())
    (finding,) = found(name(PUBLIC4, caa=("0 issue ca.lan",)), directory=silent)
    assert not finding.blocking
    (finding,) = found(name(PUBLIC4, caa=("0 issue ;",)), directory=silent)
    assert finding.blocking


@pytest.mark.parametrize(("account", "findings"), [("", [False]), (ACCOUNT, []), (ACCOUNT + "9", [True])])
def test_records_bound_to_an_account(account: str, findings: list[bool]) -> None:
    """Ours is right, another's forbids, and where ours is not known yet it is told."""
    what = name(PUBLIC4, caa=(f"0 issue letsencrypt.org; accounturi={ACCOUNT}",))
    assert [finding.blocking for finding in found(what, account=account)] == findings
