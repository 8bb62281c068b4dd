"""What the CA's answers mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from palpo_installer.certificates import protocol
from palpo_installer.certificates.protocol import Problem, Progress, Result

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NAME = {"type": "dns", "value": "example.com"}
ERROR = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "It answered 404", "status": 403}
AUTHORIZATION = {
    "identifier": NAME,
    "status": "invalid",
    "challenges": [{"type": "http-01", "error": ERROR}, {"type": "dns-01"}],
}
LETS_ENCRYPT_SAYS = "too many certificates (5) already issued, retry after 2026-11-22 18:15:00 UTC: see https://x"


def test_a_failed_authorization_names_its_name() -> None:
    """The error stands in the challenge, the name in the authorization."""
    assert protocol.problems(200, {}, AUTHORIZATION, NOW) == [Problem("unauthorized", "It answered 404", "example.com")]


def test_subproblems_replace_their_sum() -> None:
    """A refusal of several names is told name by name (RFC 8555, section 6.7.1)."""
    parts = [{**ERROR, "identifier": {"type": "dns", "value": name}} for name in ("a.example", "b.example")]
    document = {"type": "urn:ietf:params:acme:error:compound", "detail": "Several", "subproblems": parts}
    found = protocol.problems(403, {}, document, NOW)
    assert [(problem.type, problem.identifier) for problem in found] == [
        ("unauthorized", "a.example"),
        ("unauthorized", "b.example"),
    ]


@pytest.mark.parametrize(
    ("header", "detail", "when"),
    [
        ("3600", "slow down", NOW + timedelta(hours=1)),
        ("Fri, 20 Nov 2026 18:15:00 GMT", "slow down", datetime(2026, 11, 20, 18, 15, tzinfo=UTC)),
        ("", LETS_ENCRYPT_SAYS, datetime(2026, 11, 22, 18, 15, tzinfo=UTC)),
        ("soon", "slow down", None),
        ("", "slow down", None),
    ],
)
def test_the_time_of_a_rate_limit(header: str, detail: str, when: datetime | None) -> None:
    """It is read from the header in both forms, or from Let's Encrypt's sentence."""
    document = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": detail}
    (problem,) = protocol.problems(429, {"retry-after": header}, document, NOW)
    assert problem == Problem("rateLimited", detail, "", when)


def test_what_is_no_problem() -> None:
    """A used nonce is tried again by itself; a directory, a pending order and a valid one hold no error."""
    nonce = {"type": "urn:ietf:params:acme:error:badNonce", "detail": "again"}
    assert protocol.problems(400, {}, nonce, NOW) == []
    for document in ({"newOrder": "https://x"}, {"status": "pending", "identifiers": [NAME]}, {"challenges": 1}):
        assert protocol.problems(200, {}, document, NOW) == []


def test_progress_is_told_for_authorizations_only() -> None:
    """Each state of an authorization is a sentence with its name; an order is none."""
    assert protocol.progress(AUTHORIZATION) == "the CA has not found the proof for example.com"
    assert "will ask example.com" in protocol.progress({**AUTHORIZATION, "status": "pending"})
    assert protocol.progress({"status": "valid", "identifiers": [NAME]}) == ""


def test_lines_come_back_as_written() -> None:
    """Parent and child understand each other, times included."""
    problem = Problem("rateLimited", "langsam, bitte …", "example.com", NOW)
    for line in (Progress("x"), Result("done"), Result("failed", "Error", "text\nmore", (problem,))):
        text = protocol.write(line)
        assert text.count("\n") == 1
        assert protocol.parse(text) == line
