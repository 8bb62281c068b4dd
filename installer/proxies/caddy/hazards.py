"""What passes Caddy's own test and then leaves it between two configurations: a socket that a reload cannot open.

Caddy opens its servers one after the other. Where one of them fails it goes on with the configuration that it had, but
those that it has begun by then go on beside the old ones, and answer some connections until it is restarted
(caddyserver/caddy#7175; seen with 2.6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.proxies import main_process
from palpo_installer.proxies.caddy import process, reading, tree
from palpo_installer.proxies.caddy.discovery import environment_of
from palpo_installer.proxies.found import Listen
from palpo_installer.proxies.opening import holder, refusal_of
from palpo_installer.proxies.sockets import WILDCARDS, Socket, is_tcp
from palpo_installer.services import Service

CONSEQUENCE = "Caddy's test passes, but a reload would fail and leave a part of the new configuration answering"


def hazard(host: Host, service: Service) -> str:
    """Return which socket of the Caddyfile on disk a reload could not open; empty for none."""
    main = main_process.main_process(host, service)
    if main is None:
        return ""
    listening = host.listening()
    held = {(each.address, each.port) for each in listening if each.pid == main.pid}
    for each in _listens(host, service, main.pid):
        if _has(held, each) or not is_tcp(each, each.port):
            continue
        if reason := refusal_of(each, shares=True):
            holders = (one.pid for one in listening if one.port == each.port and one.pid not in {None, main.pid})
            names = ", ".join(dict.fromkeys(holder(host, pid) for pid in holders if pid))
            owner = f", held by {names}" if names else ""
            place = f"{each.address} port {each.port} ({each.file}:{each.line})"
            return f"{place} cannot be opened: {reason}{owner}. {CONSEQUENCE}"
    return ""


def _listens(host: Host, service: Service, pid: int) -> Iterator[Listen]:
    path = Path(process.configuration(service.argv))
    written = tree.load(host, path, environment_of(host, pid))
    for block in reading.parse(written).servers:
        yield from block.listens


def _has(held: Collection[Socket], listen: Listen) -> bool:
    """Return whether Caddy has a socket; one for all IPv6 addresses takes IPv4 too."""
    places = {(listen.address, listen.port)}
    if listen.address in WILDCARDS.values():
        places.add((WILDCARDS[6], listen.port))
    return not places.isdisjoint(held)
