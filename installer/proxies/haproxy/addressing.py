"""What a frontend of somebody else's says of a client's address, and where our line stands so that it holds for us too.

Behind a CDN or a load balancer ``http-request set-src`` puts the address that a header names in the place of the
connection's, for all that asks for it later (manual, "http-request set-src"). Our line ends the rules of the frontend
for our requests, so it belongs behind such a rule: the address is then the one that the frontend determines, for the
homeserver and for the limits. Rules before it are carried out for our requests too, so they must be of a kind that
neither answers nor changes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from palpo_installer.proxies.haproxy.configuration import Directive, Frontend
from palpo_installer.proxies.haproxy.reading import of_guest, ours

SETTING = ("http-request", "set-src")
PREPARING = frozenset({"allow", "capture", "set-src", "set-src-port", "set-var", "set-var-fmt", "unset-var"})
"""Actions that neither answer a request nor change it."""
HEADERS = frozenset({"add-header", "del-header", "replace-header", "replace-value", "set-header"})
TOLD = frozenset({"x-forwarded-for", "x-real-ip"})
"""Headers by which servers are told who the client is."""
READ = re.compile(r"hdr(?:_ip)?\((?P<name>[^,)]+)")
"""What reads a header of the request, as an expression or in a format."""


def rules(frontend: Frontend) -> tuple[Directive, ...]:
    """Return its rules on requests but for ours."""
    return tuple(each for each in frontend.section.all("http-request") if not ours(each) and not of_guest(each))


def place(theirs: Sequence[Directive]) -> int:
    """Return how many rules of a frontend stand before our line: none, but where more of them determine the address."""
    found = [number for number in range(len(theirs) + 1) if _may_stand(theirs, number)]
    return max(found, key=lambda number: (len(_setting(theirs[:number])), -number))


def last_setting(theirs: Sequence[Directive]) -> int:
    """Return the line of the last rule before ours that determines the address, 0 for none."""
    return max((each.line for each in _setting(theirs[: place(theirs)])), default=0)


def is_set(frontend: Frontend) -> bool:
    """Return whether a rule of a frontend, or of its ``defaults``, determines the address; also one on connections."""
    sections = (frontend.section, *frontend.defaults)
    return any(SETTING[1] in each.words[1:3] for section in sections for each in section.directives)


def findings(frontend: Frontend) -> Iterator[str]:
    """Yield what a person should know of an address that is another for our names than for those of others."""
    theirs, title = rules(frontend), f"{frontend.section.kind} {frontend.section.name}"
    if late := _setting(theirs[place(theirs) :]):
        first = next(each for each in theirs if not _prepares(each, theirs))
        yield (
            f"{title} determines the client's address by {late[0]} ({late[0].where}), which is not carried out for our "
            f"names: our line has to stand before a rule that may answer or change requests, {first} ({first.where}). "
            "All clients of that CDN or load balancer have its address then, and share one limit of logins. Put line "
            f"{late[0].line} above line {first.line} and plan again; what keeps out all others than a CDN can be "
            "tcp-request connection reject"
        )
    for rule in () if is_set(frontend) else filter(_tells, theirs):
        yield (
            f"{title} tells its servers the client's address by what a header says: {rule} ({rule.where}). For our "
            "names that of the connection counts, and all clients of a CDN or a load balancer share one limit of "
            "logins then. Let http-request set-src take the address from that header, under the same condition, and "
            "plan again"
        )


def _tells(rule: Directive) -> bool:
    """Return whether a rule passes an address on that another header of the request has."""
    match rule.words:
        case (_, action, name, *value):
            return action in HEADERS and name.lower() in TOLD and READ.search(" ".join(value)) is not None
        case _:
            return False


def _setting(theirs: Sequence[Directive]) -> tuple[Directive, ...]:
    return tuple(each for each in theirs if each.words[:2] == SETTING)


def _may_stand(theirs: Sequence[Directive], number: int) -> bool:
    """Return whether our line may stand behind the first rules: also with regard to a conditional block around them."""
    if not all(_prepares(each, theirs) for each in theirs[:number]):
        return False
    return number in {0, len(theirs)} or theirs[number].front > theirs[number - 1].line


def _prepares(rule: Directive, theirs: Sequence[Directive]) -> bool:
    """Return whether a rule leaves a request as it is, but for headers that say where it comes from."""
    action = rule.words[1].partition("(")[0] if len(rule.words) > 1 else ""
    if action in HEADERS and len(rule.words) > 2:
        name = rule.words[2].lower()
        return name.startswith("x-") or name == "forwarded" or name in _read(theirs)
    return action in PREPARING


def _read(theirs: Sequence[Directive]) -> frozenset[str]:
    """Return the headers from which an address may be taken."""
    sources = (each for each in theirs if each.words[1:2] and each.words[1].startswith(("set-src", "set-var")))
    return frozenset(found["name"].lower() for each in sources for found in READ.finditer(str(each)))
