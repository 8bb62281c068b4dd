"""The private copy of each kind of proxy."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.rehearsal.private_apache import PrivateApache
from palpo_installer.rehearsal.private_caddy import PrivateCaddy
from palpo_installer.rehearsal.private_directory import PrivateDirectory
from palpo_installer.rehearsal.private_haproxy import PrivateHAProxy
from palpo_installer.rehearsal.private_nginx import PrivateNginx
from palpo_installer.rehearsal.private_proxy import PrivateProxy


def private(proxy: Proxy, directory: Path) -> PrivateProxy:
    """Return a proxy as found on this host in a private directory.

    Raises:
        RefusedPlan: this version cannot rehearse it.
    """
    match proxy:
        case HAProxy():
            return PrivateHAProxy(PrivateDirectory(directory, "haproxy.cfg"), proxy)
        case Nginx():
            return PrivateNginx(PrivateDirectory(directory, "nginx.conf"), proxy)
        case Apache():
            return PrivateApache(PrivateDirectory(directory, "apache.conf"), proxy)
        case Caddy():
            return PrivateCaddy(PrivateDirectory(directory, "Caddyfile"), proxy)
        case _:
            raise RefusedPlan(f"this version cannot rehearse {proxy.title}", next="Choose another proxy")
