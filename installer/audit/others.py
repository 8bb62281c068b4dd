"""Proxies that this version does not read: named, never passed over. A reader of one takes it out of here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from palpo_installer.audit.finding import Unread
from palpo_installer.facts import Facts
from palpo_installer.host import Host

NOT_READ = {
    "Apache": (("apache2", "httpd"), ("/etc/apache2", "/etc/httpd", "/usr/local/etc/apache24")),
    "Caddy": (("caddy",), ("/etc/caddy",)),
    "HAProxy": (("haproxy",), ("/etc/haproxy",)),
    "Traefik": (("traefik",), ("/etc/traefik",)),
    "relayd": (("relayd",), ("/etc/relayd.conf",)),
    "Envoy": (("envoy",), ("/etc/envoy",)),
    "lighttpd": (("lighttpd",), ("/etc/lighttpd",)),
}
"""By name: the programs of a proxy, and where its configuration lies."""

WEB = (80, 443, 8448)
CURE = "Look at it by hand; verify shows what it does to Matrix."


def name(host: Host, facts: Facts, note: Callable[[Unread], None]) -> None:
    """Note the proxies that are installed, or hold a port of the web, and are not read."""
    for proxy, (programs, places) in NOT_READ.items():
        holding = any(each.process in programs for each in facts.listeners)
        installed = host.layout.root == Path("/") and any(host.which(program) for program in programs)
        where = next((place for place in places if host.status(host.layout.at(place)) is not None), "")
        if holding or installed or where:
            note(
                Unread(
                    f"{proxy}{f' ({where})' if where else ''}", "its configuration is not read by this version", CURE
                )
            )
    for listener in facts.listeners:
        if listener.container and listener.port in WEB:
            what = f"container {listener.container} on port {listener.port}"
            note(Unread(what, "what a container serves is not read by this version", CURE))
