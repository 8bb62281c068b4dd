"""What the ``bind`` lines of a frontend say: addresses, certificates, lists of certificates."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.proxies.editability import uneditable
from palpo_installer.proxies.found import Listen
from palpo_installer.proxies.haproxy.configuration import (
    Bind,
    CertificateList,
    Directive,
)

ANYWHERE = "0.0.0.0"  # noqa: S104 - what a bind says, not what we bind to

ON = {"ssl": "ssl", "accept-proxy": "proxy_protocol", "transparent": "transparent"}

_WORDS = (
    "accept-proxy allow-0rtt defer-accept force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 "
    "generate-certificates no-alpn no-ca-names no-sslv3 no-strict-sni no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 "
    "no-tlsv13 prefer-client-ciphers ssl strict-sni tfo transparent v4v6 v6only"
)

ONE_WORD = frozenset(_WORDS.split())
"""Parameters of ``bind`` that take no value (manual, "Bind options")."""


def of_bind(bind: Directive) -> Iterator[Listen]:
    """Yield each address of a ``bind``; ports of a range each by itself.

    Raises:
        ValueError: an address is no address, e.g. a variable of the environment.
    """
    parameters = bind.words[2:]
    options = [ON[word] for word in parameters if word in ON]
    options += ["http2"] if any("h2" in value.split(",") for value in _values(bind, "alpn")) else []
    for written in bind.words[1].split(",") if len(bind.words) > 1 else ():
        if written.startswith(("fd@", "abns@", "sockpair@", "rhttp@", "rev@")):
            continue
        if written.startswith(("/", "unix@")):
            yield Listen(f"unix:{written.removeprefix('unix@')}", 0, tuple(options), bind.file, bind.line)
            continue
        udp = [*options, "quic"] if written.startswith("quic") else options
        address, ports = _address(re.sub(r"^(?:quic|ipv|udp|tcp)[46]?@", "", written))
        both = [] if address != "::" or "v6only" in parameters else ["ipv6only=off"]
        for port in ports:
            yield Listen(address, port, (*udp, *both), bind.file, bind.line)


def _address(written: str) -> tuple[str, range]:
    host, _, port = written.rpartition(":")
    host = host.strip("[]")
    first, _, last = port.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        raise ValueError("the port is no number")
    address = ANYWHERE if host in {"", "*"} else ipaddress.ip_address(host).compressed
    return address, range(int(first), int(last or first) + 1)


def _values(bind: Directive, word: str) -> Iterator[str]:
    """Yield the values that a parameter has in a ``bind``."""
    words = iter(bind.words[2:])
    for each in words:
        value = "" if each in ONE_WORD else next(words, "")
        if each == word:
            yield value


def shown(host: Host, bind: Directive) -> Bind:
    """Return a ``bind`` with what it shows: the certificates, and the lists of them."""
    lists = tuple(certificate_list(host, Path(written)) for written in _values(bind, "crt-list"))
    return Bind(bind, tuple(_values(bind, "crt")), lists)


def certificate_list(host: Host, written: Path) -> CertificateList:
    """Return a list of certificates as it is; a comment is a line of its own there (manual, "crt-list")."""
    path = host.layout.at(written) if written.is_absolute() else written
    text = (host.text(path) or "") if path.is_absolute() else ""
    lines = text.split("\n")
    entries = tuple(tuple(line.split()) for line in lines if line.strip() and not line.lstrip().startswith("#"))
    reason = uneditable(host, path) if text else "it cannot be read"
    return CertificateList(path, entries, len(lines) if text.endswith("\n") else 0, reason)
