"""Reads the Matrix configuration that is there and judges it by every rule. Reads only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from palpo_installer.audit import apache, caddy, haproxy, media, nginx, others, palpo
from palpo_installer.audit.finding import Audit, Finding, Severity, Unread
from palpo_installer.facts import Facts, gather
from palpo_installer.facts import names as dns
from palpo_installer.facts.names import WITHOUT_PORT
from palpo_installer.host import Host

ORDER = tuple(Severity)

READERS = {"nginx": nginx.read, "apache": apache.read, "haproxy": haproxy.read, "caddy": caddy.read}
"""One for each kind of proxy that is read: a module with such a function. ``others`` names those that are not here."""


def audit(host: Host, facts: Facts, now: datetime | None = None) -> Audit:
    """Return what there is to say of the Matrix configuration of a host.

    Args:
        host: the machine, or a copy of one, under its layout.
        facts: what was found on it; names that were asked in DNS are among it, or the rules that need them are
            left out.
        now: when, for certificates.
    """
    unread: list[Unread] = []
    note = unread.append
    homeserver = palpo.read(host, facts, note)
    proxied = [read(host, facts, homeserver, note, now or datetime.now(UTC)) for read in READERS.values()]
    proxied.append(media.read(facts, homeserver, note))
    answered = frozenset(kind for each in proxied for kind in each.answered)
    found = (*(finding for each in proxied for finding in each.findings), *palpo.judged(homeserver, answered))
    others.name(host, facts, note, {kind for kind in READERS if kind == "nginx" or facts.proxy(kind) is not None})
    return Audit(
        findings=tuple(sorted(dict.fromkeys(found), key=_place)),
        read=(*(line for each in proxied for line in each.read), *homeserver.read),
        unread=tuple(dict.fromkeys(unread)),
    )


def of_host(host: Host) -> Audit:
    """Look at a host, ask DNS for the names in its configuration, and return the audit."""
    facts = gather(host)
    told = (facts.matrix.server_name, facts.matrix.client_host)
    names = tuple(dict.fromkeys(WITHOUT_PORT.sub("", each.value) for each in told if each))
    return audit(host, replace(facts, names=dns.read(host, names)))


def _place(finding: Finding) -> tuple[str, int, int]:
    return str(finding.file), finding.line, ORDER.index(finding.severity)
