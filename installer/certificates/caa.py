"""Who may issue for a name: CAA records (RFC 8659) with the parameters of RFC 8657."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

CRITICAL = 128
UNDERSTOOD = frozenset({"issue", "issuewild", "iodef", "issuemail"})
"""Tags that CAs for servers understand; any other forbids issuance where it is critical."""

PARAMETER = re.compile(r"([A-Za-z0-9]+)\s*=\s*([\x21-\x3a\x3c-\x7e]*)")


@dataclass(frozen=True)
class Property:
    """One CAA record.

    Attributes:
        critical: whether who does not understand the tag must not issue.
        tag: in lower case.
        issuer: the CA's domain in lower case; empty for nobody.
        parameters: by name in lower case, e.g. ``accounturi``.
    """

    critical: bool
    tag: str
    issuer: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(record: str) -> Property:
    """Return a record of the form ``flags tag value``; a malformed value allows nobody (RFC 8659, section 4.2)."""
    flags, _, rest = record.strip().partition(" ")
    tag, _, value = rest.strip().partition(" ")
    critical = flags.isdecimal() and bool(int(flags) & CRITICAL)
    issuer, *parts = (part.strip() for part in value.strip().removeprefix('"').removesuffix('"').split(";"))
    pairs = [PARAMETER.fullmatch(part) for part in parts if part]
    if not all(pairs):
        issuer = ""
    parameters = {pair[1].lower(): pair[2] for pair in pairs if pair}
    return Property(critical, tag.lower(), issuer.lower().rstrip("."), parameters)


def relevant(records: tuple[str, ...], *, wildcard: bool) -> tuple[Property, ...] | None:
    """Return the properties that say who may issue, None where everyone may (RFC 8659, section 4).

    Args:
        records: the set that applies to a name.
        wildcard: whether the certificate is for a wildcard.
    """
    properties = [parse(record) for record in records]
    wild = [each for each in properties if each.tag == "issuewild"] if wildcard else []
    chosen = wild or [each for each in properties if each.tag == "issue"]
    return tuple(chosen) or None


def obstacle(properties: tuple[Property, ...], identities: tuple[str, ...], method: str, account: str) -> str:
    """Return why none of these properties lets a CA issue, empty when one does, or would for some account.

    Args:
        properties: from ``relevant``.
        identities: the CA's own domains.
        method: the way of proving, e.g. ``http-01``.
        account: the URL of the account that orders, empty where it is not known yet.
    """
    ours = [each for each in properties if each.issuer and each.issuer in identities]
    if not ours:
        allowed = ", ".join(sorted({each.issuer for each in properties if each.issuer}))
        return f"they allow {allowed} only" if allowed else "they allow nobody"
    reasons = [_refusal(each.parameters, method, account) for each in ours]
    return "" if "" in reasons else reasons[0]


def bound_to_account(properties: tuple[Property, ...], identities: tuple[str, ...]) -> str:
    """Return the account that must order where a CA may only issue for one, empty where any may."""
    accounts = [each.parameters.get("accounturi", "") for each in properties if each.issuer in identities]
    return "" if "" in accounts or not accounts else accounts[0]


def unknown_critical(records: tuple[str, ...]) -> tuple[str, ...]:
    """Return the critical tags that forbid every CA to issue since none understands them."""
    properties = [parse(record) for record in records]
    return tuple(each.tag for each in properties if each.critical and each.tag not in UNDERSTOOD)


def _refusal(parameters: Mapping[str, str], method: str, account: str) -> str:
    methods = parameters.get("validationmethods")
    if methods is not None and method not in {each.strip().lower() for each in methods.split(",")}:
        return f"they allow the proof by {methods} only, and not by {method}"
    wanted = parameters.get("accounturi")
    if wanted is not None and account and wanted != account:
        return f"they allow the account {wanted} only, and ours is {account}"
    return ""
