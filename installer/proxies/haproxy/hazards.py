"""What passes HAProxy's own test and then keeps all of it from accepting: a socket that it cannot open at a reload.

A new worker tells the old one to stop listening, and then tries to open its sockets for seconds before it gives up
(management guide, "Stopping and restarting HAProxy").
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.host import Socket as Opened
from palpo_installer.proxies import main_process
from palpo_installer.proxies.found import Listen
from palpo_installer.proxies.haproxy import binds, process, tree
from palpo_installer.proxies.opening import holder, refusal_of
from palpo_installer.proxies.sockets import Socket, is_tcp
from palpo_installer.services import Service

ELSEWHERE = frozenset({"interface", "namespace", "transparent"})
"""Parameters of ``bind`` by which the kernel decides otherwise than for us."""
CONSEQUENCE = "HAProxy's test passes, but a reload would keep all of HAProxy from accepting connections for seconds"


def hazard(host: Host, service: Service, sockets: Collection[Socket]) -> str:
    """Return which socket another program holds, or a reload could not open; empty for none.

    Args:
        host: the machine.
        service: HAProxy as it runs.
        sockets: where the change will be answered.
    """
    own, opened = main_process.with_sockets(host, service)
    held = {(each.address, each.port) for each in opened if each.pid in own}
    theirs = [each for each in opened if each.pid not in own]
    reasons = [*_taken(host, theirs, sockets), *_unopenable(host, service, held, own)]
    return f"{reasons[0]}. {CONSEQUENCE}" if reasons else ""


def _taken(host: Host, theirs: Sequence[Opened], sockets: Collection[Socket]) -> Iterator[str]:
    """Yield each socket that another program holds: it may share it, and would get a part of the connections."""
    for listening in theirs:
        if listening.pid is None:
            continue
        for address, port in sockets:
            if port == listening.port and _collide(listening.address, address):
                name = holder(host, listening.pid)
                yield f"HAProxy cannot listen on {address} port {port}, which {name} holds"


def _unopenable(host: Host, service: Service, held: Collection[Socket], own: frozenset[int]) -> Iterator[str]:
    """Yield each socket of the configuration on disk that HAProxy does not have yet and cannot get."""
    for each in _listens(host, service):
        if (each.address, each.port) in held or not is_tcp(each, each.port):
            continue
        if reason := refusal_of(each, shares=True):
            others = (one for one in host.listening() if one.port == each.port and one.pid not in {None, *own})
            names = ", ".join(dict.fromkeys(f"{holder(host, one.pid)} on {one.address}" for one in others if one.pid))
            owner = f", held by {names}" if names else ""
            yield f"{each.address} port {each.port} ({each.file}:{each.line}) cannot be opened: {reason}{owner}"


def _listens(host: Host, service: Service) -> Iterator[Listen]:
    written = tree.load(host, [Path(file) for file in process.files(host, service)])
    for section in (each for each in written.sections if each.kind in {"frontend", "listen"}):
        for bind in () if section.all("disabled") else section.all("bind"):
            if ELSEWHERE.isdisjoint(bind.words):
                try:
                    yield from binds.of_bind(bind)
                except ValueError:
                    # An address from the environment: only HAProxy itself can tell.
                    continue


def _collide(bound: str, wanted: str) -> bool:
    one, other = ipaddress.ip_address(bound.partition("%")[0]), ipaddress.ip_address(wanted)
    return one == other or (one.is_unspecified and one.version in {other.version, 6})
