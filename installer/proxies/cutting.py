"""A file of somebody else's without what it has for one port, for proxies where such a part can be told."""

from __future__ import annotations

from collections.abc import Sequence

from palpo_installer.operations.rests import Cut
from palpo_installer.proxies.apache import cutting as apache
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.found import Proxy, ServerBlock
from palpo_installer.proxies.nginx import cutting as nginx
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.virtual_hosts import Impossible


def without_port(proxy: Proxy, data: bytes, blocks: Sequence[ServerBlock], port: int) -> tuple[Cut, ...] | Impossible:
    """Return what to leave out of a file so that nothing in it answers on a port, or why that cannot be told.

    Args:
        proxy: whose file it is.
        data: the file.
        blocks: all sites that begin in it.
        port: the port.
    """
    match proxy:
        case Nginx():
            return nginx.cuts(data, blocks, port)
        case Apache():
            return apache.cuts(data, blocks, port)
        case _:
            return Impossible(f"a file of {proxy.title} is not taken apart by this version")
