"""The proxies of a host as a plan uses them."""

from __future__ import annotations

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.adapter import Adapter
from palpo_installer.proxies.apache.adapter import ApacheAdapter
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.caddy.adapter import CaddyAdapter
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy.adapter import HAProxyAdapter
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.nginx.adapter import NginxAdapter
from palpo_installer.proxies.nginx.configuration import Nginx


def adapter(proxy: Proxy) -> Adapter:
    """Return how a plan uses a proxy.

    Raises:
        RefusedPlan: this version cannot set it up.
    """
    match proxy:
        case Nginx():
            return NginxAdapter(proxy)
        case Apache():
            return ApacheAdapter(proxy)
        case Caddy():
            return CaddyAdapter(proxy)
        case HAProxy():
            return HAProxyAdapter(proxy)
        case _:
            raise RefusedPlan(f"this version cannot set up {proxy.title}", next="Choose another proxy")
