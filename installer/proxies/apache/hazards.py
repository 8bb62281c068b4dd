"""What passes Apache's own test and then ends Apache as a whole: a socket that it cannot open at the reload."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from palpo_installer import processes
from palpo_installer.host import Host
from palpo_installer.proxies import main_process
from palpo_installer.proxies.apache import discovery
from palpo_installer.proxies.apache.reading import ANY4, ANY6, BOTH
from palpo_installer.proxies.found import Listen
from palpo_installer.proxies.opening import held_by, refusal_of
from palpo_installer.proxies.sockets import Socket, family
from palpo_installer.services import Service


def hazard(host: Host, service: Service) -> str:
    """Return which socket of the configuration on disk a reload could not open; empty for none.

    The sockets that Apache has now stay open over a reload.
    """
    found = discovery.read(host, processes.read(host), frozenset(), lambda _: None)
    if found is None:
        return ""
    own, opened = main_process.with_sockets(host, service)
    held = {(each.address, each.port) for each in opened if each.pid in own}
    reasons = (*overlaps(found.listens, held), *_unopenable(host, found.listens, held, own))
    consequence = "Apache's test passes, but a reload would end Apache and every site of it"
    return f"{'; '.join(dict.fromkeys(reasons))}. {consequence}" if reasons else ""


def overlaps(listens: Sequence[Listen], held: Collection[Socket]) -> Iterator[str]:
    """Yield each pair of ``Listen`` of which the kernel gives only one: all addresses of a port, and one of them."""
    for wide in (each for each in listens if each.address in {ANY4, ANY6}):
        for narrow in (each for each in listens if each.port == wide.port and each.address not in {ANY4, ANY6}):
            covered = BOTH in wide.options or family(narrow.address) == family(wide.address)
            if covered and not {(wide.address, wide.port), (narrow.address, narrow.port)} <= set(held):
                yield (
                    f"{narrow.file}:{narrow.line} listens on {narrow.address} port {narrow.port}, and "
                    f"{wide.file}:{wide.line} on all addresses of that port"
                )


def _unopenable(host: Host, listens: Sequence[Listen], held: Collection[Socket], own: frozenset[int]) -> Iterator[str]:
    for each in listens:
        if (each.address, each.port) in held:
            continue
        reason = refusal_of(each)
        if reason:
            owner = held_by(host, each.port, own)
            yield f"{each.address} port {each.port} ({each.file}:{each.line}) cannot be opened: {reason}{owner}"
