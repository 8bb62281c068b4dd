"""What is passed on arrives as it was sent, from where it was sent, and its answer comes back as it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from palpo_installer.rehearsal.judging import came, judged, readable
from palpo_installer.rehearsal.recorder import ANSWER, STATUS, Request
from palpo_installer.rehearsal.stage import Exchange, Stage
from palpo_installer.site import Closed, Forward, Match, Scope, VirtualHost
from palpo_installer.verify.report import Check
from palpo_installer.verify.view import Endpoint

TAILS: Mapping[str, str] = {
    "nothing behind it": "",
    "trailing slashes": "/x/",
    "trailing question marks": "/x?",
    "encoded slashes": "/%23a%2Fb%3Aexample.com/state/m.room.name/",
    "lower-case encoded slashes": "/%23a%2fb%3aexample.com",
    "encoded colons, at signs and sigils": "/%21a%3Ab/%40c%3Ad/%24e/%2Bf",
    "plain colons, at signs and sigils": "/!a:b/@c:d/$e/+f",
    "sub-delimiters": "/a*b'()!$&,=~;c=d/;e",
    "encoded percent signs": "/a%25b/a%252Fb",
    "encoded question marks and hash signs": "/a%3Fb%23c",
    "encoded letters beyond ASCII": "/%E2%80%A2/%e2%80%a2",
    "letters encoded without need": "/%7Euser/%41%62",
    "encoded spaces and line breaks": "/a%20b/a%0d%0aX:1",
    "encoded backslashes": "/a%5Cb",
    "double slashes": "//x//y/",
    "encoded double slashes": "/a%2F%2Fb",
    "dot segments": "/x/./y/../z",
    "encoded dot segments": "/x/%2e%2e/y/%2E%2E%2Fz",
    "dot segments behind encoded slashes": "/x/y/z/..%2F..%2Fw",
    "queries": "/x?a=/../b//c&d=%2F&e=a+b%20c%2B",
    "question marks in queries": "/x??a=b?c",
}
"""What may follow a path that is passed on (RFC 3986, sections 3.3 and 3.4), the nasty forms among it."""

SPOOFED = (
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server",
    "X-Forwarded-Prefix", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-By", "X-Forwarded", "Forwarded",
    "X-Real-IP", "X-Client-IP", "X-Original-URL", "X-Rewrite-URL",
)  # fmt: skip
"""Headers by which a client could pass for another one."""

LIE = "203.0.113.66"
"""An address of documentation (RFC 5737), which is nobody's."""

STATUSES = (404, 413, 429, 502)
"""Answers of a homeserver that a proxy is tempted to replace by its own."""


@dataclass(frozen=True)
class Passed:
    """A request that must be passed on, and what became of it.

    Attributes:
        route: whose it is.
        kind: what is special about its target, in the plural.
    """

    route: Forward
    kind: str
    target: str
    exchange: Exchange


def check_forwarding(stage: Stage, there: VirtualHost) -> Iterator[Check]:
    """Yield the checks of a virtual host that passes requests on."""
    endpoint = stage.view.endpoint(there.name, there.port)
    lies = dict.fromkeys(SPOOFED, LIE)
    sent = [
        Passed(route, kind, target, stage.send(endpoint, target, headers=lies))
        for route in open_routes(there)
        for kind, target in targets(route.match).items()
    ]
    found = ((one, arrival(stage, one)) for one in sent)
    broken = [f"{one.kind}: {one.target} {why}" for one, why in found if why]
    yield judged("request targets", endpoint, f"request targets arrive byte for byte, in {len(sent)} forms", broken)
    yield _check_headers(stage, endpoint, sent)
    yield _check_answers(stage, endpoint, sent)


def open_routes(there: VirtualHost) -> tuple[Forward, ...]:
    """Return what a virtual host passes on, but for what an earlier route closes."""
    found = []
    for number, route in enumerate(there.routes):
        earlier = (each for each in there.routes[:number] if isinstance(each, Closed) and not each.match.method)
        if isinstance(route, Forward) and not any(each.match.covers(route.match) for each in earlier):
            found.append(route)
    return tuple(found)


def path_of(match: Match) -> str:
    """Return a path that fits a match."""
    return match.path.replace("*", "v3")


def targets(match: Match) -> dict[str, str]:
    """Return targets of a match by what is special about them."""
    path = path_of(match)
    heads = {"double slashes in front": f"/{path}", "encoded letters in front": f"/%{ord(path[1]):02X}{path[2:]}"}
    tails = TAILS if match.scope is Scope.SUBTREE else {"nothing behind it": "", "a trailing slash": "/"}
    return {**heads, **{kind: f"{path}{tail}" for kind, tail in tails.items()}}


def arrival(stage: Stage, one: Passed) -> str:
    """Return how a request did not arrive as it was sent, empty where it did."""
    arrived, wanted = one.exchange.arrived, one.route.upstream
    if not arrived:
        return f"does not arrive and gets {came(one.exchange.answer)}"
    if len(arrived) > 1:
        return f"arrives {len(arrived)} times"
    if arrived[0].target != one.target.encode():
        return f"arrives as {arrived[0].target.decode(errors='replace')}"
    if arrived[0].at != wanted:
        media = wanted == stage.view.answers.media
        return f"arrives at the {'homeserver instead of the media repository' if media else 'wrong upstream'}"
    return ""


def _check_headers(stage: Stage, endpoint: Endpoint, sent: list[Passed]) -> Check:
    client = stage.doors.addresses[0]
    judgements = [
        _headers(request, client, one.route.host or one.exchange.host, one.route.host)
        for one in sent
        for request in one.exchange.arrived
    ]
    route = next(one.route for one in sent if not one.route.host)
    hosts = (endpoint.host, f"{endpoint.name.upper()}:{endpoint.port}")
    for address, host in product(stage.doors.addresses, hosts):
        # A proxy that takes our headers for those of one connection would drop them (RFC 9110, section 7.6.1).
        tricks = {**dict.fromkeys(SPOOFED, LIE), "Connection": "X-Forwarded-For, X-Forwarded-Proto, Host"}
        exchange = stage.send(endpoint, path_of(route.match), headers=tricks, host=host, address=address)
        judgements += [_headers(request, address, host) for request in exchange.arrived]
    promise = "the homeserver sees the client's own address, HTTPS and the right Host, whatever a client says of itself"
    broken = [why for found in judgements for why in found]
    return judged("forwarding headers", endpoint, promise, list(dict.fromkeys(broken)))


def _headers(request: Request, client: str, host: str, forwarded_host: str = "") -> Iterator[str]:
    """Yield what is wrong with the headers of a request; ``forwarded_host`` is what a media repository must be told."""
    wanted = {"x-forwarded-for": client, "x-forwarded-proto": "https", "host": host}
    wanted |= {"x-forwarded-host": forwarded_host} if forwarded_host else {}
    for name, value in wanted.items():
        if request.all(name) != (value,):
            yield f"{name} arrives as {' and '.join(request.all(name)) or 'nothing'} instead of {value}"
    for name in SPOOFED:
        if name.lower() not in wanted and LIE in request.all(name.lower()):
            yield f"{name} arrives as the client wrote it"


def _check_answers(stage: Stage, endpoint: Endpoint, sent: list[Passed]) -> Check:
    broken = [why for one in sent if one.exchange.arrived and (why := _altered(one.exchange, 200))]
    route = next(one.route for one in sent if one.route.match.scope is Scope.SUBTREE)
    for status, method in (*product(STATUSES, ("GET",)), (200, "OPTIONS"), (200, "PUT")):
        target = f"{path_of(route.match)}/image.png"
        exchange = stage.send(endpoint, target, method=method, headers={STATUS: str(status)})
        why = _altered(exchange, status)
        broken += [f"{method} with {status}: {why}"] if why else []
    promise = "answers of the homeserver come back as it wrote them, so that web clients can read them"
    return judged("answers", endpoint, promise, list(dict.fromkeys(broken)))


def _altered(exchange: Exchange, status: int) -> str:
    answer = exchange.answer
    if answer.status != status:
        return f"{status} comes back as {came(answer)}"
    return readable(answer) or ("" if answer.body == ANSWER else "the body comes back as another one")
