"""Does the media repository answer what is its own, and as the right server?

Without an account only its refusals can be seen. What shows whose answer it is: the text, compared with that of the
repository and of Palpo, both asked directly, and a header that it sends with every answer to a path that it has
(matrix-media-repo, ``api/_routers/02-install-headers.go``; 404 for other paths, 405 and 429 come without it).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from palpo_installer.answers import Address
from palpo_installer.matrix_site import FEDERATION_PATHS, MEDIA_ADMIN_PATHS
from palpo_installer.probe import Answer, Question
from palpo_installer.site import (
    NOTHING,
    Forward,
)
from palpo_installer.verify.checks_homeserver import upstream_question
from palpo_installer.verify.checks_paths import content
from palpo_installer.verify.report import Check, cannot_tell, failed, passed
from palpo_installer.verify.resolution import read_object
from palpo_installer.verify.view import TIMEOUT, Contact, Endpoint, View

NAME = "media repository"
VERSION = "/_matrix/media/version"
TARGETS = (
    VERSION,
    "/_matrix/client/v1/media/config",
    "/_matrix/federation/v1/media/download/palpo-installer-verify",
)
"""In each family of its paths one that it has an answer of its own for."""

SIGN = "x-content-security-policy"
"""A header that it sends with every answer to one of these, and Palpo with none."""

UNKNOWN = 502
"""What it answers to a server name that it does not serve."""

BUSY = 429
"""What it answers to whom it has heard too often on one path: after ten requests at once, five in a second."""


def check_media(view: View, contacts: Mapping[Endpoint, Contact], media: Address) -> tuple[Check, ...]:
    """Return the checks of the media repository itself, and of each way to it through the proxy."""
    itself = _itself(view, media)
    doors = [(there, contacts[there].doors[0]) for there in view.forwarding if _is_open(contacts, there)]
    return (itself, *(_through(view, there, address, media) for there, address in doors))


def _is_open(contacts: Mapping[Endpoint, Contact], there: Endpoint) -> bool:
    return there in contacts and bool(contacts[there].doors)


def direct(view: View, media: Address, target: str) -> Question:
    """Return a question to the media repository itself, as the proxy asks it."""
    name = view.answers.names.server_name
    headers = {"X-Forwarded-Host": name}
    return Question(media.host, media.port, False, host=name, target=target, headers=headers, timeout=TIMEOUT)


def _itself(view: View, media: Address) -> Check:
    name, subject = view.answers.names.server_name, str(media)
    answer = view.ask(direct(view, media, VERSION))
    document = read_object(answer.body) or {}
    if answer.status == BUSY:
        return cannot_tell(NAME, subject, "It answers 429: it has been asked too often just now. Look again.")
    if not answer.status:
        cure = "Start it and read its log; media.upstream in the answers must be its address."
        return failed(NAME, subject, f"Nothing answers at {subject} ({answer.problem}).", cure)
    if answer.status == UNKNOWN:
        cure = f"Name {name} in its homeservers: `palpo-installer plan` shows the line."
        return failed(NAME, subject, f"It does not know the server {name} and answers 502.", cure)
    if answer.status != 200 or not isinstance(document.get("Version"), str):
        cure = "Find out what listens there (`palpo-installer detect`)."
        return failed(NAME, subject, f"What answers is no matrix-media-repo: {VERSION} gives {answer.status}.", cure)
    if view.ask(direct(view, media, TARGETS[1])).status in {404, 405}:
        what = f"matrix-media-repo {document['Version']} has no {TARGETS[1]}: clients of today find no media."
        return failed(NAME, subject, what, "Update it to 1.3.5 or later.")
    return passed(NAME, subject, f"matrix-media-repo {document['Version']} answers as {name}.")


def _through(view: View, there: Endpoint, address: str, media: Address) -> Check:
    """Return whether each family of paths leads to the media repository, and its administration nowhere."""
    subject = f"{there} at {address}"
    federates = any(each.startswith(FEDERATION_PATHS) for each in _open_paths(view))
    asked = [target for target in TARGETS if federates or not target.startswith(FEDERATION_PATHS)]
    wrong, unknown = [], []
    for target in asked:
        answer = view.ask(there.question(address, target))
        own, palpo = view.ask(direct(view, media, target)), view.ask(upstream_question(view, target))
        verdict = judge(answer, own, palpo)
        wrong += [f"{target}: {verdict}"] if verdict else []
        unknown += [target] if verdict is None else []
    wrong += [f"{path}: open to everybody" for path in _administered(view, there, address)]
    if wrong:
        cure = (
            "Pass these paths to the media repository with the server name as Host and as X-Forwarded-Host; Apache and "
            "Caddy add an X-Forwarded-Host of their own. `palpo-installer plan` shows what was changed."
        )
        return failed(NAME, subject, f"{'; '.join(wrong)}.", cure)
    if unknown:
        what = f"It cannot be told whose answer comes for {', '.join(unknown)}: Palpo's is the same, or there was none."
        return cannot_tell(NAME, subject, what)
    return passed(NAME, subject, f"Media go to {media}, in all {len(asked)} families of paths.")


def judge(answer: Answer, own: Answer, palpo: Answer) -> str | None:
    """Return what is wrong with an answer through the proxy, empty for nothing, None where that cannot be told.

    Args:
        answer: what came through the proxy.
        own: what the media repository itself answers.
        palpo: what Palpo itself answers.
    """
    if BUSY in {answer.status, own.status}:
        return None
    if answer.status == UNKNOWN and own.status not in {0, UNKNOWN}:
        return "the media repository is asked under another name (502)"
    if content(answer) == content(own) and (content(own) != content(palpo) or answer.header(SIGN)):
        return ""
    if content(answer) == content(palpo) and content(own) != content(palpo):
        return "Palpo answers"
    if content(answer) == content(own) or not own.status:
        return None
    return f"gives {answer.status or answer.problem}, the media repository itself {own.status}"


def _open_paths(view: View) -> Iterator[str]:
    for host in view.site.virtual_hosts:
        for route in host.routes:
            if isinstance(route, Forward) and route.host:
                yield route.match.path


def _administered(view: View, there: Endpoint, address: str) -> Iterator[str]:
    """Yield the administration paths that are not answered by the proxy itself."""
    for path in MEDIA_ADMIN_PATHS:
        answer = view.ask(there.question(address, f"{path}/datastores"))
        refusal = (read_object(answer.body) or {}).get("errcode")
        if answer.status != NOTHING.status or refusal != NOTHING.errcode or answer.header(SIGN):
            yield path
