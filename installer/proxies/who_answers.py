"""Who answers for a name, by the rules of every kind of proxy."""

from __future__ import annotations

from palpo_installer.proxies.answering import Answering
from palpo_installer.proxies.apache.answering import answering as by_virtual_host
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.caddy.answering import answering as by_site_address
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy.answering import answering as by_frontend
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.nginx.answering import answering as by_server_name
from palpo_installer.proxies.nginx.configuration import Nginx


def answering(proxy: Proxy, name: str, port: int) -> tuple[Answering, ...]:
    """Return who answers for a name on a port, by the proxy's own rules: one entry for each site and reason.

    Args:
        proxy: as found; only its ``servers`` are looked at. None are found where this version does not know the rules.
        name: the host name of a request, which is also the one in its TLS handshake.
        port: a TCP port.
    """
    match proxy:
        case Nginx():
            return by_server_name(proxy.servers, name, port)
        case Apache():
            return by_virtual_host(proxy.servers, name, port)
        case Caddy():
            return by_site_address(proxy.servers, name, port)
        case HAProxy():
            return by_frontend(proxy.servers, name, port)
        case _:
            return ()
