"""The ledger: every order ever tried, so that no rerun spends what a CA's limits leave.

One JSON object on each line, only ever appended: an ``Attempt`` before its order is made, and once more with its
outcome. What began and has no outcome may have reached the CA, and counts as used.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cattrs.errors import BaseValidationError

from palpo_installer.errors import HostError, OrderRefused
from palpo_installer.operations.paths import fsync_directory
from palpo_installer.serialization import converter

Purpose = Literal["trial", "order", "renewal"]
Outcome = Literal["unknown", "issued", "failed", "not due"]

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


@dataclass(frozen=True)
class Attempt:
    """One order.

    Attributes:
        id: unique in the ledger.
        began: when, UTC.
        directory: the URL of the ACME directory.
        name: the name that the certificate is for.
        purpose: a trial leaves no certificate behind.
        outcome: ``unknown`` until it ended.
        error: the CA's error type, or ours, where it failed.
        not_again_before: what the CA said about the next try, None where it said nothing.
    """

    id: str
    began: datetime
    directory: str
    name: str
    purpose: Purpose
    outcome: Outcome = "unknown"
    error: str = ""
    not_again_before: datetime | None = None


@dataclass(frozen=True)
class Limit:
    """A bucket that holds ``burst`` tries and is full again after ``period``.

    Let's Encrypt counts this way (letsencrypt.org, "Rate Limits").
    """

    burst: int
    period: timedelta

    def free_at(self, uses: Iterable[datetime], now: datetime) -> datetime:
        """Return when the next try is free: now, or later."""
        each = self.period / self.burst
        level, last = float(self.burst), None
        for use in (*sorted(use for use in uses if use <= now), now):
            if last is not None:
                level = min(self.burst, level - 1 + (use - last) / each)
            last = use
        return now if level >= 1 else now + (1 - level) * each


@dataclass(frozen=True)
class Limits:
    """A CA's limits: failed validations of one name, and certificates for the same set of names."""

    failures: Limit
    certificates: Limit


PRODUCTION = Limits(Limit(5, timedelta(hours=1)), Limit(5, timedelta(days=7)))
STAGING = Limits(Limit(200, timedelta(hours=1)), Limit(30000, timedelta(days=7)))


def limits(directory: str) -> Limits:
    """Return the limits that are kept for a directory: Let's Encrypt's, which are the strictest in wide use."""
    return STAGING if directory == LETS_ENCRYPT_STAGING else PRODUCTION


def attempts(path: Path) -> tuple[Attempt, ...]:
    """Return every attempt in a ledger, none where there is no ledger. What a power cut tore is left out.

    Raises:
        HostError: the ledger is there and cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise HostError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return tuple({attempt.id: attempt for attempt in _lines(data)}.values())


def begin(path: Path, directory: str, name: str, purpose: Purpose, now: datetime) -> Attempt:
    """Record that an order is about to be made. It is on disk when this returns.

    Raises:
        HostError: it cannot be written; then nothing may be ordered.
    """
    attempt = Attempt(uuid.uuid4().hex, now, directory, name, purpose)
    append(path, attempt)
    return attempt


def append(path: Path, attempt: Attempt) -> None:
    """Record what is known of an attempt now; the last line with its id counts.

    Raises:
        HostError: it cannot be written; an outcome that is not recorded stays unknown.
    """
    line = json.dumps(converter.unstructure(attempt), ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if size == 0:
            fsync_directory(path.parent)
    except OSError as error:
        raise HostError(f"cannot be written: {error.strerror}", where=str(path)) from error


def refusal(ledger: Iterable[Attempt], directory: str, name: str, now: datetime) -> OrderRefused | None:
    """Return why no order for a name may be made now, with the time of the next safe one; None when one may."""
    ours = [attempt for attempt in ledger if (attempt.directory, attempt.name) == (directory, name)]
    told = [attempt.not_again_before for attempt in ours if attempt.not_again_before]
    allowed = limits(directory)
    failed = [attempt.began for attempt in ours if attempt.outcome in {"failed", "unknown"}]
    made = [attempt.began for attempt in ours if attempt.outcome in {"issued", "unknown"}]
    waits = (
        (max(told, default=now), "the CA asked to wait"),
        (allowed.failures.free_at(failed, now), "too many orders for it failed lately"),
        (allowed.certificates.free_at(made, now), "too many certificates for it were issued lately"),
    )
    when, why = max(waits, key=lambda wait: wait[0])
    if when <= now:
        return None
    return OrderRefused(
        f"no certificate is ordered for {name} now: {why}, and another try could lock it out for longer",
        where=directory,
        next=f"The next safe time is {clock(when)}. Find the cause first with: palpo-installer verify",
    )


def clock(when: datetime) -> str:
    """Return a time for people: rounded up to the minute, in UTC."""
    minute = when.astimezone(UTC) + timedelta(seconds=59)
    return f"{minute:%Y-%m-%d %H:%M} UTC"


def _lines(data: bytes) -> Iterator[Attempt]:
    for line in data.splitlines():
        try:
            yield converter.structure(json.loads(line), Attempt)
        except (ValueError, BaseValidationError):
            continue
