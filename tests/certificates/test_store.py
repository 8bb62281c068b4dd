"""Where certificates lie, and which can be used."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palpo_installer.answers import CertificateFiles, Certificates, Method
from palpo_installer.certificates import authority, store
from palpo_installer.errors import AnswersError
from palpo_installer.facts.certificates import Certificate
from palpo_installer.host import Host
from palpo_installer.layout import Layout

BROUGHT = CertificateFiles(Path("/srv/chain.pem"), Path("/srv/key.pem"))
LAYOUT = Layout()
NOW = datetime(2026, 11, 20, tzinfo=UTC)
GOOD = Certificate(
    chain=BROUGHT.chain,
    key=BROUGHT.key,
    names=("example.com", "*.example.net", "2001:db8::1"),
    issuer="A CA",
    sha256="00",
    not_before=NOW - timedelta(days=59),
    not_after=NOW + timedelta(days=31),
    matches_key=True,
)


def answers(method: Method) -> Certificates:
    """Return answers with one method, and files for one name."""
    return Certificates(method, "", True, "https://ca.example/dir", None, None, "", {"example.com": BROUGHT})


@pytest.mark.parametrize(
    ("method", "chain"),
    [
        (Method.HTTP_01, "/etc/palpo-installer/acme/live/palpo-example.com/fullchain.pem"),
        (Method.SELF_SIGNED, "/etc/palpo-installer/self-signed/example.com/fullchain.pem"),
        (Method.FILES, "/srv/chain.pem"),
    ],
)
def test_each_method_has_its_place(method: Method, chain: str) -> None:
    """The paths are known before anything is ordered."""
    assert store.paths(answers(method), LAYOUT, "example.com").chain == Path(chain)


def test_names_become_safe_paths() -> None:
    """An IPv6 literal gives a path without brackets and colons."""
    assert store.self_signed(LAYOUT, "[2001:db8::1]").key.parent.name == "2001-db8--1"
    assert store.lineage("[2001:db8::1]") == "palpo-2001-db8--1"


def test_what_has_no_files_is_said() -> None:
    """A name without files, and a proxy that keeps its own, name the answer to change."""
    with pytest.raises(AnswersError) as refused:
        store.paths(answers(Method.FILES), LAYOUT, "other.example.com")
    assert refused.value.where == 'certificates.files."other.example.com"'
    with pytest.raises(AnswersError, match=r"certificates\.method"):
        store.paths(answers(Method.PROXY), LAYOUT, "other.example.com")


@pytest.mark.parametrize(
    ("certificate", "name", "why"),
    [
        (GOOD, "example.com", ""),
        (GOOD, "EXAMPLE.com", ""),
        (GOOD, "a.example.net", ""),
        (GOOD, "[2001:db8::1]", ""),
        (GOOD, "a.example.com", "not for a.example.com"),
        (GOOD, "a.b.example.net", "not for a.b.example.net"),
        (None, "example.com", "there is no certificate"),
        (replace(GOOD, matches_key=False), "example.com", "not its own"),
        (replace(GOOD, matches_key=None), "example.com", "not its own"),
        (replace(GOOD, not_before=NOW + timedelta(hours=1)), "example.com", "not valid before 2026-11-20 01:00"),
        (replace(GOOD, not_after=NOW), "example.com", "expired at 2026-11-20 00:00"),
        (replace(GOOD, not_after=NOW + timedelta(days=29)), "example.com", "due for renewal"),
    ],
)
def test_what_can_be_used(certificate: Certificate | None, name: str, why: str) -> None:
    """Name, key, time and a third of the lifetime decide, and the reason is told."""
    found = store.usable(certificate, name, NOW)
    assert why in found
    assert bool(why) == bool(found)


def test_how_much_must_be_left_can_be_said() -> None:
    """What is due is still in time."""
    due = replace(GOOD, not_after=NOW + timedelta(seconds=1))
    assert store.usable(due, "example.com", NOW)
    assert not store.usable(due, "example.com", NOW, remaining=0)


def test_reading_what_is_on_disk(tmp_path: Path) -> None:
    """A chain and its key are read; a missing or broken chain is no certificate, another's key does not fit."""
    layout = Layout(root=tmp_path)
    host, files = Host(layout), authority.issue("example.com", layout)
    other = authority.issue("example.org", layout)
    assert not store.usable(store.read(host, files), "example.com", datetime.now(UTC))
    mixed = store.read(host, CertificateFiles(files.chain, other.key))
    assert "not its own" in store.usable(mixed, "example.com", datetime.now(UTC))
    other.chain.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    assert store.read(host, other) is None
    assert store.read(host, CertificateFiles(tmp_path / "none", files.key)) is None


def test_what_certbot_remembers(tmp_path: Path) -> None:
    """The directory and the account of a lineage are read where they are, and otherwise not known."""
    layout, url = Layout(root=tmp_path), "https://ca.example:14000/dir"
    host = Host(layout)
    assert store.issued_by(host, layout, "example.com") == ""
    assert store.account(host, layout, url) == ""
    renewal = layout.acme / "renewal"
    renewal.mkdir(parents=True)
    (renewal / "palpo-example.com.conf").write_text(f"[renewalparams]\naccount = 1\nserver = {url}\n")
    for number in ("one", "two"):
        account = layout.acme / "accounts/ca.example:14000/dir" / number
        account.mkdir(parents=True)
        (account / "regr.json").write_text(json.dumps({"uri": f"https://ca.example/acct/{number}"}))
        if number == "one":
            assert store.account(host, layout, url) == "https://ca.example/acct/one"
    assert store.issued_by(host, layout, "example.com") == url
    assert store.account(host, layout, url) == ""
