"""One file that serves a name of ours with and without TLS, while a certificate is ordered.

Port 80 is ours before the order, since authorities ask there. TLS stays the file's until there is a certificate: so the
file is switched off with the first change, and what it has for TLS goes on beside it, in the same place among the files
that the proxy reads, until the change of the TLS ports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.system import System
from palpo_installer.gates.neighbours import Neighbour
from palpo_installer.operations.rests import Rest
from palpo_installer.planning.inputs import Inputs, look
from palpo_installer.planning.taking_over import FormerSite
from palpo_installer.proxies.adapter import Adapter
from palpo_installer.proxies.cutting import without_port
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.neighbours import UNKNOWN, neighbours
from palpo_installer.proxies.virtual_hosts import Impossible

SIGNS = ("-", ".", "+", "_", "~")
"""What may stand between the name of a file and what tells its rest from it: they sort differently."""


def halved(former: Sequence[FormerSite], inputs: Inputs, adapter: Adapter, cure: str) -> tuple[FormerSite, ...]:
    """Return the sites that are switched off so that no file loses TLS before there is a certificate.

    Args:
        former: as they are switched off where nothing is ordered.
        inputs: what the plan is made from.
        adapter: the proxy.
        cure: how to do without an order.

    Raises:
        RefusedPlan: a file serves both, and cannot be taken apart.
    """
    return tuple(_halved(each, inputs, adapter, cure) if each.plain and each.secure else each for each in former)


def _halved(former: FormerSite, inputs: Inputs, adapter: Adapter, cure: str) -> FormerSite:
    file = former.removal.path
    source = file.resolve()
    cuts = without_port(adapter.proxy, inputs.host.read(source) or b"", former.blocks, inputs.layout.http_port)
    place = _beside(file, adapter)
    if place is not None and not isinstance(cuts, Impossible):
        return replace(former, rest=Rest(place, source, look(source).sha256, cuts))
    reason = cuts.reason if isinstance(cuts, Impossible) else "no name for it sorts where this file does"
    raise RefusedPlan(
        "this file serves plain HTTP and TLS, and TLS has to go on until a certificate is ordered; what it has for "
        f"TLS cannot be kept by itself: {reason}",
        where=str(file),
        next=f"{cure}; or move what it has for plain HTTP into a file of its own. Then plan again",
    )


def _beside(file: Path, adapter: Adapter) -> Path | None:
    """Return where the proxy reads a file in the place of another one: the first that it reads may be the default."""
    others = [each.name for each in file.parent.iterdir() if each != file and adapter.does_without(each)]
    for sign in SIGNS:
        path = file.with_name(f"{file.stem}{sign}palpo-installer{file.suffix}")
        first, last = sorted((file.name, path.name))
        if adapter.does_without(path) and not any(first <= name <= last for name in others):
            return path
    return None


def going_on(former: Iterable[FormerSite], proxy: Proxy, system: System) -> tuple[Neighbour, ...]:
    """Return the requests over TLS that the rest of a file answers as the whole did."""
    kept = {each.removal.path for each in former if each.rest is not None}
    others = [block.file for block in proxy.servers if block.file not in kept]
    found = neighbours(proxy.servers, system, (), others) if kept else ()
    return tuple(each for each in found if each.tls and each.host not in {"", UNKNOWN})
