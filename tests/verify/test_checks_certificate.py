"""What a certificate that is shown is worth."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palpo_installer.answers import Method
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.verify.checks_certificate import THEIRS, installed_chains, judge, leaf_on_disk
from palpo_installer.verify.report import Check, Result
from palpo_installer.verify.trust import INCOMPLETE, trusting
from palpo_installer.verify.view import Endpoint
from tests.verify.worlds import CLIENT, Authority, authority, choices

HERE = Endpoint(CLIENT, 443, tls=True, ours=True)


@pytest.fixture
def issuer(tmp_path: Path) -> Authority:
    """An authority."""
    return authority(tmp_path)


def der(chain: Path) -> bytes:
    """Return the leaf of a PEM file."""
    return ssl.PEM_cert_to_DER_cert(chain.read_text())


def judged(shown: bytes, objection: str = "", disk: bytes | None = None, *, local: bool = False) -> Check:
    """Return what is said of a certificate."""
    return judge(HERE, "192.0.2.1", shown, objection, disk, now=datetime.now(UTC), local=local)


def test_fresh_and_the_one_on_disk(issuer: Authority) -> None:
    """A good certificate passes with its days, its issuer, and that it is the one on disk."""
    leaf = der(issuer.issue(CLIENT, days=60.5).chain)
    check = judged(leaf, disk=leaf)
    assert check.result is Result.PASS
    assert check.what == f"Valid for {CLIENT}, 60 days left, from Lab Authority; the one on disk."


@pytest.mark.parametrize(("days", "age", "result"), [(8, 82, Result.FAIL), (10, 80, Result.PASS), (2, 4, Result.PASS)])
def test_due_for_long(issuer: Authority, days: float, age: float, result: Result) -> None:
    """A tenth of its life before its end a certificate should have been renewed; short-lived ones are no exception."""
    assert judged(der(issuer.issue(CLIENT, days=days, age=age).chain)).result is result


def test_another_one_on_disk(issuer: Authority) -> None:
    """A certificate that is not the one on disk fails and sends the person to the reload."""
    shown, disk = der(issuer.issue(CLIENT).chain), der(issuer.issue(CLIENT, to="new").chain)
    check = judged(shown, disk=disk)
    assert check.result is Result.FAIL
    assert "Reload the proxy" in check.next


def test_objections_name_what_is_shown(issuer: Authority) -> None:
    """A certificate that nobody accepts is described by its names and issuer; garbage is no exception."""
    check = judged(der(issuer.issue("other.example").chain), f"it is not for {CLIENT}")
    assert check.result is Result.FAIL
    assert "It is for other.example, from Lab Authority, until" in check.what
    assert "it cannot be read" in judged(b"garbage").what


def test_who_keeps_a_certificate_is_told_to_put_it_right() -> None:
    """Ours is renewed by a command of ours, which would do nothing for that of somebody else's site."""
    assert "palpo-installer renew" in judged(b"garbage").next
    shown = judge(HERE, "192.0.2.1", b"", "it has ended", None, now=datetime.now(UTC), local=False, cure=THEIRS)
    assert "palpo-installer" not in shown.next
    assert f"a certificate of {CLIENT} with its whole chain" in shown.next


def test_another_order_is_not_asked_for_where_it_would_change_nothing(issuer: Authority) -> None:
    """The one that was ordered is shown, and its authority is not trusted: renewing it would bring the same."""
    shown = der(issuer.issue(CLIENT).chain)
    check = judged(shown, INCOMPLETE, disk=shown)
    assert check.result is Result.FAIL
    assert "palpo-installer renew" not in check.next
    assert "palpo-installer verify --trust FILE" in check.next
    assert "palpo-installer renew" in judged(shown, "it has expired", disk=shown).next


def test_local_authority_is_reported_as_such(issuer: Authority) -> None:
    """A certificate of the local authority passes, and says who does not trust it."""
    check = judged(der(issuer.issue(CLIENT).chain), local=True)
    assert check.result is Result.PASS
    assert "no other server or client trusts" in check.what


def test_leaf_on_disk(issuer: Authority, tmp_path: Path) -> None:
    """The first certificate of a chain is read; a missing or broken file is no certificate."""
    files = issuer.issue(CLIENT)
    (tmp_path / "broken.pem").write_text("broken")
    assert leaf_on_disk(Host(), files.chain) == der(files.chain)
    assert leaf_on_disk(Host(), tmp_path / "missing.pem") is None
    assert leaf_on_disk(Host(), tmp_path / "broken.pem") is None
    assert leaf_on_disk(Host(), tmp_path) is None


def test_where_the_certificates_are(issuer: Authority) -> None:
    """The files compared are those of the method; a proxy's own are not known."""
    layout = Layout()
    answers = choices(files={CLIENT: issuer.issue(CLIENT)})
    site = build(answers, layout)
    assert installed_chains(answers, site, layout) == {CLIENT: issuer.directory / CLIENT / "fullchain.pem"}
    ordered = replace(answers, certificates=replace(answers.certificates, method=Method.HTTP_01))
    assert set(installed_chains(ordered, site, layout)) == set(site.certificates)
    kept = replace(answers, certificates=replace(answers.certificates, method=Method.PROXY))
    assert set(installed_chains(kept, build(kept, layout), layout)) == {CLIENT}
    none = replace(kept, certificates=replace(kept.certificates, files={}))
    assert installed_chains(none, build(none, layout), layout) == {}


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing or broken file of authorities is an error before anything is asked."""
    (tmp_path / "empty.pem").write_text("")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(HostError, match="the authority's certificate cannot be read"):
            trusting(tmp_path / name)
