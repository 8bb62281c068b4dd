"""The addresses of Caddy's sites: scheme, name, port. See caddyserver.com, "Caddyfile Concepts", "Addresses"."""

from __future__ import annotations

import re
from dataclasses import dataclass

ADDRESS = re.compile(
    r"(?:(?P<scheme>[a-z]+)://)?(?P<host>\[[^\]]*\]|[^:/\[\]]*)(?::(?P<port>[^/]*))?(?P<path>/.*)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Ports:
    """What Caddy takes for the ports of HTTP and HTTPS where an address has none."""

    http: int = 80
    https: int = 443


@dataclass(frozen=True)
class Address:
    """An address of a site.

    Attributes:
        scheme: ``http``, ``https`` or empty.
        host: in lower case, without brackets; empty for every name.
        port: where it answers.
    """

    scheme: str
    host: str
    port: int


def parse(word: str, ports: Ports) -> Address | None:
    """Return the address of a word, None where it is none, such as a range of ports or a placeholder."""
    match = ADDRESS.fullmatch(word)
    if match is None or (match["port"] and not match["port"].isdigit()):
        return None
    scheme = (match["scheme"] or "").lower()
    usual = ports.http if scheme == "http" else ports.https
    return Address(scheme, match["host"].strip("[]").lower(), int(match["port"] or usual))


def words(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses among the words in front of a site's braces: commas are optional."""
    return tuple(part for word in words for part in word.split(",") if part)


def has_tls(address: Address, ports: Ports, automatic: str, *, told: bool) -> bool:
    """Return whether Caddy speaks TLS at an address.

    Args:
        address: the address.
        ports: those of HTTP and HTTPS.
        automatic: the global option ``auto_https``, empty where it is not set.
        told: whether the site has a ``tls`` directive.
    """
    if address.scheme == "http" or address.port == ports.http:
        return False
    if told or address.scheme == "https":
        return True
    if automatic == "off":
        return False
    return bool(address.host) or address.port == ports.https
