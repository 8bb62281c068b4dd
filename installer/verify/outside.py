"""The outside view as a whole: who is asked what, side by side, and one report of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import psutil

from palpo_installer.answers import Answers, Delegation
from palpo_installer.host import Host
from palpo_installer.site import Site
from palpo_installer.verify.balanced import Balanced
from palpo_installer.verify.checks_certificate import check_certificates, installed_chains
from palpo_installer.verify.checks_connection import check_connections
from palpo_installer.verify.checks_discovery import check_discovery, find
from palpo_installer.verify.checks_federation import check_keys, check_off
from palpo_installer.verify.checks_homeserver import ask_homeserver, check_homeserver
from palpo_installer.verify.checks_media import check_media
from palpo_installer.verify.checks_names import check_names
from palpo_installer.verify.checks_paths import check_closed_paths
from palpo_installer.verify.checks_targets import check_targets
from palpo_installer.verify.checks_well_known import check_client_well_known
from palpo_installer.verify.concurrently import concurrently
from palpo_installer.verify.report import Check, Report, cannot_tell
from palpo_installer.verify.resolution import Lookup
from palpo_installer.verify.trust import Trust
from palpo_installer.verify.view import View, contact

Value = TypeVar("Value")
Tasks = dict[str, Callable[[], tuple[Check, ...]]]

LIMIT = 60.0
"""Seconds for everything together."""


def verify(
    answers: Answers,
    site: Site,
    host: Host,
    lookup: Lookup,
    trust: Trust,
    *,
    chains: Mapping[str, Path] | None = None,
    limit: float = LIMIT,
) -> Report:
    """Return what clients and other servers see of a site. Nothing on the host is changed.

    Args:
        answers: the choices.
        site: what must be served for them.
        host: this machine; its layout says the ports, and its files are compared with what is shown.
        lookup: what DNS says of a name.
        trust: whose certificates count.
        chains: the PEM file of each name's certificate; None for where they are kept.
        limit: seconds after which what has not been answered is reported as such.

    Raises:
        HostError: the file of trusted authorities cannot be used.
    """
    files = installed_chains(answers, site, host.layout) if chains is None else chains
    asking = Balanced(own_addresses())
    view = View(answers, site, host, cache(lookup), asking, trust, asking.own, files, asking.found)
    deadline = time.monotonic() + limit
    tasks = _tasks(view, deadline)
    found = concurrently(tasks, deadline)
    return Report(tuple(check for name in tasks for check in found.get(name, _late(name))))


def _tasks(view: View, deadline: float) -> Tasks:
    """Return what to check, in the order in which a request meets it."""
    contacts = concurrently({there: partial(contact, view, there) for there in view.endpoints}, deadline)
    homeserver = _one(partial(ask_homeserver, view, contacts), deadline)
    tasks: Tasks = {
        "name": partial(check_names, view),
        "connection": partial(check_connections, view, contacts),
        "certificate": partial(check_certificates, view, contacts),
        "client well-known": partial(check_client_well_known, view, contacts),
        "homeserver": partial(check_homeserver, view, homeserver) if homeserver else partial(_late, "homeserver"),
    }
    runs = homeserver is not None and homeserver.runs
    if runs:
        tasks["closed paths"] = partial(check_closed_paths, view, contacts)
        tasks["request targets"] = partial(check_targets, view, contacts)
    if runs and view.answers.media is not None:
        tasks["media repository"] = partial(check_media, view, contacts, view.answers.media)
    federates = view.answers.federation.delegation is not Delegation.NONE
    resolution = _one(partial(find, view, contacts), deadline) if federates else None
    if federates:
        found = partial(check_discovery, view, contacts, resolution) if resolution else partial(_late, "discovery")
        tasks["discovery"] = found
    if runs and resolution:
        tasks["server keys"] = partial(check_keys, view, contacts, resolution)
    if runs and not federates:
        tasks["federation off"] = partial(check_off, view, contacts)
    return tasks


def _one(task: Callable[[], Value], deadline: float) -> Value | None:
    return concurrently({"": task}, deadline).get("")


def _late(name: str) -> tuple[Check, ...]:
    cure = "Run verify again; if it stays so, look at DNS and at the firewall."
    return (cannot_tell(name, "time limit", "This was not answered in time.", cure),)


def own_addresses() -> frozenset[str]:
    """Return the IP addresses of this machine's interfaces."""
    families = {socket.AF_INET, socket.AF_INET6}
    interfaces = psutil.net_if_addrs().values()
    return frozenset(
        there.address.partition("%")[0] for interface in interfaces for there in interface if there.family in families
    )
