"""What a CA says during an order (RFC 8555), and the lines in which the child tells it to its parent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from palpo_installer.serialization import converter, tag

ERROR_PREFIX = "urn:ietf:params:acme:error:"
RETRY_AFTER_IN_WORDS = re.compile(r"retry after (\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)", re.IGNORECASE)

STATES = {
    "pending": "the CA has taken up the order and will ask {} for the proof",
    "valid": "the CA has seen the proof that {} is yours",
    "invalid": "the CA has not found the proof for {}",
}
"""An authorization's states (RFC 8555, section 7.1.6) in words."""


@dataclass(frozen=True)
class Problem:
    """One error of the CA (RFC 8555, section 6.7).

    Attributes:
        type: its error type without the prefix, e.g. ``unauthorized``.
        detail: the CA's own words.
        identifier: the name it is about, empty for the order or account as a whole.
        not_again_before: when the CA allows the next try, None where it does not say.
    """

    type: str
    detail: str
    identifier: str = ""
    not_again_before: datetime | None = None


@dataclass(frozen=True)
class Progress:
    """How far the order is, in one sentence."""

    text: str


@dataclass(frozen=True)
class Result:
    """How it ended.

    Attributes:
        status: whether certbot says that everything was done.
        error: the class of certbot's error, empty where there is none.
        text: certbot's words for it.
        problems: what the CA said.
    """

    status: Literal["done", "failed"]
    error: str = ""
    text: str = ""
    problems: tuple[Problem, ...] = ()


Line = Progress | Result
tag(Line)


def write(line: Progress | Result) -> str:
    """Return a line for the parent."""
    return json.dumps(converter.unstructure(line, unstructure_as=Line), ensure_ascii=False) + "\n"


def parse(text: str) -> Progress | Result:
    """Return what a line of ``write`` says."""
    return converter.structure(json.loads(text), Line)  # type: ignore[arg-type]


def progress(document: Mapping[str, object]) -> str:
    """Return what an authorization in an answer of the CA means, empty where the answer is no authorization."""
    name, state = _name(document.get("identifier")), str(document.get("status", ""))
    return STATES[state].format(name) if name and state in STATES and "challenges" in document else ""


def problems(status: int, headers: Mapping[str, str], document: Mapping[str, object], now: datetime) -> list[Problem]:
    """Return the errors in an answer of the CA: a problem document, or those in an authorization or order.

    Args:
        status: of the HTTP answer.
        headers: with names in lower case.
        document: the JSON object that was answered.
        now: for a ``Retry-After`` in seconds.
    """
    name = _name(document.get("identifier"))
    if status >= 400:
        return list(_problem(document, name, _retry_after(headers.get("retry-after", ""), now)))
    challenges = document.get("challenges")
    holders = [document, *(challenges if isinstance(challenges, list) else [])]
    errors = (holder.get("error") for holder in holders if isinstance(holder, dict))
    return [problem for error in errors if isinstance(error, dict) for problem in _problem(error, name, None)]


def _problem(document: Mapping[str, object], name: str, not_before: datetime | None) -> Iterator[Problem]:
    """Give each subproblem, or the problem itself where it has none."""
    name = _name(document.get("identifier")) or name
    parts = [part for part in _list(document.get("subproblems")) if isinstance(part, dict)]
    for part in parts:
        yield from _problem(part, name, not_before)
    kind = str(document.get("type", "")).removeprefix(ERROR_PREFIX)
    if not parts and kind != "badNonce":
        detail = str(document.get("detail", ""))
        yield Problem(kind, detail, name, not_before or later(detail))


def _retry_after(value: str, now: datetime) -> datetime | None:
    """Read ``Retry-After``: seconds, or a date (RFC 9110, section 10.2.3)."""
    if value.isdecimal():
        return now + timedelta(seconds=int(value))
    try:
        return parsedate_to_datetime(value).astimezone(UTC)
    except ValueError:
        return None


def later(detail: str) -> datetime | None:
    """Return the time that Let's Encrypt has in its sentence about a rate limit, None where there is none."""
    found = RETRY_AFTER_IN_WORDS.search(detail)
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found else None


def _name(identifier: object) -> str:
    return str(identifier.get("value", "")) if isinstance(identifier, dict) else ""


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
