"""The ledger: what counts, what it refuses and until when, and what survives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palpo_installer.certificates import ledger
from palpo_installer.certificates.ledger import LETS_ENCRYPT, LETS_ENCRYPT_STAGING, Attempt, Limit, Outcome
from palpo_installer.errors import HostError

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NAME = "matrix.example.com"


def tried(outcome: Outcome, ago: timedelta, directory: str = LETS_ENCRYPT, name: str = NAME) -> Attempt:
    """Return an attempt of the past."""
    return Attempt(f"{outcome} {ago} {name}", NOW - ago, directory, name, "order", outcome)


@pytest.mark.parametrize("fifth", ["failed", "unknown"])
def test_the_sixth_failure_in_an_hour_is_refused(fifth: Outcome) -> None:
    """Five may fail in an hour; what has no outcome counts as failed."""
    four = [tried("failed", timedelta(minutes=minute)) for minute in range(4)]
    assert ledger.refusal(four, LETS_ENCRYPT, NAME, NOW) is None
    refused = ledger.refusal([*four, tried(fifth, timedelta(minutes=5))], LETS_ENCRYPT, NAME, NOW)
    assert refused is not None
    assert "too many orders for it failed" in refused.what


def test_the_next_safe_time_is_told() -> None:
    """After five failures at once the next try is twelve minutes later, and then it is let through."""
    five = [replace(tried("failed", timedelta()), id=str(number)) for number in range(5)]
    refused = ledger.refusal(five, LETS_ENCRYPT, NAME, NOW)
    assert refused is not None
    assert "2026-11-20 12:12 UTC" in refused.next
    assert ledger.refusal(five, LETS_ENCRYPT, NAME, NOW + timedelta(minutes=12)) is None


@pytest.mark.parametrize("outcome", ["issued", "unknown"])
def test_the_sixth_certificate_in_a_week_is_refused(outcome: Outcome) -> None:
    """Five certificates for the same name, then one every 33.6 hours; what has no outcome counts as issued."""
    five = [tried(outcome, timedelta(hours=2 + hour)) for hour in range(5)]
    refused = ledger.refusal(five, LETS_ENCRYPT, NAME, NOW)
    assert refused is not None
    assert "too many certificates" in refused.what
    assert "2026-11-21 15:36 UTC" in refused.next


def test_what_does_not_count() -> None:
    """Other names, other directories, renewals of nothing and what is long past leave an order free."""
    others = [tried("failed", timedelta(minutes=minute), name="example.com") for minute in range(9)]
    elsewhere = [tried("unknown", timedelta(minutes=minute), directory="https://x/dir") for minute in range(9)]
    looked = [tried("not due", timedelta(minutes=minute)) for minute in range(9)]
    past = [tried("unknown", timedelta(days=8, minutes=minute)) for minute in range(5)]
    assert ledger.refusal([*others, *elsewhere, *looked, *past], LETS_ENCRYPT, NAME, NOW) is None


def test_staging_forgives_more() -> None:
    """Let's Encrypt's staging directory lets many more fail than its production one."""
    many = [tried("failed", timedelta(minutes=minute), LETS_ENCRYPT_STAGING) for minute in range(50)]
    assert ledger.refusal(many, LETS_ENCRYPT_STAGING, NAME, NOW) is None
    assert ledger.refusal([replace(each, directory="https://x/dir") for each in many], "https://x/dir", NAME, NOW)


def test_the_word_of_the_ca_counts() -> None:
    """A single failure is enough where the CA said when to come back."""
    later = NOW + timedelta(hours=3, seconds=1)
    told = replace(tried("failed", timedelta(minutes=1)), not_again_before=later)
    refused = ledger.refusal([told], LETS_ENCRYPT, NAME, NOW)
    assert refused is not None
    assert "2026-11-20 15:01 UTC" in refused.next
    assert ledger.refusal([told], LETS_ENCRYPT, NAME, later) is None


@given(st.lists(st.integers(0, 7200), max_size=30))
def test_the_time_that_is_told_is_free(ago: list[int]) -> None:
    """Whatever was used, the promised time is the first at which one more use is within the limit."""
    limit = Limit(5, timedelta(hours=1))
    uses = [NOW - timedelta(seconds=seconds) for seconds in ago]
    free = limit.free_at(uses, NOW)
    assert limit.free_at(uses, free + timedelta(milliseconds=1)) == free + timedelta(milliseconds=1)
    assert free == NOW or limit.free_at(uses, free - timedelta(seconds=1)) > free - timedelta(seconds=1)


def test_it_survives(tmp_path: Path) -> None:
    """Attempts are read as written, private to root, and an outcome replaces the unknown one."""
    path = tmp_path / "state" / "ledger.jsonl"
    assert ledger.attempts(path) == ()
    first = ledger.begin(path, LETS_ENCRYPT, NAME, "trial", NOW)
    second = ledger.begin(path, LETS_ENCRYPT, NAME, "order", NOW)
    ended = replace(first, outcome="failed", error="rateLimited", not_again_before=NOW + timedelta(hours=1))
    ledger.append(path, ended)
    assert ledger.attempts(path) == (ended, second)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_line_harms_nothing(tmp_path: Path) -> None:
    """Half a line, and zeros where a line should be, are left out; what comes after them counts."""
    path = tmp_path / "ledger.jsonl"
    first = ledger.begin(path, LETS_ENCRYPT, NAME, "order", NOW)
    whole = path.read_bytes()
    for torn in (whole[:40], b"\0" * 40, b'{"id": 1}'):
        path.write_bytes(whole + torn)
        assert ledger.attempts(path) == (first,)
        second = ledger.begin(path, LETS_ENCRYPT, NAME, "order", NOW)
        assert ledger.attempts(path) == (first, second)


def test_no_order_without_a_ledger(tmp_path: Path) -> None:
    """Where the ledger cannot be written the order is refused before it begins, and the file is named."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "ledger.jsonl"
    with pytest.raises(HostError, match="cannot be written") as failed:
        ledger.begin(path, LETS_ENCRYPT, NAME, "order", NOW)
    assert failed.value.where == str(path)
