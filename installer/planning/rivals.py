"""Other proxies that are stopped now and would want ports of ours at the next boot."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts import Facts
from palpo_installer.planning.switching import Leaving
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.found import Listen, Proxy
from palpo_installer.proxies.standing import named


def ports_of(rendering: Rendering) -> frozenset[int]:
    """Return the ports that a proxy needs for us."""
    return frozenset(each.port for part in (rendering.plain, rendering.secure) for each in part.expectations)


def findings(facts: Facts, chosen: Proxy, needed: Collection[int]) -> Iterator[str]:
    """Yield each stopped proxy whose unit starts at boot and whose configuration has a port of ours.

    Args:
        facts: what is.
        chosen: the proxy that is to serve us.
        needed: the ports that it needs.
    """
    for proxy in facts.proxies:
        if proxy.kind == chosen.kind or proxy.pid is not None or not proxy.unit_enabled:
            continue
        listens = (*(listen for block in proxy.servers for listen in block.listens), *proxy.streams, *proxy.opened)
        wanted = _wanted((each for each in listens if "palpo-installer" not in each.file.name), needed)
        if wanted:
            yield (
                f"{proxy.title} is stopped, but {proxy.unit} starts at boot, and its configuration has "
                f"{named(wanted)}: after the next boot it may have what {chosen.title} needs. "
                f"If nobody needs it: systemctl disable {proxy.unit}"
            )


def refuse_return(leaving: Leaving | None, chosen: Proxy, needed: Collection[int]) -> None:
    """Check that the proxy of before does not come back at boot and take the ports.

    Raises:
        RefusedPlan: it is stopped with this change, but starts at boot with sites of its own on them.
    """
    if leaving is None or not leaving.withdrawal.stop or leaving.withdrawal.disable or not leaving.proxy.unit_enabled:
        return
    sites = (listen for block in leaving.others for listen in block.listens)
    wanted = _wanted((*sites, *leaving.proxy.streams), needed)
    if wanted:
        unit = leaving.proxy.unit
        raise RefusedPlan(
            f"{leaving.proxy.title} stops with this change, as it was before it served Palpo, but {unit} starts at "
            f"boot, and its configuration has {named(wanted)} without us: after the next boot two would want what "
            f"{chosen.title} needs",
            where="proxy.kind",
            next=f"Let it not start at boot (systemctl disable {unit}), then plan again; or keep "
            f"--set proxy.kind={leaving.proxy.kind}",
        )


def refuse_waiting(leaving: Leaving | None, chosen: Proxy, needed: Collection[int], facts: Facts) -> None:
    """Check that the way back would leave the ports to the proxy of before.

    A proxy that runs takes up whatever its files say at a reload, also at the one that takes this change back.

    Raises:
        RefusedPlan: its own sites wait for a port in files that it has not taken up yet.
    """
    if leaving is None or chosen.pid is None:
        return
    old = leaving.proxy
    held, mine = ({each.port for each in facts.listeners if each.pid in proxy.pids} for proxy in (old, chosen))
    listens = (*(listen for block in chosen.servers for listen in block.listens), *chosen.streams, *chosen.opened)
    waiting = [each for each in listens if "palpo-installer" not in each.file.name and each.port in held - mine]
    ports = _wanted(waiting, needed)
    if ports:
        it, how = "it" if len(ports) == 1 else "them", f" (systemctl stop {chosen.unit})" if chosen.unit else ""
        raise RefusedPlan(
            f"{chosen.title} runs, and its own sites have {named(ports)} in files that it has not taken up yet. Were "
            f"this change taken back, it would keep {it}, and {old.title} could not serve again",
            where=f"{waiting[0].file}:{waiting[0].line}",
            next=f"Stop {chosen.title}{how}, and the change starts it; or let these sites come after the change. Then "
            "plan again",
        )


def _wanted(listens: Iterable[Listen], needed: Collection[int]) -> tuple[int, ...]:
    return tuple(sorted({each.port for each in listens} & set(needed)))
