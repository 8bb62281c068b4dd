"""The questions about the proxy: which of all that are found, with what they serve; and sites of others in its way."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.answers import BaseDomain
from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
from palpo_installer.proxies.standing import TITLES, Standing, freeing, holder, named, standings
from palpo_installer.questions import readers
from palpo_installer.questions.federation import has_own_port
from palpo_installer.questions.names import looked_at, serves_base
from palpo_installer.questions.question import Choice, Kind, Question, Situation
from palpo_installer.questions.support import SUPPORTED, is_supported

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
        yield "None is installed here. nginx or Caddy can be installed first, with a consent of its own."
    yield from (f"{told}." for told in in_words(situation.facts))
    missing = sorted({*SUPPORTED["proxy.kind"]} - {each.kind for each in found})
    if found and missing:
        yield f"Not installed here: {', '.join(TITLES.get(kind, kind) for kind in missing)}."
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


def _sites(situation: Situation) -> dict[str, str]:
    """Return the names of the proxy's sites that have a name of ours on a port of ours, by file and line."""
    layout = situation.layout
    ours = serves_base(situation) or situation.get("names.base_domain", BaseDomain) is BaseDomain.OURS
    names = {situation.answer("names.client_host", str), *([situation.base] if ours else [])}
    wanted = {(name, port) for name in names for port in (layout.http_port, layout.https_port)}
    if has_own_port(situation):
        wanted.add((situation.base, situation.answer("federation.port", int)))
    return {
        f"{block.file}:{block.line}": " ".join(block.names)
        for proxy in looked_at(situation)
        for block in proxy.servers
        if any((name.lower(), listen.port) in wanted for name in block.names for listen in block.listens)
    }


def _has_site(situation: Situation) -> bool:
    """Return whether the proxy has a site of somebody else with a name and port that will be ours."""
    return bool(_sites(situation))


def _sites_now(situation: Situation) -> str:
    """Return which sites are meant, by name, file and line."""
    places: dict[str, list[str]] = {}
    for place, names in _sites(situation).items():
        places.setdefault(names, []).append(place)
    told = (f"{names} at {' and '.join(there)}" for names, there in places.items())
    return f"In the way: {', '.join(told)}."


PROXIES = (
    Question(
        key="proxy.kind",
        text="Reverse proxy of this host",
        help="The one that answers on ports 80 and 443 now, or shall.",
        kind=Kind.CHOICE,
        read=readers.one_of(("nginx", "apache", "caddy", "haproxy", "relayd", "traefik", "kubernetes")),
        default=proxy_default,
        now=proxies_now,
        open=is_open,
        choices=(
            Choice("nginx", "nginx"),
            Choice("apache", "Apache HTTP Server"),
            Choice("caddy", "Caddy"),
            Choice("haproxy", "HAProxy"),
            Choice("relayd", "relayd"),
            Choice("traefik", "Traefik"),
            Choice("kubernetes", "Kubernetes (Gateway API)"),
        ),
    ),
    Question(
        key="proxy.take_over",
        text="Whether the proxy's site for one of these names may be switched off",
        help="Ours takes its place in the same moment, and a rollback brings it back; without that no plan can be "
        "made. A file that serves other names too is refused. The answer counts for this time only.",
        kind=Kind.FLAG,
        read=readers.flag,
        default=lambda _: False,
        applies=_has_site,
        now=_sites_now,
        example="true",
    ),
)
