"""Frontends of somebody else's that have a port of ours: they stay, and a line in each leads our names to our backend.

Two frontends on one address pass HAProxy's test, and then the kernel spreads connections over both. So ours gets none
where there is one. The line names its backend by the port, which HAProxy looks up for each request: it loads also while
the backend is not there yet, and requests go on as before then (manual, "use_backend").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.lines import AddedLine, directive
from palpo_installer.proxies.base import Lines
from palpo_installer.proxies.found import Listen
from palpo_installer.proxies.haproxy import addressing
from palpo_installer.proxies.haproxy.configuration import Directive, Frontend
from palpo_installer.proxies.haproxy.conflicts import ANSWERING
from palpo_installer.proxies.haproxy.reading import LABEL, ours
from palpo_installer.proxies.sockets import is_tcp

COMMENT = "  # added by palpo-installer"
CHOOSING = ("use_backend", "default_backend")


@dataclass(frozen=True)
class Shared:
    """A frontend of somebody else's that has a port of ours.

    Attributes:
        frontend: itself.
        listens: its sockets on that port.
        port: the port.
        names: ours there.
    """

    frontend: Frontend
    listens: tuple[Listen, ...]
    port: int
    names: tuple[str, ...]

    @property
    def heading(self) -> Directive:
        """The line that begins it."""
        return self.frontend.section.heading


def shared(port: int, names: Sequence[str], *, tls: bool, others: Sequence[Frontend]) -> tuple[Shared, ...]:
    """Return the frontends that have a port, for these names of ours.

    Raises:
        RefusedPlan: one of them passes connections on unread, speaks the other protocol, or has rules that would
            answer before our line.
    """
    found = []
    for frontend in others:
        listens = tuple(each for each in frontend.listens if is_tcp(each, port))
        if listens:
            _refuse(frontend, listens, port, tls=tls)
            found.append(Shared(frontend, listens, port, tuple(dict.fromkeys(names))))
    _refuse_splitting(found, port)
    return tuple(found)


def _refuse(frontend: Frontend, listens: Sequence[Listen], port: int, *, tls: bool) -> None:
    kind, name = frontend.section.kind, frontend.section.name
    where = f"{listens[0].file}:{listens[0].line}"
    if frontend.mode != "http":
        raise RefusedPlan(
            f"{kind} {name} passes connections on port {port} on unread (mode {frontend.mode})",
            where=where,
            next="Let it listen on another address or port, or let it speak HTTP (mode http); then plan again",
        )
    if any(("ssl" in each.options) is not tls for each in listens):
        said, wanted = ("plain HTTP", "TLS") if tls else ("TLS", "plain HTTP")
        raise RefusedPlan(
            f"{kind} {name} speaks {said} on port {port}, where {wanted} is needed",
            where=where,
            next="Let it listen on another port, then plan again",
        )
    _refuse_rules_before(frontend)
    old = frontend.section.all("redirect")
    if old:
        raise RefusedPlan(
            f"this rule answers before any line of ours in {kind} {name} can: {old[0]}",
            where=old[0].where,
            next=f"Write it as http-request {old[0]}, which means the same; then plan again",
        )


def _refuse_rules_before(frontend: Frontend) -> None:
    """Refuse rules that answer before any of the frontend: those of its ``defaults`` (since 2.6)."""
    for rule in (rule for each in frontend.defaults for rule in each.all("http-request")):
        if len(rule.words) > 1 and rule.words[1] in ANSWERING:
            raise RefusedPlan(
                f"this rule of its defaults answers before any line of ours in {frontend.section.kind} "
                f"{frontend.section.name} can: {rule}",
                where=rule.where,
                next="Move it into the frontends that need it, then plan again",
            )


def _refuse_splitting(found: Sequence[Shared], port: int) -> None:
    """Refuse two frontends with one address: the kernel spreads connections over both, and the test says nothing."""
    seen: dict[str, Shared] = {}
    for each, listen in ((there, listen) for there in found for listen in there.listens):
        other = seen.setdefault(listen.address, each)
        if other is not each:
            raise RefusedPlan(
                f"{other.frontend.section.kind} {other.frontend.section.name} ({other.heading.where}) and "
                f"{each.frontend.section.kind} {each.frontend.section.name} both listen on {listen.address} port "
                f"{port}, so that connections go to the one or the other by chance",
                where=f"{listen.file}:{listen.line}",
                next="Let one of them go, then plan again",
            )


def refuse_names(found: Sequence[Shared]) -> None:
    """Refuse names of ours that somebody else's frontend answers for.

    Raises:
        RefusedPlan: there is one.
    """
    for each in found:
        for name in each.names:
            if name.lower() in {known.lower() for known in each.frontend.names}:
                raise RefusedPlan(
                    f"{each.frontend.section.kind} {each.frontend.section.name} has rules for {name} already",
                    where=each.heading.where,
                    next="Take this name out of it, or choose another; then plan again",
                )


def lines(found: Sequence[Shared], host: str) -> tuple[Lines, ...]:
    """Return what is missing of ours in the files of frontends, and what stands there and must go.

    Args:
        found: the frontends, each for every port of ours that it has.
        host: how the name is taken from a request.
    """
    headings = dict.fromkeys(each.heading for each in found)
    wanted = {
        heading: tuple(_wanted([each for each in found if each.heading == heading], host)) for heading in headings
    }
    frontends = {each.heading: each.frontend for each in found}
    drop: dict[Path, list[str]] = {}
    for heading, frontend in frontends.items():
        if wrong := _standing(frontend) - _right(frontend, wanted[heading]):
            drop.setdefault(heading.file, []).extend(sorted(wrong))
    add: dict[Path, list[AddedLine]] = {}
    for heading, frontend in frontends.items():
        # What is taken out goes from every frontend of the file, and comes again where it is right.
        there = _standing(frontend) - {*drop.get(heading.file, ())}
        for text, before in wanted[heading]:
            if directive(text) not in there:
                add.setdefault(heading.file, []).append(AddedLine(f"    {text}{COMMENT}", before.front))
    paths = dict.fromkeys((*add, *drop))
    return tuple(Lines(path.resolve(), path, tuple(add.get(path, ())), tuple(drop.get(path, ()))) for path in paths)


def _standing(frontend: Frontend) -> frozenset[str]:
    return frozenset(directive(str(each)) for each in frontend.section.directives if ours(each))


def _right(frontend: Frontend, wanted: Sequence[tuple[str, Directive]]) -> frozenset[str]:
    """Return what is wanted but for what stands before a rule that determines the client's address for us as well."""
    last = addressing.last_setting(addressing.rules(frontend))
    early = {directive(str(each)) for each in frontend.section.all("http-request") if ours(each) and each.line < last}
    return frozenset(directive(text) for text, _ in wanted) - early


def _wanted(there: Sequence[Shared], host: str) -> Iterator[tuple[str, Directive]]:
    """Yield our lines for a frontend, each with the line of its own in front of which it has to stand."""
    frontend = there[0].frontend
    rules = addressing.rules(frontend)
    conditions = tuple(_conditions(there, host))
    for before in rules[addressing.place(rules) :][:1]:
        yield from ((f"http-request allow {condition}", before) for condition in conditions)
    choice = _choice(frontend)
    for condition in conditions:
        yield f"use_backend palpo-installer-%[dst_port] {condition}", choice


def _conditions(there: Sequence[Shared], host: str) -> Iterator[str]:
    """Yield when a request to a frontend is ours: where its ports have other names of ours, for each by itself."""
    ports: dict[tuple[str, ...], list[str]] = {}
    for each in there:
        ports.setdefault(each.names, []).append(str(each.port))
    for names, numbers in ports.items():
        asked = f"{{ {host} -i {' '.join(names)} }}"
        yield f"if {{ {LABEL} -m found }} {asked}" + (f" {{ dst_port {' '.join(numbers)} }}" if len(ports) > 1 else "")


def _choice(frontend: Frontend) -> Directive:
    """Return the first line that chooses a backend.

    Raises:
        RefusedPlan: there is none in front of which ours could stand.
    """
    first = next((d for d in frontend.section.directives if d.words[0] in CHOOSING and not ours(d)), None)
    if first is None:
        raise RefusedPlan(
            f"{frontend.section.kind} {frontend.section.name} chooses no backend, so that no line of ours can stand "
            "before its choice",
            where=frontend.section.heading.where,
            next="Make it a frontend with a default_backend, then plan again",
        )
    return first
