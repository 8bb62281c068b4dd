"""Proxies whose configuration no reader of the audit reads: named, never passed over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from palpo_installer.audit.finding import Unread
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.proxies.kinds import title

PROXIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "apache": (("apache2", "httpd"), ("/etc/apache2", "/etc/httpd", "/usr/local/etc/apache24")),
    "caddy": (("caddy",), ("/etc/caddy",)),
    "haproxy": (("haproxy",), ("/etc/haproxy",)),
    "Traefik": (("traefik",), ("/etc/traefik",)),
    "relayd": (("relayd",), ("/etc/relayd.conf",)),
    "Envoy": (("envoy",), ("/etc/envoy",)),
    "lighttpd": (("lighttpd",), ("/etc/lighttpd",)),
}
"""By kind, or by name where no answer stands for it: the programs of a proxy, and where its configuration lies."""

WEB = (80, 443, 8448)
CURE = "Look at it by hand; verify shows what it does to Matrix."


def name(host: Host, facts: Facts, note: Callable[[Unread], None], read: Collection[str]) -> None:
    """Note the proxies that are installed, or hold a port of the web, and are none of the kinds that are read."""
    for kind, (programs, places) in PROXIES.items():
        if kind in read:
            continue
        here = host.layout.root == Path("/")
        holding = here and any(each.process in programs for each in facts.listeners)
        installed = here and any(host.which(program) for program in programs)
        where = next((place for place in places if host.status(host.layout.at(place)) is not None), "")
        if holding or installed or where:
            note(
                Unread(
                    f"{title(kind)}{f' ({where})' if where else ''}",
                    "its configuration is not read by this version",
                    CURE,
                )
            )
    for listener in facts.listeners:
        if listener.container and listener.port in WEB:
            what = f"container {listener.container} on port {listener.port}"
            note(Unread(what, "what a container serves is not read by this version", CURE))
