"""What the proxy answers itself: closed paths, closed registration, too many requests, too large ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from palpo_installer.homeserver.settings import LIMITING_PROXIES
from palpo_installer.rehearsal.forwarding import open_routes, path_of
from palpo_installer.rehearsal.judging import came, judged, refuses
from palpo_installer.rehearsal.stage import Stage
from palpo_installer.site import NOTHING, TOO_LARGE, TOO_MANY, Closed, Forward, Match, Refusal, VirtualHost
from palpo_installer.verify.checks_paths import INTERNAL_PATHS, spellings
from palpo_installer.verify.report import Check, cannot_tell
from palpo_installer.verify.view import Endpoint

PALPO_LIMITS = "Palpo's own limits are set instead, for all clients together: the plan shows them in palpo.toml."

PLAIN = frozenset({"caddy", "haproxy"})
"""Proxies that decide by a path as it is written, like the homeserver, which resolves no dot segments.

They refuse those that lead to administration; by way of others, a path arrives as one that the homeserver has not.
"""

CONTINUE = 100
"""The status by which a server asks for a body."""

MORE = 3
"""Requests above a limit, in case that it lets one more through in the meantime."""


def check_refusals(stage: Stage, there: VirtualHost) -> Iterator[Check]:
    """Yield the checks of a virtual host that passes requests on."""
    endpoint = stage.view.endpoint(there.name, there.port)
    yield _check_closed(stage, endpoint, there)
    yield from _check_methods(stage, endpoint, there)
    yield _check_body(stage, endpoint, there)
    yield _check_header(stage, endpoint, there)


def _check_closed(stage: Stage, endpoint: Endpoint, there: VirtualHost) -> Check:
    routes = [route for route in there.routes if isinstance(route, Closed) and not route.match.method]
    closed = dict.fromkeys(INTERNAL_PATHS, NOTHING) | {r.match.path: r.refusal for r in routes if r.match.path != "/"}
    broken, tried = [], 0
    for path, refusal in closed.items():
        for target in spellings(path):
            if stage.proxy.kind in PLAIN and path in INTERNAL_PATHS and _has_dots(target):
                continue
            exchange = stage.send(endpoint, target)
            tried += 1
            if exchange.arrived:
                broken.append(f"{target} reaches the homeserver")
            elif target == path and (why := refuses(exchange.answer, refusal)):
                broken.append(f"{target}: {why}")
    promise = f"administration and other closed paths never reach the homeserver, in {tried} spellings"
    return judged("closed paths", endpoint, promise, broken)


def _has_dots(target: str) -> bool:
    return ".." in target or "%2e%2e" in target


def _check_methods(stage: Stage, endpoint: Endpoint, there: VirtualHost) -> Iterator[Check]:
    for route in there.routes:
        if isinstance(route, Closed) and route.match.method:
            broken = [*_still_open(stage, endpoint, route.match, route.refusal), *_shut(stage, endpoint, route.match)]
            promise = f"{route.match.method} {route.match.path} is refused and never reaches the homeserver"
            yield judged("registration", endpoint, promise, broken)


def _still_open(stage: Stage, endpoint: Endpoint, match: Match, refusal: Refusal) -> Iterator[str]:
    path = path_of(match)
    head, _, last = path.rpartition("/")
    encoded = f"{head}/%{ord(last[0]):02x}{last[1:]}"
    detour = () if stage.proxy.kind in PLAIN else (f"{head}/x/../{last}",)
    for target in (path, f"{path}/", f"{path}?kind=user", encoded, f"{head}//{last}", *detour):
        exchange = stage.send(endpoint, target, method=match.method)
        if exchange.arrived:
            yield f"{target} reaches the homeserver"
        elif why := refuses(exchange.answer, refusal):
            yield f"{target}: {why}"


def _shut(stage: Stage, endpoint: Endpoint, match: Match) -> Iterator[str]:
    """Yield where a closed method closes the others too: browsers ask first (Fetch standard, "CORS preflight")."""
    for method in ("OPTIONS", "GET"):
        exchange = stage.send(endpoint, path_of(match), method=method)
        if not exchange.arrived:
            yield f"{method} {path_of(match)} gets {came(exchange.answer)} and does not arrive"


def check_limits(stage: Stage, hosts: Sequence[VirtualHost]) -> Iterator[Check]:
    """Yield a check for each limit; its counters are shared by all virtual hosts, the first of which it meets fresh."""
    limited = [
        (there, route, route.limit)
        for there in hosts
        for route in open_routes(there)
        if route.limit is not None and Match(route.match.path, route.match.scope, "POST") not in _closed_methods(there)
    ]
    proxy = stage.proxy
    if limited and proxy.kind not in LIMITING_PROXIES:
        yield cannot_tell("limits", proxy.title, f"{proxy.title} does not limit requests by itself.", PALPO_LIMITS)
        return
    for name in dict.fromkeys(limit.name for _, _, limit in limited):
        broken: list[str] = []
        limits = [each for each in limited if each[2].name == name]
        for number, (there, route, limit) in enumerate(limits):
            broken += _unlimited(stage, there, route, limit.burst, fresh=number == 0)
        promise = f"the POST requests of each client are limited, to about {limits[0][2].burst} at once"
        yield judged("limits", path_of(limits[0][1].match), promise, broken)


def _closed_methods(there: VirtualHost) -> set[Match]:
    return {route.match for route in there.routes if isinstance(route, Closed) and route.match.method}


def _unlimited(stage: Stage, there: VirtualHost, route: Forward, burst: int, *, fresh: bool) -> Iterator[str]:
    endpoint = stage.view.endpoint(there.name, there.port)
    taken = 0
    while taken <= burst + MORE:
        exchange = stage.send(endpoint, path_of(route.match), method="POST")
        if not exchange.arrived:
            why = refuses(exchange.answer, TOO_MANY)
            if why:
                yield f"at {endpoint} {why}"
            break
        taken += 1
    else:
        yield f"at {endpoint} all of {taken} are taken"
    if fresh and taken < burst:
        yield f"at {endpoint} only {taken} are taken"
    if not stage.send(endpoint, path_of(route.match)).arrived:
        yield f"at {endpoint} GET is limited too"


def _check_body(stage: Stage, endpoint: Endpoint, there: VirtualHost) -> Check:
    limit, target = stage.view.site.body_limit, f"{path_of(_widest(there).match)}/upload"
    said = {size: _said_first(stage, endpoint, target, size) for size in (limit, limit + 1)}
    counted = all(f" {CONTINUE} " in line for line in said.values())
    broken = _counted(stage, endpoint, target, limit) if counted else _told(stage, endpoint, target, said)
    promise = f"bodies up to {limit} bytes are taken, larger ones are answered with {TOO_LARGE.status}"
    return judged("body size", endpoint, promise, list(broken))


def _told(stage: Stage, endpoint: Endpoint, target: str, said: Mapping[int, str]) -> Iterator[str]:
    """Yield what is wrong where a body is judged by the length that it is said to have."""
    for (size, line), status in zip(said.items(), (CONTINUE, TOO_LARGE.status), strict=True):
        if f" {status} " not in line:
            yield f"{size} bytes for {target} get {line} instead of {status}"
            return
    size = max(said)
    refused = stage.send(endpoint, target, method="POST", headers={"Content-Length": str(size)})
    if why := refuses(refused.answer, TOO_LARGE):
        yield f"{size} bytes for {target}: {why}"


def _counted(stage: Stage, endpoint: Endpoint, target: str, limit: int) -> Iterator[str]:
    """Yield what is wrong where a body is counted as it comes."""
    taken = stage.send(endpoint, target, method="POST", size=limit)
    if not taken.arrived:
        yield f"{limit} bytes for {target} get {came(taken.answer)}"
    refused = stage.send(endpoint, target, method="POST", size=limit + 1)
    if refused.arrived:
        yield f"{limit + 1} bytes for {target} reach the homeserver instead of {TOO_LARGE.status}"
    elif why := refuses(refused.answer, TOO_LARGE):
        yield f"{limit + 1} bytes for {target}: {why}"


def _said_first(stage: Stage, endpoint: Endpoint, target: str, size: int) -> str:
    """Return what is said before any of a body is sent (RFC 9110, section 10.1.1)."""
    return stage.first_line(endpoint, target, {"Content-Length": str(size), "Expect": "100-continue"})


def _check_header(stage: Stage, endpoint: Endpoint, there: VirtualHost) -> Check:
    size, target = stage.view.site.header_limit - 1024, path_of(_widest(there).match)
    exchange = stage.send(endpoint, target, headers={"Authorization": "x" * size})
    broken = [] if exchange.arrived else [f"{size} bytes for {target} get {came(exchange.answer)}"]
    return judged("header size", endpoint, f"header lines of {size // 1024} KiB are passed on", broken)


def _widest(there: VirtualHost) -> Forward:
    """Return the route of a virtual host that passes most on."""
    return min(open_routes(there), key=lambda route: len(route.match.path))
