"""The sites of every kind of proxy, for routes of ours that go into them."""

from __future__ import annotations

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.apache.virtual_hosts import ApacheVirtualHosts
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.virtual_hosts import CaddyVirtualHosts
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.virtual_hosts import HAProxyVirtualHosts
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.virtual_hosts import NginxVirtualHosts
from palpo_installer.proxies.virtual_hosts import VirtualHosts


def known(proxy: Proxy, host: Host) -> VirtualHosts | None:
    """Return the sites of a proxy, None where this version adds no line to them."""
    match proxy:
        case Nginx():
            return NginxVirtualHosts(proxy, host)
        case Apache():
            return ApacheVirtualHosts(proxy, host)
        case Caddy():
            return CaddyVirtualHosts(proxy, host)
        case HAProxy():
            return HAProxyVirtualHosts(proxy, host)
        case _:
            return None


def virtual_hosts(proxy: Proxy, host: Host) -> VirtualHosts:
    """Return the sites of a proxy.

    Raises:
        RefusedPlan: this version adds no line to them.
    """
    found = known(proxy, host)
    if found is None:
        what = f"this version adds no line to a site of {proxy.title}"
        raise RefusedPlan(what, next="Choose base_domain = ours or elsewhere")
    return found
