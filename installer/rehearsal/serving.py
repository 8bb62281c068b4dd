"""What the proxy serves itself: the marker, the certificates, plain HTTP, and the well-known documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from palpo_installer.gates import markers
from palpo_installer.probe import ask
from palpo_installer.rehearsal.judging import came, judged, readable
from palpo_installer.rehearsal.stage import Stage
from palpo_installer.site import (
    CHALLENGE_PATH,
    MARKER_HEADER,
    MARKER_PATH,
    Challenge,
    FixedJson,
    Guest,
    Redirect,
    VirtualHost,
)
from palpo_installer.verify.report import Check, cannot_tell
from palpo_installer.verify.view import Endpoint

OTHER = "/.well-known/security.txt"
REFUSED = 403
TOKEN = "rehearsal"  # noqa: S105
PROOF = "the proof of a rehearsal"
REDIRECTED = "/_matrix/a%2Fb//../c?d=%2F"


def check_markers(stage: Stage) -> Iterator[Check]:
    """Yield a check for each name and port: the marker and the certificate, as the gate of a run asks for them."""
    expectations = (*stage.rendering.plain.expectations, *stage.rendering.secure.expectations)
    leaves = {path: markers.leaf_of(stage.view.host, path) for e in expectations if (path := e.certificate) is not None}
    pairs = zip(expectations, markers.questions(expectations), strict=True)
    for (name, port, tls), asked in groupby(pairs, key=lambda pair: (pair[0].name, pair[0].port, pair[0].tls)):
        found = [(e, markers.complaint(e, ask(question), leaves)) for e, question in asked]
        broken = [f"at {e.address} {why}" for e, why in found if why]
        secured = ", and the certificate that is on disk" if tls else ""
        promise = f"every address shows the marker of this very configuration{secured}"
        yield judged("marker", f"{name}:{stage.doors.real(port)}", promise, broken)


def check_plain(stage: Stage, there: VirtualHost) -> Check:
    """Return the check of a virtual host without TLS."""
    endpoint = stage.view.endpoint(there.name, there.port)
    broken: list[str] = []
    kept = []
    for route in there.routes:
        if isinstance(route, Challenge):
            kept.append("challenges are answered from their files")
            broken += _challenge(stage, endpoint, route.webroot)
        if isinstance(route, Redirect):
            kept.append(f"everything else is sent to {route.origin} with its target as it came")
            exchange = stage.send(endpoint, REDIRECTED)
            shown = exchange.answer.header("location")
            if exchange.answer.status not in _redirects(stage.proxy.kind) or shown != f"{route.origin}{REDIRECTED}":
                broken.append(f"{REDIRECTED} gets {came(exchange.answer)} {shown}".rstrip())
    return judged("plain HTTP", endpoint, " and ".join(kept), broken)


def _redirects(kind: str) -> tuple[int, ...]:
    """Return the statuses that send a client elsewhere with its target as it came, as far as a proxy has them."""
    # Apache writes the escapes of a target anew but where it redirects for the time being.
    return (301, 302) if kind == "apache" else (301,)


def _challenge(stage: Stage, endpoint: Endpoint, webroot: Path) -> Iterator[str]:
    target = f"{CHALLENGE_PATH}/{TOKEN}"
    file = webroot / target.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PROOF)
    # A proxy that was started by root reads it as another account, whatever root's umask is.
    for directory in (webroot, *(each for each in file.parents if webroot in each.parents)):
        directory.chmod(0o755)
    file.chmod(0o644)
    answer = stage.send(endpoint, target).answer
    if (answer.status, answer.body) != (200, PROOF.encode()):
        yield f"{target} gets {came(answer)} and not what is in its file"


def check_guests(stage: Stage) -> Iterator[Check]:
    """Yield the checks of what goes into sites that the host has already; made-up ones stand for them here."""
    there = {each.leaflet.guest for each in stage.visited}
    for guest in stage.view.site.guests:
        if guest not in there:
            yield cannot_tell(
                "site that is there",
                f"{guest.name}:{guest.port}",
                f"A site of {stage.proxy.title} that takes our lines is not rehearsed, so none stood for yours here.",
                "The plan shows the lines; apply asks your site itself, and takes them back where it does not answer.",
            )
    for each in stage.visited:
        guest = each.leaflet.guest
        endpoint = Endpoint(guest.name, guest.port, guest.tls, ours=False)
        broken = []
        for address in stage.doors.addresses:
            if (
                shown := stage.send(endpoint, MARKER_PATH, address=address).answer.header(MARKER_HEADER)
            ) != each.leaflet.marker:
                broken.append(f"at {address} the marker is {shown or 'missing'}")
            if (status := stage.send(endpoint, OTHER, address=address).answer.status) != REFUSED:
                broken.append(f"{OTHER}, which is the site's own, gets {status} instead of {REFUSED}")
        for route in guest.routes:
            if isinstance(route, Challenge):
                broken += _challenge(stage, endpoint, route.webroot)
        promise = "one line in a site answers our paths, and leaves the others to the site"
        yield judged("site that is there", endpoint, promise, broken)
        yield from check_documents(stage, guest)
        yield cannot_tell(
            "site that is there",
            str(endpoint),
            "A made-up site stood for yours, one that forbids everything and adds headers of its own.",
            "What yours does before that is read from its file for the plan; apply asks it itself.",
        )


def check_documents(stage: Stage, there: VirtualHost | Guest) -> Iterator[Check]:
    """Yield the check of a virtual host that has well-known documents."""
    endpoint = stage.view.endpoint(there.name, there.port)
    documents = [route for route in there.routes if isinstance(route, FixedJson)]
    if not documents:
        return
    broken = []
    for route in documents:
        exchange = stage.send(endpoint, route.path)
        answer = exchange.answer
        if exchange.arrived:
            broken.append(f"{route.path} reaches the homeserver")
        elif answer.status != 200:
            broken.append(f"{route.path} gets {came(answer)}")
        elif why := readable(answer) or _content(answer.body, route) or _age(answer.all("cache-control"), route):
            broken.append(f"{route.path}: {why}")
    paths = ", ".join(route.path.rpartition("/")[2] for route in documents)
    promise = f"the well-known documents ({paths}) are JSON that web clients of any origin can read"
    yield judged("well-known", endpoint, promise, broken)


def _content(body: bytes, route: FixedJson) -> str:
    try:
        same = json.loads(body) == json.loads(route.body)
    except ValueError:
        same = False
    return "" if same else f"it is {body[:60].decode(errors='replace')} instead of {route.body[:60]}"


def _age(values: tuple[str, ...], route: FixedJson) -> str:
    return "" if values == (f"max-age={route.max_age}",) else f"Cache-Control is {' and '.join(values) or 'missing'}"
