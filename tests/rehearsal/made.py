"""Answers, the nginx of this machine, and templates with a fault, for tests of rehearsals."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NoReturn

import psutil

from palpo_installer.answers import (
    Address,
    Answers,
    BaseCertificate,
    BaseDomain,
    Delegation,
    Method,
    Registration,
    WellKnown,
)
from palpo_installer.host import Command, Host
from palpo_installer.processes import Process
from palpo_installer.proxies.apache import discovery as apache
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Part, Rendering
from palpo_installer.proxies.caddy import discovery as caddy
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy import discovery as haproxy
from palpo_installer.proxies.nginx import build
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.rehearsal.stage import Render, as_planned
from tests.homeserver import made
from tests.lab.running import require_programs
from tests.proxies.nginx import sites

MEDIA = Address("127.0.0.1", 8000)
DOCUMENTS = WellKnown("https://id.example.com", "it's $@example.com", ("https://rtc.example.com",))

Change = Callable[[str], str]

Find = Callable[[Host, tuple[Process, ...], frozenset[int], Callable[[str], None]], Proxy | None]


def answers(
    delegation: Delegation = Delegation.WELL_KNOWN,
    registration: Registration = Registration.CLOSED,
    *,
    media: Address | None = None,
    server_name: str = "example.com",
    client_host: str = "matrix.example.com",
    base_domain: BaseDomain = BaseDomain.OURS,
    port: int = 8448,
) -> Answers:
    """Return the answers of an ordinary host, but for what is given."""
    whole = made.answers(server_name=server_name, delegation=delegation, registration=registration)
    return replace(
        whole,
        names=replace(whole.names, client_host=client_host, base_domain=base_domain),
        federation=replace(whole.federation, port=port),
        media=media,
        well_known=DOCUMENTS,
    )


def visiting(delegation: Delegation, certificate: BaseCertificate) -> Answers:
    """Return answers for a base domain that a site of this proxy has."""
    whole = answers(delegation, base_domain=BaseDomain.EXISTING)
    return replace(whole, certificates=replace(whole.certificates, base_domain=certificate, method=Method.HTTP_01))


KINDS: Mapping[str, Find] = {"apache": apache.read, "caddy": caddy.read, "haproxy": haproxy.read}
"""How each proxy but nginx is found."""


@cache
def here(kind: str) -> Proxy:
    """Return a proxy of this machine as found, whether or not it runs."""
    require_programs({"apache": "apache2"}.get(kind, kind))
    found = KINDS[kind](Host(), (), frozenset(), print)
    assert found is not None
    return found


@cache
def nginx() -> Nginx:
    """Return the nginx of this machine, with the neighbours and files of a host that is not there."""
    require_programs("nginx")
    host = Host()
    binary = host.which("nginx")
    assert binary is not None
    found = build.parse(host.run(Command((str(binary), "-V"))).stderr)
    assert found is not None
    elsewhere = sites.nginx(sites.block("443 ssl", names=("matrix.example.com",)))
    return replace(elsewhere, binary=binary, version=found.version, modules=found.modules)


def instead(pattern: str, replacement: str, count: int = 0) -> Change:
    """Return the change of what a pattern finds."""
    return lambda text: re.sub(pattern, replacement, text, count=count, flags=re.DOTALL)


def faulty(change: Change) -> Render:
    """Return what renders like the real templates would with a change in them; it must change something."""

    def render_it(proxy: Proxy, assignment: Assignment) -> Rendering:
        sound = as_planned(proxy, assignment)
        wrong = replace(sound, plain=_changed(sound.plain, change), secure=_changed(sound.secure, change))
        assert wrong != sound, "there is nothing to change"
        return wrong

    return render_it


def _changed(part: Part, change: Change) -> Part:
    return replace(part, files=tuple(replace(file, text=change(file.text)) for file in part.files))


def interrupted(error: BaseException) -> Render:
    """Return what is interrupted while it renders."""

    def render_it(*_: object, **__: object) -> NoReturn:
        raise error

    return render_it


def left(directory: Path) -> list[str]:
    """Return the names of what is in a directory."""
    return sorted(path.name for path in directory.iterdir())


def programs(name: str) -> list[psutil.Process]:
    """Return the processes with a name that descend from this one; those on lab hosts have a network of their own."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with suppress(OSError, psutil.NoSuchProcess):
            if each.name() == name and _network(each.pid) == _network(os.getpid()):
                found.append(each)
    return found


def _network(pid: int) -> int:
    return Path(f"/proc/{pid}/ns/net").stat().st_ino
