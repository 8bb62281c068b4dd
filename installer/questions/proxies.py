"""The questions about the proxy: which of all that are found, with what they serve; and sites of others in its way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from palpo_installer.answers import BaseDomain
from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
from palpo_installer.proxies.standing import TITLES, Standing, freeing, holder, named, standings, theirs
from palpo_installer.questions import readers
from palpo_installer.questions.federation import has_own_port
from palpo_installer.questions.names import looked_at, serves_base
from palpo_installer.questions.question import Choice, Kind, Question, Situation
from palpo_installer.questions.support import is_supported

CHOICES = (
    Choice("nginx", "nginx"),
    Choice("apache", "Apache HTTP Server"),
    Choice("caddy", "Caddy"),
    Choice("haproxy", "HAProxy"),
    Choice("relayd", "relayd"),
    Choice("traefik", "Traefik"),
    Choice("kubernetes", "Kubernetes (Gateway API)"),
)

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
    """Return what there is to know beside the choices: that none is installed, and proxies that are not read."""
    return " ".join(_now(situation))


def _now(situation: Situation) -> Iterator[str]:
    found = standings(situation.facts)
    if not found:
        yield "None is installed here. nginx or Caddy can be installed first, with a consent of its own."
    yield from (f"{each}{_unable(each)}." for each in found if not _is_read(each, situation))


def _is_read(standing: Standing, situation: Situation) -> bool:
    """Return whether a proxy stands among the choices with what it serves."""
    known = situation.facts.proxy(standing.kind) is not None and not standing.container
    return known and is_supported("proxy.kind", standing.kind)


def each_now(situation: Situation) -> Mapping[str, str]:
    """Return beside each choice what that proxy serves now."""
    read = {each.kind: each for each in standings(situation.facts) if _is_read(each, situation)}
    kinds = (choice.value for choice in CHOICES)
    return {kind: _beside(read[kind], situation.layout) if kind in read else "not installed" for kind in kinds}


def _beside(standing: Standing, layout: Layout) -> str:
    """Return what a proxy serves now, in a few words."""
    many = {0: "no site", 1: "1 site"}.get(standing.sites or 0, f"{standing.sites} sites")
    sites = f"{many} beside ours" if standing.ours else many
    if standing.holds(layout):
        return f"has {named(standing.ports)} now; {sites}"
    return f"{'runs' if standing.running else 'stopped'}; {sites}"


def what_it_takes(value: object, situation: Situation) -> str:
    """Return what would have to happen for a proxy that does not have the ports of the web; empty for one that has."""
    layout = situation.layout
    holding = holder(situation.facts, layout)
    if holding is None or (holding.kind == value and not holding.container):
        return ""
    old, new = holding.title, TITLES.get(str(value), str(value))
    ports = [port for port in holding.ports if port in {layout.http_port, layout.https_port}]
    held, them = named(ports), "it" if len(ports) == 1 else "them"
    proxy = None if holding.container else situation.facts.proxy(holding.kind)
    others = theirs(proxy, ports, situation.facts) if proxy else 0
    if holding.ours and not others:
        return (
            f"{old} has {held} now, for Palpo alone. {new} is made ready first, then {old} leaves {them} to it: nobody "
            "answers for a moment, mostly less than a second."
        )
    sites, move = {0: ("", ""), 1: (", with 1 site of yours", "this site")}.get(
        others, (f", with {others} sites of yours", "these sites")
    )
    how = f" ({freeing(holding)})" if holding.unit or holding.container else ""
    moving = f"move {move} to {new}, or to other ports" if others else ""
    stopping = "" if holding.ours else f"stop {old} with all that it serves{how}"
    rest = " Palpo's own site changes over by itself then." if holding.ours else ""
    return (
        f"{old} has {held} now{sites}. palpo-installer moves and stops nothing of yours: so that {new} can serve "
        f"Palpo, {', or '.join(filter(None, (moving, stopping)))}.{rest}"
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
        choices=CHOICES,
        beside=each_now,
        entails=what_it_takes,
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
