"""A rehearsal from beginning to end: the site for some answers, served for a moment, and every promise asked for."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from palpo_installer.answers import Answers, Delegation
from palpo_installer.errors import GateFailed, HostError, Interrupted, RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.probe import Answer
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.kinds import title
from palpo_installer.rehearsal.forwarding import check_forwarding, open_routes
from palpo_installer.rehearsal.judging import CURE, judged
from palpo_installer.rehearsal.refusals import check_limits, check_refusals
from palpo_installer.rehearsal.serving import check_documents, check_guests, check_markers, check_plain
from palpo_installer.rehearsal.stage import Render, Stage, as_planned, staged
from palpo_installer.verify.checks_certificate import check_certificates
from palpo_installer.verify.checks_discovery import PATH, check_discovery, find
from palpo_installer.verify.checks_federation import check_keys, check_off
from palpo_installer.verify.checks_well_known import document
from palpo_installer.verify.report import Check, Report, Result, cannot_tell
from palpo_installer.verify.resolution import Fetch, is_literal, resolve, split
from palpo_installer.verify.view import Contact, Endpoint, View, contact


def rehearse(answers: Answers, proxy: Proxy | None, layout: Layout, *, render: Render = as_planned) -> Report:
    """Return which promises the site for these answers keeps when the real proxy serves it.

    Takes a second or two, needs no rights, and leaves nothing behind; of the host it uses the program alone.

    Args:
        answers: the choices.
        proxy: the one of the answers, as found on this host, None where it is not installed.
        layout: for the ports that the site speaks of; others, free ones, are opened, on loopback only.
        render: makes the configuration of a site.

    Raises:
        RefusedPlan: it is not installed, or the site cannot be rendered for it.
        HostError: it cannot be started, or the private directory cannot be written.
    """
    if proxy is None:
        what = f"{title(answers.proxy)} is not installed on this host"
        raise RefusedPlan(what, next="Install it, then try again")
    stopped = threading.Event()
    # Ctrl-C is raised in the main thread, wherever that is. In a thread of its own, what is begun is also ended.
    with ThreadPoolExecutor(max_workers=1) as stagehand:
        try:
            # While a thread starts, Ctrl-C would lose it: it has nothing to do yet.
            stagehand.submit(stopped.is_set).result()
            return stagehand.submit(_rehearse, answers, proxy, layout, render, stopped).result()
        finally:
            stopped.set()


def _rehearse(answers: Answers, proxy: Proxy, layout: Layout, render: Render, stopped: threading.Event) -> Report:
    def check() -> None:
        if stopped.is_set():
            raise Interrupted("the rehearsal was stopped")

    try:
        with staged(answers, proxy, layout, render, check) as stage:
            return Report(tuple(_checks(stage)))
    except OSError as error:
        where = str(error.filename or tempfile.gettempdir())
        raise HostError(f"there is no room for a rehearsal: {error.strerror}", where=where) from error
    except GateFailed as error:
        return Report((_loads(proxy, error.where, [error.what]),))


def _checks(stage: Stage) -> Iterator[Check]:
    """Yield every check, in the order in which a request meets what it looks at."""
    hosts, view = stage.view.site.virtual_hosts, stage.view
    visited = {each.name for each in stage.visited}
    asked = (there for there in view.endpoints if there.ours or there.name in visited)
    contacts = {endpoint: contact(view, endpoint) for endpoint in asked}
    passing = [there for there in hosts if open_routes(there)]
    yield _loads(stage.proxy, "", ())
    yield from check_markers(stage)
    yield from map(_rehearsed, check_certificates(view, contacts))
    yield from (check_plain(stage, there) for there in hosts if not there.tls)
    for there in hosts:
        yield from check_documents(stage, there)
    yield from check_guests(stage)
    yield from map(_rehearsed, _federation(stage, contacts))
    for there in passing:
        yield from check_forwarding(stage, there)
        yield from check_refusals(stage, there)
    yield from check_limits(stage, passing)


def _loads(proxy: Proxy, where: str, broken: Sequence[str]) -> Check:
    return judged("configuration", where or proxy.title, f"{proxy.title} takes the configuration", broken)


def _rehearsed(check: Check) -> Check:
    """Return a check of ``verify`` with what to do about it here, where nothing is installed yet."""
    return replace(check, next=CURE) if check.result is Result.FAIL else check


def _federation(stage: Stage, contacts: Mapping[Endpoint, Contact]) -> Iterator[Check]:
    """Yield whether other servers find the way and get the homeserver's keys, or none of it where federation is off."""
    view = stage.view
    if view.answers.federation.delegation is Delegation.NONE:
        yield from check_off(view, contacts)
        return
    server_name = view.answers.names.server_name
    host, port = split(server_name)
    if view.website.ours or stage.visited or is_literal(host) or port is not None:
        resolution = find(view, contacts)
        yield from check_discovery(view, contacts, resolution)
    else:
        resolution = resolve(server_name, view.lookup, _as_told(view))
        yield cannot_tell(
            "website",
            f"https://{view.website.host}",
            f"Another {'site' if view.site.guests else 'machine'} serves it; here it was taken to answer as it should.",
            "`palpo-installer verify` asks it, once this is applied.",
        )
    yield from check_keys(view, contacts, resolution)


def _as_told(view: View) -> Fetch:
    """Return the website of another machine, as it answers when its owner did as we say."""
    body = document(view, PATH).body
    answer = Answer(200, (("content-type", "application/json"),), body.encode()) if body else Answer(404)
    return lambda url: answer if url == f"https://{view.website.host}{PATH}" else Answer(404)
