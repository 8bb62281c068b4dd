"""CAA records, as RFC 8659 and RFC 8657 have them."""

from __future__ import annotations

import pytest

from palpo_installer.certificates import caa

IDENTITIES = ("letsencrypt.org", "le.example")
ACCOUNT = "https://acme-v02.api.letsencrypt.org/acme/acct/1"


def obstacle(*records: str, account: str = ACCOUNT, wildcard: bool = False) -> str | None:
    """Return why these records forbid, None where everyone may issue."""
    properties = caa.relevant(records, wildcard=wildcard)
    return None if properties is None else caa.obstacle(properties, IDENTITIES, "http-01", account)


@pytest.mark.parametrize(
    "records",
    [
        ("0 issue letsencrypt.org",),
        ('0 issue "letsencrypt.org"',),
        ("128 ISSUE LetsEncrypt.org.",),
        ("0 issue pki.goog", "0 issue le.example"),
        ("0 issue letsencrypt.org; validationmethods=dns-01,http-01",),
        (f"0 issue letsencrypt.org ;validationmethods=http-01; accounturi={ACCOUNT}",),
        ("0 issue letsencrypt.org; validationmethods=dns-01", "0 issue letsencrypt.org"),
        ("0 issue letsencrypt.org", "0 issuewild ;"),
    ],
)
def test_what_allows(records: tuple[str, ...]) -> None:
    """One matching record is enough, in any case and order, with parameters that fit."""
    assert obstacle(*records) == ""


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (("0 issue ;",), "they allow nobody"),
        (('0 issue ""',), "they allow nobody"),
        (("0 issue pki.goog", "0 issue sectigo.com"), "they allow pki.goog, sectigo.com only"),
        (("0 issue notletsencrypt.org",), "they allow notletsencrypt.org only"),
        (("0 issue letsencrypt.org; validationmethods=dns-01",), "by dns-01 only, and not by http-01"),
        (("0 issue letsencrypt.org; accounturi=https://x/2",), "the account https://x/2 only"),
        (("0 issue letsencrypt.org; %%%%",), "they allow nobody"),
    ],
)
def test_what_forbids(records: tuple[str, ...], why: str) -> None:
    """Other CAs, nobody, other methods, other accounts and malformed values keep us out, with the reason."""
    assert why in (obstacle(*records) or "")


def test_who_is_not_spoken_to() -> None:
    """Without issue records everyone may issue, whatever other records say."""
    assert obstacle() is None
    assert obstacle("0 iodef mailto:a@example.com", "0 issuewild ;") is None


def test_wildcards_have_their_own_records() -> None:
    """A wildcard has the tag issuewild, which replaces issue for it and for nothing else."""
    records = ("0 issue pki.goog", "0 issuewild letsencrypt.org")
    assert obstacle(*records, wildcard=True) == ""
    assert obstacle(*records) == "they allow pki.goog only"
    assert obstacle("0 issue letsencrypt.org", wildcard=True) == ""


def test_critical_tags() -> None:
    """An unknown tag forbids only where it is critical."""
    assert caa.unknown_critical(("128 tbs Unknown", "0 auth x", "128 issue ;", "129 new x")) == ("tbs", "new")


def test_an_account_that_must_order() -> None:
    """It is named where every record that lets the CA issue is bound to one."""
    bound = caa.relevant((f"0 issue letsencrypt.org; accounturi={ACCOUNT}", "0 issue pki.goog"), wildcard=False)
    free = caa.relevant((f"0 issue letsencrypt.org; accounturi={ACCOUNT}", "0 issue le.example"), wildcard=False)
    assert bound is not None
    assert free is not None
    assert caa.bound_to_account(bound, IDENTITIES) == ACCOUNT
    assert caa.bound_to_account(free, IDENTITIES) == ""
