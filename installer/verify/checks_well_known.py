"""Can web clients read the client well-known answer (Matrix spec, client-server API, "Well-known URI")?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from palpo_installer.answers import BaseDomain
from palpo_installer.matrix_site import origin
from palpo_installer.probe import Answer
from palpo_installer.site import (
    FixedJson,
)
from palpo_installer.verify.fetching import ORIGIN, Fetcher
from palpo_installer.verify.report import Check, cannot_tell, failed, passed
from palpo_installer.verify.resolution import Hop, follow, read_object
from palpo_installer.verify.view import Contact, Endpoint, View

NAME = "client well-known"
PATH = "/.well-known/matrix/client"


@dataclass(frozen=True)
class Document:
    """A well-known document as it must be published.

    Attributes:
        url: where.
        body: the exact document, empty where there is none to publish.
    """

    url: str
    body: str

    def cure(self, view: View, endpoint: Endpoint) -> str:
        """Return what to do where an endpoint does not serve it: only another machine's website is not ours to mend."""
        if view.site.guests and not endpoint.ours:
            return (
                f"See that the site of {endpoint.name} has the line that leads to our answers, where palpo-installer "
                "could not add it itself, and that the proxy was reloaded: `palpo-installer plan` shows line and place."
            )
        if endpoint.ours or view.answers.names.base_domain is not BaseDomain.ELSEWHERE:
            return "Run `palpo-installer plan`: it shows what differs from what was installed."
        return (
            f"Publish this at {self.url}, with the headers Content-Type: application/json and "
            f"Access-Control-Allow-Origin: *\n{self.body}"
        )


def document(view: View, path: str) -> Document:
    """Return the document that the site serves at a well-known path, for the base domain."""
    routes = (route for there in view.site.virtual_hosts for route in there.routes)
    bodies = (route.body for route in routes if isinstance(route, FixedJson) and route.path == path)
    return Document(f"https://{view.website.host}{path}", next(bodies, ""))


def check_client_well_known(view: View, contacts: Mapping[Endpoint, Contact]) -> tuple[Check, ...]:
    """Return a check for the base domain, where clients look, and one for the client host."""
    return tuple(
        check
        for endpoint in dict.fromkeys((view.website, view.client))
        if (check := _check(view, contacts, endpoint)) is not None
    )


def _check(view: View, contacts: Mapping[Endpoint, Contact], endpoint: Endpoint) -> Check | None:
    subject = f"https://{endpoint.host}{PATH}"
    doors = contacts[endpoint].doors if endpoint in contacts else ()
    if not doors:
        return unreachable(NAME, subject, endpoint)
    expected, redirects = origin(view.answers.names.client_host, view.layout), ""
    for address in doors:
        hops = follow(subject, Fetcher(view, contacts, only=(endpoint, address)))
        problem = objection(hops, expected)
        if problem:
            cure = document(view, PATH).cure(view, endpoint)
            return failed(NAME, subject, f"At {address} {problem}.", cure)
        redirects = f" It redirects to {hops[-1].url}; older clients do not follow." if len(hops) > 1 else redirects
    return passed(NAME, subject, f"Clients are led to {expected}, web clients included.{redirects}")


def unreachable(name: str, subject: str, endpoint: Endpoint) -> Check | None:
    """Return what to say of a website that does not answer; None for our own: its connection has failed already."""
    if endpoint.ours:
        return None
    return cannot_tell(
        name,
        subject,
        f"{endpoint.host} does not answer from here.",
        f"Open {subject} from another network and compare it with what `palpo-installer render` writes.",
    )


def objection(hops: tuple[Hop, ...], expected: str) -> str:
    """Return why clients cannot use an answer, empty where they can.

    Args:
        hops: the way through redirects; the last one is the answer proper.
        expected: the base URL that it must name.
    """
    for hop in hops[:-1]:
        shared = cross_origin(hop.answer)
        if shared:
            return f"it redirects to another place, and {shared}"
    answer = hops[-1].answer
    if answer.problem:
        return f"it does not answer ({answer.problem})"
    if answer.status != 200:
        return f"it answers {answer.status} instead of 200"
    found = read_object(answer.body)
    if found is None:
        return "its answer is no JSON object"
    homeserver = found.get("m.homeserver")
    base_url = homeserver.get("base_url") if isinstance(homeserver, dict) else None
    if not isinstance(base_url, str) or base_url.rstrip("/") != expected:
        return f"m.homeserver.base_url is {base_url!r} instead of {expected!r}"
    return cross_origin(answer) or _media_type(answer)


def cross_origin(answer: Answer) -> str:
    """Return why a web client's browser would not let it read an answer, empty where it would.

    Fetch standard, "CORS check": exactly one ``Access-Control-Allow-Origin``.
    """
    values = answer.all("access-control-allow-origin")
    if not values:
        return "the header Access-Control-Allow-Origin is missing, so that browsers keep the answer from web clients"
    if len(values) > 1 or "," in values[0]:
        return (
            f"the header Access-Control-Allow-Origin comes {max(len(values), 2)} times, which browsers refuse: "
            "two places add it"
        )
    if values[0] not in {"*", ORIGIN}:
        return f"Access-Control-Allow-Origin is {values[0]!r}, which lets in that one web client only"
    return ""


def _media_type(answer: Answer) -> str:
    values = answer.all("content-type")
    types = [value.partition(";")[0].strip().lower() for value in values]
    if types != ["application/json"]:
        shown = " and ".join(values) or "missing"
        return f"its Content-Type is {shown} instead of application/json, which some clients refuse"
    return ""
