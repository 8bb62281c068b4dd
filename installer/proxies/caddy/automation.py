"""The certificates that Caddy orders and renews itself for sites. See caddyserver.com, "Automatic HTTPS"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from palpo_installer.host import Host
from palpo_installer.proxies.caddy import storage
from palpo_installer.proxies.caddy.configuration import Options
from palpo_installer.proxies.caddy.tree import Segment
from palpo_installer.proxies.found import ServerBlock

CONNECTIONS = frozenset({"protocols", "ciphers", "curves", "alpn", "client_auth", "insecure_secrets_log"})
"""What a ``tls`` directive says of connections; all else in it is about where certificates come from."""
WITHOUT = frozenset({"off", "disable_certs"})


def decides(site: Segment) -> bool:
    """Return whether a site's own ``tls`` says how its certificates are ordered.

    Then Caddy takes no second site with one of its names, but one whose ``tls`` says exactly the same: "hostname
    appears in more than one automation policy" (httpcaddyfile/tlsapp.go).
    """
    return any(_decides(each) for each in site.all("tls"))


def _decides(directive: Segment) -> bool:
    if len(directive.arguments) == 2:
        return False
    return bool(directive.arguments) or any(each.name not in CONNECTIONS for each in directive.block)


def with_certificates(
    host: Host, servers: Iterable[ServerBlock], options: Options, directory: str
) -> tuple[ServerBlock, ...]:
    """Return sites with the certificates that Caddy has for those of them that name no files.

    Args:
        host: for looks into Caddy's storage.
        servers: as the Caddyfile has them.
        options: its global options.
        directory: where Caddy keeps certificates, empty where that is in no files.
    """
    if not directory or options.auto_https in WITHOUT:
        return tuple(servers)
    return tuple(_with_certificates(host, each, directory) for each in servers)


def _with_certificates(host: Host, block: ServerBlock, directory: str) -> ServerBlock:
    if block.certificates or not any("ssl" in each.options for each in block.listens):
        return block
    found = [files for name in block.names if (files := storage.newest(host, directory, name)) is not None]
    return replace(
        block,
        certificates=tuple(str(files.chain) for files in found),
        keys=tuple(str(files.key) for files in found),
    )


def led_by_caddy(name: str, others: Iterable[ServerBlock], options: Options) -> bool:
    """Return whether Caddy itself leads plain HTTP of a name to the site that it has with TLS.

    Args:
        name: a host name.
        others: the sites of others.
        options: the global options.
    """
    there = [each for each in others if name in each.names and not each.implied]
    ports = set(_ports(there))
    return (
        options.auto_https not in {"off", "disable_redirects"}
        and (options.https_port, True) in ports
        and (options.http_port, False) not in ports
    )


def _ports(blocks: Iterable[ServerBlock]) -> Iterator[tuple[int, bool]]:
    for block in blocks:
        for listen in block.listens:
            yield listen.port, "ssl" in listen.options
