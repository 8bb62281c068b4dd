"""What a failed order says to people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from palpo_installer.certificates.explanation import explain
from palpo_installer.certificates.protocol import Problem, Result
from palpo_installer.errors import AnswersError, HostError, InstallerError, OrderRefused

NAME = "example.com"
DIRECTORY = "https://ca.example/dir"
LOGS = Path("/var/log/palpo-installer/certbot")


def explained(*problems: Problem, error: str = "AuthorizationError", text: str = "Some failed.") -> InstallerError:
    """Return the error for a result."""
    return explain(NAME, DIRECTORY, Result("failed", error, text, problems), LOGS)


@pytest.mark.parametrize(
    ("kind", "what", "following"),
    [
        ("dns", "cannot look up example.com", "A and AAAA records exist"),
        ("connection", "cannot connect to example.com on port 80", "firewall"),
        ("unauthorized", "something else than this host's proof answered", "lead to this host alone"),
        ("incorrectResponse", "something else than this host's proof answered", "lead to this host alone"),
        ("caa", "CAA records forbid", "Add a CAA record"),
        ("rejectedIdentifier", "does not issue for example.com", "certificates.directory"),
        ("serverInternal", "trouble of its own", "later"),
        ("somethingNew", "refuses the order for example.com (somethingNew)", "letsencrypt.log"),
    ],
)
def test_the_words_of_the_ca_and_the_cure(kind: str, what: str, following: str) -> None:
    """Each kind of refusal has its sentence and its cure, and always the CA's own words with the name."""
    error = explained(Problem(kind, "The CA's own words", NAME))
    assert isinstance(error, OrderRefused)
    assert what in error.what
    assert "example.com: The CA's own words" in error.what
    assert following in error.next
    assert error.where == DIRECTORY


def test_every_name_has_its_words() -> None:
    """When several things went wrong all are told."""
    error = explained(Problem("dns", "NXDOMAIN", NAME), Problem("caa", "forbidden", "www.example.com"))
    assert "example.com: NXDOMAIN; www.example.com: forbidden" in error.what


def test_ipv6_is_recognised() -> None:
    """A connection that failed at an IPv6 address names the AAAA record."""
    detail = "198.51.100.7: Fetching http://example.com/…: connecting to [2001:db8::7]:80: Connection refused"
    assert "AAAA" in explained(Problem("connection", detail, NAME)).next


def test_a_rate_limit_has_its_time() -> None:
    """The next try is not before the CA's time, rounded up to the minute."""
    when = datetime(2026, 11, 22, 18, 14, 1, tzinfo=UTC)
    error = explained(Problem("rateLimited", "too many", "", when), error="Error")
    assert isinstance(error, OrderRefused)
    assert error.next == "Try again after 2026-11-22 18:15 UTC"


@pytest.mark.parametrize(
    ("problem", "text", "key"),
    [
        (Problem("externalAccountRequired", "bind"), "x", "certificates.eab_file"),
        (None, "Server requires external account binding. Please use --eab-kid.", "certificates.eab_file"),
        (None, "Please read the Terms of Service at: https://ca.example/terms", "certificates.agree_terms"),
        (Problem("invalidContact", "no such domain"), "x", "certificates.email"),
    ],
)
def test_what_an_answer_cures(problem: Problem | None, text: str, key: str) -> None:
    """What is wrong with the account names the answer to change, whether the CA or certbot found it."""
    error = explained(*([problem] if problem else []), error="Error", text=text)
    assert isinstance(error, AnswersError)
    assert error.where == key


@pytest.mark.parametrize(
    ("error", "text", "what"),
    [
        ("ConnectionError", "… [Errno 111] Connection refused", "the connection is refused"),
        ("SSLError", "… CERTIFICATE_VERIFY_FAILED …", "certificate is not trusted"),
        ("ConnectionError", "… NameResolutionError …", "not found in DNS"),
        ("ReadTimeout", "… Read timed out.", "does not answer in time"),
        ("Error", "… [Errno 28] No space left on device: '/x'", "the disk is full"),
    ],
)
def test_what_is_between_us_and_the_ca(error: str, text: str, what: str) -> None:
    """The network and the disk are told apart from a refusal."""
    found = explained(error=error, text=text)
    assert isinstance(found, HostError)
    assert what in found.what


def test_what_nobody_foresaw() -> None:
    """Certbot's own words in one line, and where its log is."""
    error = explained(error="PluginError", text="Something\n  unheard of.\n")
    assert "certbot could not order for example.com: Something unheard of" in error.what
    assert error.next == "Certbot's log: /var/log/palpo-installer/certbot/letsencrypt.log"
