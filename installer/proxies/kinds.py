"""The kinds of proxies that can be found on a host, by their word in the answer ``proxy.kind``."""

from __future__ import annotations

from collections.abc import Mapping

from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.nginx.configuration import Nginx

KINDS: Mapping[str, type[Proxy]] = {each.kind: each for each in (Nginx, Apache, Caddy, HAProxy)}


def title(kind: str) -> str:
    """Return what people call a kind of proxy; its own word where nothing here knows it."""
    return KINDS[kind].title if kind in KINDS else kind
