"""The part of a plan that lets a proxy which reads keys as an account of its own get to those that are ours."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates.access import closed, group_of, others, way
from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.proxies.found import Proxy


def places(proxy: Proxy, certificates: Collection[CertificateFiles], layout: Layout) -> tuple[Path, ...]:
    """Return what of ours the proxy's account must get through, none where root reads the keys."""
    if not proxy.reader:
        return ()
    return tuple(dict.fromkeys(place for files in certificates for place in way(layout, files)))


def lettings(proxy: Proxy, wanted: Collection[Path]) -> tuple[LetGroupIn, ...]:
    """Return the operations that let the account in where it is kept out, from the top down.

    Raises:
        RefusedPlan: there is no such account, or a place belongs to a group that an administrator chose.
    """
    return tuple(_lettings(proxy, wanted))


def _lettings(proxy: Proxy, wanted: Collection[Path]) -> Iterator[LetGroupIn]:
    for place in wanted:
        try:
            shut, group = closed(place, proxy.reader), group_of(proxy.reader)
        except KeyError:
            raise RefusedPlan(
                f"{proxy.title} runs as {proxy.reader}, and there is no such account or its group",
                next="Correct the account of its unit, then plan again",
            ) from None
        if not shut:
            continue
        if place.exists() and place.stat().st_gid != 0:
            raise RefusedPlan(
                f"{proxy.title} runs as {proxy.reader}, which may not get through, and somebody gave this to another "
                f"group, {place.group()}",
                where=str(place),
                next=f"Add {proxy.reader} to that group and restart {proxy.title}, or give it back to root",
            )
        yield LetGroupIn(place, place.name not in {"privkey.pem", "fullchain.pem"}, proxy.reader, group)


def findings(proxy: Proxy, wanted: Collection[Path]) -> Iterator[str]:
    """Yield who else may read the keys then, where the account's group has others in it."""
    if wanted and (more := others(proxy.reader)):
        group = group_of(proxy.reader)
        yield f"The keys are readable for the group {group}, in which there are others beside {proxy.reader}: " + (
            ", ".join(more[:5]) + (f" and {len(more) - 5} more" if len(more) > 5 else "")
        )
