"""What is seen in a site of Caddy that passes Matrix requests on: on the way there, and in ``reverse_proxy``. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from palpo_installer.audit.caddy_documents import ORIGIN, operations
from palpo_installer.audit.caddy_passages import Answer, Site, leads_home, upstreams
from palpo_installer.audit.caddy_values import bytes_of
from palpo_installer.audit.documents import PATHS
from palpo_installer.audit.figures import BODY
from palpo_installer.audit.passing import Fault, MediaPassage, Place
from palpo_installer.proxies.caddy.tree import Segment

FAMILIES = {
    "/_matrix/client/v3/sync": "the API for clients",
    "/_matrix/federation/v1/send/1": "the API for other servers (/_matrix/federation)",
    "/_matrix/key/v2/server": "the keys for other servers (/_matrix/key)",
    "/_matrix/media/v3/upload": "uploads of media (/_matrix/media)",
    "/_matrix/client/v1/media/download/example.com/a": "authenticated media (/_matrix/client/v1/media)",
    "/_matrix/federation/v1/media/download/a": "media for other servers (/_matrix/federation/v1/media)",
}
"""Targets that a homeserver must get, by what they stand for."""

CLEARED = ("X-Real-IP", "Forwarded")
"""What a client may send and Caddy passes on as it came (measured); it sets the others itself."""

REWRITING = frozenset({"handle_path", "uri", "rewrite", "method"})
KEPT_HOST = frozenset({"{host}", "{hostport}", "{http.request.host}", "{http.request.hostport}", "{header.Host}"})
EVERYONE = frozenset({"0.0.0.0/0", "::/0", "0/0"})


def faults(site: Site, top: Segment, ports: frozenset[int]) -> Iterator[tuple[str, Fault]]:
    """Yield what is seen, by rule.

    Source: caddyserver.com, reverse_proxy ("Headers", "trusted_proxies"), handle_path, header, request_body, tls;
    each measured with Caddy 2.6.2.
    """
    answers = {target: answer for target in (*FAMILIES, *PATHS.values()) if (answer := site.answer(target)) is not None}
    home = [each for each in answers.values() if _passes(each) and leads_home(each.by, ports)]
    for each in home:
        yield from _targets(each)
        yield from _forwarding(each, top)
        yield from _browsers(each)
        yield from _limits(each)
        peers = upstreams(each.by)
        if len(peers) > 1:
            yield "several-peers", Fault(_place(each.by), f"{len(peers)} upstreams: {', '.join(peers)}")
    if site.answer("/nobody-answers/this") is None:
        yield "empty-answer", Fault(_place(site.segment), "nothing answers paths that are not passed on")
    internal = [each for each in site.segment.all("tls") if each.arguments == ("internal",)]
    internal += [] if site.segment.all("tls") else [*top.all("local_certs")]
    for line in internal[:1]:
        yield "certificate-internal", Fault(_place(line), f"{' '.join(line.words)}: nobody knows this certificate")


def missing(sites: Sequence[Site]) -> Iterator[tuple[str, Fault]]:
    """Yield the families that no site passes on, but for those that one refuses by a matcher."""
    found: dict[Place, list[str]] = {}
    for target, what in FAMILIES.items():
        answers = [each.answer(target) for each in sites]
        if sites and not any(each is not None and (_passes(each) or each.chosen or not each.sure) for each in answers):
            by = answers[0].by if answers[0] is not None else sites[0].segment
            found.setdefault(_place(by), []).append(what)
    for place, families in found.items():
        yield "path-missing", Fault(place, f"it does not reach the homeserver: {', '.join(families)}")


def _passes(answer: Answer) -> bool:
    return answer.by.name == "reverse_proxy"


def _targets(answer: Answer) -> Iterator[tuple[str, Fault]]:
    """Yield what changes the target on its way (measured: ``strip_prefix`` 21 of 24 arrive, ``{uri}`` 23)."""
    for each in (*answer.before, *answer.by.all("rewrite"), *answer.by.all("method")):
        if each.name not in REWRITING:
            continue
        decodes = each.name == "rewrite" and each.arguments[-1:] in {("{uri}",), ("{http.request.uri}",)}
        rule = "decoded-target" if decodes else "rewritten-target"
        yield rule, Fault(_place(each), f"{' '.join(each.words)} changes what is passed on")


def _forwarding(answer: Answer, top: Segment) -> Iterator[tuple[str, Fault]]:
    """Yield what becomes of the headers about the client, and of Host."""
    place = _place(answer.by)
    ruled = {name.lower(): (value, line) for name, value, line in _sent(answer)}
    host = ruled.get("host")
    if host is not None and host[0] not in KEPT_HOST:
        yield "host-header", Fault(_place(host[1]), f"the homeserver sees {host[0]} as Host")
    address = ruled.get("x-forwarded-for")
    trusted = _trusted(answer.by, top)
    if address is not None and "header." in address[0]:
        yield "forwarded-for", Fault(_place(address[1]), "X-Forwarded-For begins with what the client sent")
    elif (address is None or "client_ip" in address[0]) and trusted is not None:
        yield "forwarded-for", Fault(_place(trusted), "every client is trusted to say its address")
    gone = set(ruled) | {name.removeprefix("-") for name in ruled}
    left = [name for name in CLEARED if name.lower() not in gone]
    if left:
        yield "client-headers", Fault(place, f"a client's own {', '.join(left)} may be passed on")


def _sent(answer: Answer) -> Iterator[tuple[str, str, Segment]]:
    """Yield what is done to headers of the request: name with its sign, value, line."""
    for each in (*answer.before, *answer.by.all("header_up")):
        if each.name in {"header_up", "request_header"}:
            words = each.arguments[1:] if each.arguments[:1] and each.arguments[0][:1] in "/@*" else each.arguments
            if words:
                yield words[0], " ".join(words[1:]), each


def _trusted(proxy: Segment, top: Segment) -> Segment | None:
    lines = (
        *proxy.all("trusted_proxies"),
        *(line for said in top.all("servers") for line in said.all("trusted_proxies")),
    )
    return next((line for line in lines if EVERYONE & set(line.arguments)), None)


def _browsers(answer: Answer) -> Iterator[tuple[str, Fault]]:
    """Yield what adds the header for browsers to answers that have it (measured: two arrive, but with ``defer``)."""
    lines = [(each, *what) for each in answer.before for what in operations(each)]
    down = [each for each in answer.by.all("header_down") if each.arguments]
    lines += [(each, each.arguments[0], "".join(each.arguments[1:2]), True) for each in down]
    for line, name, value, deferred in lines:
        doubles = name.startswith("+") or not deferred
        if value and name.lstrip("+?>").lower() == ORIGIN and doubles:
            what = "Access-Control-Allow-Origin is added to answers that have it already"
            yield "doubled-cors", Fault(_place(line), what)


def _limits(answer: Answer) -> Iterator[tuple[str, Fault]]:
    """Yield what refuses requests, or works on answers, before the homeserver or the client has a word."""
    for each in answer.before:
        if each.name in {"basicauth", "basic_auth", "forward_auth"}:
            yield "password-asked", Fault(_place(each), f"{each.name} stands before Matrix")
        if each.name == "encode":
            yield "compressed-answers", Fault(_place(each), "encode compresses what the homeserver answers")
        for line in each.all("max_size") if each.name == "request_body" else ():
            size = bytes_of(line.arguments[0]) if line.arguments else None
            if size is not None and size < BODY:
                yield "upload-limit", Fault(_place(line), f"max_size is {line.arguments[0]}; Palpo takes 16 MiB")


def media(site: Site, ports: frozenset[int], path: str) -> MediaPassage | None:
    """Return how a path reaches another upstream than the homeserver, None where it does not.

    Caddy sends the client's Host on, and in X-Forwarded-Host too, whatever becomes of Host itself (measured).
    """
    answer = site.answer(path)
    if answer is None or not answer.sure or not _passes(answer) or leads_home(answer.by, ports):
        return None
    public = next(iter(site.names), "") if len(site.names) == 1 else None
    host = forwarded = public
    for name, value, _ in _sent(answer):
        told = None if "{" in value else value.partition(":")[0]
        if name.lower() == "host":
            host = public if value in KEPT_HOST else told
        elif name.lower().lstrip("-") == "x-forwarded-host":
            forwarded = "" if name.startswith("-") else told
    return MediaPassage(_place(answer.by), host, forwarded)


def _place(segment: Segment) -> Place:
    return Place(segment.file, segment.line)
