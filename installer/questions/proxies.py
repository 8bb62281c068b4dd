"""Which proxy: all that are found with what they serve now, and what choosing another one would take."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
from palpo_installer.proxies.standing import Standing, freeing, holder, named, standings
from palpo_installer.questions.question import Situation
from palpo_installer.questions.support import is_supported

RECOMMENDED = "nginx"
"""Where none is installed, or none that this version can set up."""


def proxy_default(situation: Situation) -> object:
    """Return the proxy that holds the ports of the web, else one that is installed, else the recommended one."""
    found = usual(situation.facts, situation.layout)
    return found.kind if found else RECOMMENDED


def usual(facts: Facts, layout: Layout) -> Standing | None:
    """Return the proxy that most people here would choose, None where there is none that can be set up."""
    # A container's proxy, or one whose configuration was not found, is not one that this host's files configure.
    read = [each for each in standings(facts) if facts.proxy(each.kind) is not None and not each.container]
    possible = [each for each in read if is_supported("proxy.kind", each.kind)]
    holding = [each for each in possible if each.holds(layout)]
    holding.sort(key=lambda each: layout.https_port not in each.ports)
    running = [each for each in possible if each.running]
    return next(iter((*holding, *running, *possible)), None)


def usual_title(facts: Facts, layout: Layout) -> str:
    """Return what people call that proxy, in a sentence."""
    found = usual(facts, layout)
    return found.title if found else "a reverse proxy"


def proxies_now(situation: Situation) -> str:
    """Return every proxy with what it serves, and what another one than that with the ports would need."""
    return " ".join(_now(situation))


def _now(situation: Situation) -> Iterator[str]:
    found = standings(situation.facts)
    if not found:
        yield "None is installed here. nginx can be installed first, with a consent of its own."
    yield from (f"{told}." for told in in_words(situation.facts))
    holding = holder(situation.facts, situation.layout)
    if holding is not None:
        web = [port for port in holding.ports if port in {situation.layout.http_port, situation.layout.https_port}]
        it = "it" if len(web) == 1 else "them"
        yield (
            f"{named(web).capitalize()}: another proxy gets {it} only when {holding.title} leaves {it}. Sites of "
            f"ours are moved by palpo-installer; for sites of yours nothing is stopped. To free {it} yourself: "
            f"{freeing(holding)}."
        )


def in_words(facts: Facts) -> Iterator[str]:
    """Yield every proxy with what it serves, and whether this version can set it up."""
    return (f"{each}{_unable(each)}" for each in standings(facts))


def _unable(standing: Standing) -> str:
    return "" if is_supported("proxy.kind", standing.kind) else " (this version cannot set it up yet)"


def is_open(situation: Situation) -> bool:
    """Return whether there is something to choose: not where one proxy alone is possible and nobody is in its way."""
    found = {each.kind for each in standings(situation.facts)}
    read = {each.kind for each in situation.facts.proxies}
    possible = {kind for kind in read if is_supported("proxy.kind", kind)}
    default, holding = proxy_default(situation), holder(situation.facts, situation.layout)
    in_the_way = holding is not None and holding.kind != default
    return bool(found) and (len(possible) > 1 or default not in found or in_the_way)
