"""One audit of the sites of a proxy, once its reader has made them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from palpo_installer.audit.figures import USUAL
from palpo_installer.audit.finding import Proxied, Unread
from palpo_installer.audit.leaves import Leaf
from palpo_installer.audit.leaves import read as read_leaf
from palpo_installer.audit.palpo import Read as Homeserver
from palpo_installer.audit.passing import PassingSite, believes_forwarded
from palpo_installer.audit.passing_rules import Surroundings, judged
from palpo_installer.facts import Facts
from palpo_installer.homeserver.reading import look_up
from palpo_installer.host import Host
from palpo_installer.proxies.found import Problem

Note = Callable[[Unread], None]


def proxied(
    host: Host,
    sites: Iterable[PassingSite],
    problems: Iterable[Problem],
    facts: Facts,
    homeserver: Homeserver,
    note: Note,
    now: datetime,
) -> Proxied:
    """Return what the rules say of the sites; ``problems`` are what could not be read."""
    for problem in problems:
        note(Unread(f"{problem.file}:{problem.line}", problem.message, "Run the audit as root, or correct it"))
    made = tuple(sites)
    values = dict(homeserver.file.values) if homeserver.file else {}
    said, rate = look_up(values, ("well_known", "server")), look_up(values, ("rc_login", "per_second"))
    name = homeserver.server_name
    known = Surroundings(
        server_name=name,
        delegates=isinstance(said, str) and not said.endswith(f":{USUAL}") and said.partition(":")[0] != name,
        unlimited=rate is not None and rate == 0,
        believes_forwarded=believes_forwarded(facts),
        leaves=dict(_leaves(host, made, note)),
        now=now,
    )
    findings = tuple(dict.fromkeys(finding for site in made for finding in judged(site, known)))
    return Proxied(findings, tuple(map(_described, made)), frozenset(_passed_documents(made)))


def _leaves(host: Host, sites: Iterable[PassingSite], note: Note) -> Iterator[tuple[str, Leaf]]:
    pairs = (
        pair for site in sites for pair in zip(site.block.certificates, site.block.keys or site.block.certificates,
                                               strict=False)
    )  # fmt: skip
    for chain, key in dict.fromkeys(pairs):
        if chain.startswith("/") and (leaf := read_leaf(host, chain, key, note)) is not None:
            yield chain, leaf


def _passed_documents(sites: Iterable[PassingSite]) -> Iterator[str]:
    for site in sites:
        for kind in ("client", "server"):
            if site.passed(f"/.well-known/matrix/{kind}") is not None:
                yield kind


def _described(site: PassingSite) -> str:
    ports = ", ".join(dict.fromkeys(str(each.port) for each in site.block.listens)) or "no port"
    return f"{site.proxy}, {site.name} on {ports}: passes Matrix requests on ({site.place.file}:{site.place.line})"
