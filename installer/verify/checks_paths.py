"""Are the paths that must stay closed closed, also when they are written differently?

A status decides nothing: some proxies answer 200 with an empty body for what they do not serve, and Palpo's own
404 looks like any other. What counts is whose answer it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from palpo_installer.answers import Delegation
from palpo_installer.matrix_site import ADMIN_PATHS, FEDERATION_PATHS
from palpo_installer.probe import Answer
from palpo_installer.site import (
    Closed,
    Refusal,
)
from palpo_installer.verify.checks_homeserver import upstream_question
from palpo_installer.verify.report import Check, cannot_tell, failed, passed
from palpo_installer.verify.resolution import read_object
from palpo_installer.verify.view import Contact, Endpoint, View

NAME = "closed paths"

INTERNAL_PATHS = ("/health", "/healthz", "/metrics")
"""Palpo's own health answers, and where others have figures: for this machine only."""

_REQUESTS = {"/_matrix/key": "/v2/server", "/_matrix/federation": "/v1/version", "/_matrix/policy": "/v1/sign"}
"""Below each closed path something that a homeserver has an answer of its own for."""


def spellings(path: str) -> Iterator[str]:
    """Yield targets that mean a closed path, if whoever reads them decodes, merges slashes or resolves dots."""
    yield path
    full = path + _REQUESTS.get(path, "/v1/users")
    yield full
    yield f"/{full}"
    yield f"/_matrix/..{full}"
    yield f"/_matrix/client/v3/../../..{full}"
    yield f"/_matrix/%2e%2e{full}"
    yield f"/_matrix/..%2f{full[1:]}"
    yield f"/_palpo/client/../..{full}"
    yield f"/%{ord(full[1]):02X}{full[2:]}"


def check_closed_paths(view: View, contacts: Mapping[Endpoint, Contact]) -> tuple[Check, ...]:
    """Return a check for each endpoint that passes requests on."""
    federates = view.answers.federation.delegation is not Delegation.NONE
    closed = (*ADMIN_PATHS, *(() if federates else FEDERATION_PATHS))
    targets = {**{path: path for path in INTERNAL_PATHS}, **{t: path for path in closed for t in spellings(path)}}
    own: dict[str, Answer] = {}

    def homeserver(target: str) -> Answer:
        if target not in own:
            own[target] = view.ask(upstream_question(view, target))
        return own[target]

    return tuple(
        _check(view, endpoint, contacts[endpoint].doors[0], targets, homeserver)
        for endpoint in view.forwarding
        if endpoint in contacts and contacts[endpoint].doors
    )


def _check(
    view: View, endpoint: Endpoint, address: str, targets: Mapping[str, str], homeserver: Callable[[str], Answer]
) -> Check:
    subject = f"{endpoint} at {address}"
    routes = (route for there in view.site.virtual_hosts for route in there.routes)
    refusals = tuple(route.refusal for route in routes if isinstance(route, Closed))
    opened, unknown = [], []
    for target, path in targets.items():
        meant = path + _REQUESTS.get(path, "/v1/users") if target != path else path
        answer = view.ask(endpoint.question(address, target))
        reached = reaches(answer, (homeserver(target), homeserver(meant)), refusals)
        if reached is None:
            unknown.append(target)
        elif reached:
            opened.append(target)
    if opened:
        more = f" and {len(opened) - 3} more" if len(opened) > 3 else ""
        cure = "Close these paths in the proxy, or run `palpo-installer plan` to see what was changed there."
        return failed(
            NAME, subject, f"The homeserver answers {', '.join(opened[:3])}{more}, which must be closed.", cure
        )
    if unknown:
        what = f"It cannot be told whose answer comes for {', '.join(unknown[:3])}: the homeserver's is the same."
        return cannot_tell(NAME, subject, what, "Look into the proxy's configuration for these paths.")
    return passed(NAME, subject, f"Administration and health are closed, in {len(targets)} spellings.")


def reaches(answer: Answer, homeserver: tuple[Answer, ...], refusals: tuple[Refusal, ...]) -> bool | None:
    """Return whether an answer is the homeserver's, None where that cannot be told.

    Args:
        answer: what came through the proxy.
        homeserver: what the homeserver itself answers to the target, and to the path that the target means.
        refusals: the answers that the site gives instead of the homeserver.
    """
    shown = content(answer)
    if any(shown == (refusal.status, _refused(refusal)) for refusal in refusals) or not answer.status:
        return False
    same = [there for there in homeserver if there.status and content(there) == shown]
    if same:
        return True if answer.body.strip() else None
    document = read_object(answer.body)
    return document is not None and isinstance(document.get("errcode"), str)


def content(answer: Answer) -> tuple[int, str]:
    """Return status and body in a form that can be compared; for JSON, its meaning."""
    document = read_object(answer.body)
    return answer.status, answer.body.decode(errors="replace") if document is None else _plain(document)


def _refused(refusal: Refusal) -> str:
    return _plain({"errcode": refusal.errcode, "error": refusal.error})


def _plain(document: Mapping[str, object]) -> str:
    return json.dumps(document, sort_keys=True)
