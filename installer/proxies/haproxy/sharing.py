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
from palpo_installer.proxies.haproxy.configuration import Directive, Frontend
from palpo_installer.proxies.haproxy.reading import LABEL, of_guest, ours
from palpo_installer.proxies.sockets import is_tcp

COMMENT = "  # added by palpo-installer"
CHOOSING = ("use_backend", "default_backend")


@dataclass(frozen=True)
class Shared:
    """A frontend of somebody else's with the sockets that it has on a port of ours."""

    frontend: Frontend
    listens: tuple[Listen, ...]

    @property
    def heading(self) -> Directive:
        """The line that begins it."""
        return self.frontend.section.heading


def shared(port: int, *, tls: bool, others: Sequence[Frontend]) -> tuple[Shared, ...]:
    """Return the frontends that have a port.

    Raises:
        RefusedPlan: one of them passes connections on unread, speaks the other protocol, or has rules that would
            answer before our line.
    """
    found = []
    for frontend in others:
        listens = tuple(each for each in frontend.listens if is_tcp(each, port))
        if listens:
            _refuse(frontend, listens, port, tls=tls)
            found.append(Shared(frontend, listens))
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
    old = frontend.section.all("redirect")
    if old:
        raise RefusedPlan(
            f"this rule answers before any line of ours in {kind} {name} can: {old[0]}",
            where=old[0].where,
            next=f"Write it as http-request {old[0]}, which means the same; then plan again",
        )


def refuse_names(found: Sequence[Shared], names: Sequence[str]) -> None:
    """Refuse names that somebody else's frontend answers for.

    Raises:
        RefusedPlan: there is one.
    """
    for each in found:
        for name in names:
            if name.lower() in {known.lower() for known in each.frontend.names}:
                raise RefusedPlan(
                    f"{each.frontend.section.kind} {each.frontend.section.name} has rules for {name} already",
                    where=each.heading.where,
                    next="Take this name out of it, or choose another; then plan again",
                )


def lines(found: Sequence[Shared], names: Sequence[str], host: str) -> tuple[Lines, ...]:
    """Return what is missing of ours in the files of frontends, and what stands there and must go.

    Args:
        found: the frontends.
        names: the names of ours.
        host: how the name is taken from a request.
    """
    condition = f"if {{ {LABEL} -m found }} {{ {host} -i {' '.join(names)} }}"
    chosen, allowed = f"use_backend palpo-installer-%[dst_port] {condition}", f"http-request allow {condition}"
    add: dict[Path, list[AddedLine]] = {}
    drop: dict[Path, list[str]] = {}
    for each in dict.fromkeys(one.frontend.section.heading.where for one in found):
        frontend = next(one.frontend for one in found if one.frontend.section.heading.where == each)
        section = frontend.section
        rules = [d for d in section.all("http-request") if not ours(d) and not of_guest(d)]
        wanted = [(allowed, rules[0])] if rules else []
        wanted.append((chosen, _choice(frontend)))
        standing = {directive(str(d)): d for d in section.directives if ours(d)}
        for text, before in wanted:
            if directive(text) not in standing:
                add.setdefault(before.file, []).append(AddedLine(f"    {text}{COMMENT}", before.line))
        stale = [text for text in standing if text not in {directive(text) for text, _ in wanted}]
        if stale:
            drop.setdefault(section.heading.file, []).extend(stale)
    paths = dict.fromkeys((*add, *drop))
    return tuple(Lines(path.resolve(), path, tuple(add.get(path, ())), tuple(drop.get(path, ()))) for path in paths)


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


def store(found: Sequence[Shared], base: str) -> Iterator[tuple[Shared, Path]]:
    """Yield the directory that each frontend loads its certificates from.

    Args:
        found: those that speak TLS.
        base: ``crt-base``, empty for none.

    Raises:
        RefusedPlan: one loads single files.
    """
    for each in found:
        paths = [Path(base, written) for written in each.frontend.certificates]
        directory = next((path for path in paths if path.is_dir()), None)
        if directory is None:
            name = each.frontend.section.name
            raise RefusedPlan(
                f"{each.frontend.section.kind} {name} loads its certificates one by one, so that ours cannot be added",
                where=f"{each.listens[0].file}:{each.listens[0].line}",
                next="Move them into a directory, and name that in its bind: crt /etc/haproxy/certs/; then plan again",
            )
        yield each, directory
