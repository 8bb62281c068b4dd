"""What in somebody else's frontend keeps our answers out.

How far each rule reaches was tried on HAProxy 2.6.12 (tests/lab/test_haproxy_guests.py). Our line is the first rule on
requests in the frontend, so that only this is left:

- rules of its ``defaults`` come before those of the frontend itself;
- rules on connections end what they reject before there is a request;
- ``verify required`` decides before that;
- ``http-after-response`` changes what HAProxy answers itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from palpo_installer.proxies.haproxy.configuration import Directive, Section
from palpo_installer.proxies.virtual_hosts import Conflict
from palpo_installer.site import Guest

ANSWERING = frozenset({"deny", "tarpit", "reject", "redirect", "return", "auth", "use-service", "silent-drop"})
"""The actions of ``http-request`` after which nothing follows."""

ORIGIN = "access-control-allow-origin"


def conflicts(
    guest: Guest, section: Section, defaults: Sequence[Section], paths: tuple[str, ...]
) -> tuple[Conflict, ...]:
    """Return everything about a frontend that is at odds with the answers of a guest.

    Args:
        guest: what is answered.
        section: the frontend.
        defaults: those that it is made from.
        paths: at which it answers.
    """
    return (
        *(_clients(section, paths) if guest.tls else ()),
        *(found for each in defaults for found in _before(each, paths)),
        *_connections(section, paths),
        *_headers((*defaults, section), paths),
    )


def _clients(section: Section, paths: tuple[str, ...]) -> Iterator[Conflict]:
    for bind in section.all("bind"):
        if ("verify", "required") in zip(bind.words, bind.words[1:], strict=False):
            yield Conflict(
                "the frontend refuses everybody without a client certificate, before any path is looked at",
                bind.where,
                "Write verify optional, and below all rules that answer: http-request deny unless { ssl_c_used }",
                paths,
            )


def _before(defaults: Section, paths: tuple[str, ...]) -> Iterator[Conflict]:
    for rule in defaults.all("http-request"):
        if len(rule.words) > 1 and rule.words[1] in ANSWERING:
            sure = not {"if", "unless"} & set(rule.words)
            yield _conflict(rule, "comes before every rule of the frontend", paths, certain=sure)


def _connections(section: Section, paths: tuple[str, ...]) -> Iterator[Conflict]:
    for rule in section.all("tcp-request"):
        if {"reject", "silent-drop"} & set(rule.words):
            sure = not {"if", "unless"} & set(rule.words)
            yield _conflict(rule, "ends connections before there is a request", paths, certain=sure)


def _conflict(rule: Directive, deed: str, paths: tuple[str, ...], *, certain: bool) -> Conflict:
    doubt = "" if certain else ", and whether for our paths too cannot be read from the file"
    cure = "Give it a condition that leaves our paths out" if certain else "Should our paths not answer, leave them out"
    return Conflict(f"{rule} {deed}{doubt}", rule.where, f"{cure}: unless {{ path_beg /.well-known/ }}", paths, certain)


def _headers(sections: Sequence[Section], paths: tuple[str, ...]) -> Iterator[Conflict]:
    for rule in (rule for section in sections for rule in section.all("http-after-response")):
        if any(word.lower() == ORIGIN for word in rule.words):
            yield Conflict(
                f"{rule} changes our answers as well, and Matrix clients in browsers refuse a header that comes twice",
                rule.where,
                "Write http-response instead, which leaves alone what HAProxy answers itself",
                paths,
                certain=False,
            )
