"""What Apache's directives say: virtual hosts, sockets, certificates, include directories."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.proxies.apache import ahead
from palpo_installer.proxies.apache.configuration import Everywhere
from palpo_installer.proxies.apache.directive import Directive
from palpo_installer.proxies.apache.tree import MAGIC, Tree
from palpo_installer.proxies.found import IncludeDirectory, Listen, Problem, ServerBlock
from palpo_installer.proxies.sockets import is_address

ANY4, ANY6 = "0.0.0.0", "::"  # noqa: S104

BOTH = "ipv6only=off"
"""In nginx's words: a socket that takes IPv4 and IPv6, as ``Listen 80`` opens one."""

OURS = "palpo-installer"
"""Part of the name of every file of ours."""

HTTPS = "https"
"""A socket that is meant for TLS: it says so, or has port 443 (core, "Listen")."""

BY_ADDRESS = "by_address"
ANY_PORT = "any_port"

Resolve = Callable[[str], tuple[str, ...]]
"""Returns the IP addresses of a host name."""


@dataclass(frozen=True)
class Address:
    """An address of a ``<VirtualHost>``; ``*`` for any, and port 0 for any."""

    host: str
    port: int


@dataclass(frozen=True)
class Configuration:
    """What a configuration says; the attributes are those of ``Apache`` and ``Awake``."""

    listens: tuple[Listen, ...]
    servers: tuple[ServerBlock, ...]
    includes: tuple[IncludeDirectory, ...]
    problems: tuple[Problem, ...]
    user: str
    error_log: str
    pid_file: str
    header_limits: tuple[int, int]
    everywhere: tuple[Everywhere, ...]


def parse(tree: Tree, *, ipv6: bool, resolve: Resolve) -> Configuration:
    """Return what the directives say; ``ipv6`` tells whether this host opens sockets of IPv6."""
    top, root = tree.top, tree.server_root
    sockets = tuple(listen for each in top.all("listen") for listen in listens(each, ipv6=ipv6))
    return Configuration(
        listens=sockets,
        servers=(*_servers(top, sockets, root, resolve),),
        includes=tuple(found for each in top.block if (found := _directory(each, root)) is not None),
        problems=tuple(_unknown_names(top, resolve)),
        user=top.last("user"),
        error_log=_log(top.last("errorlog") or "logs/error_log", root),
        pid_file=str(root / (top.last("pidfile") or "logs/httpd.pid")),
        header_limits=(_limit(top, "limitrequestline"), _limit(top, "limitrequestfieldsize")),
        everywhere=ahead.everywhere(top),
    )


def _limit(top: Directive, name: str) -> int:
    """Return the number that a directive of the main server gives outside our own files, 0 for none."""
    found = [word for each in top.all(name) if OURS not in each.file.name for word in each.arguments[:1]]
    return int(found[-1]) if found and found[-1].isdigit() else 0


def virtual_hosts(top: Directive) -> tuple[Directive, ...]:
    """Return the sections of the virtual hosts in reading order; a ``ServerBlock`` has the same file and line."""
    return top.all("virtualhost")


def listens(directive: Directive, *, ipv6: bool) -> tuple[Listen, ...]:
    """Return the socket of a ``Listen``: ``80``, ``192.0.2.1:80`` or ``[2001:db8::1]:80``; none where it is no such.

    One without an address, and one for ``[::]``, is opened for IPv4 and IPv6 together (listen.c, ``make_sock``).
    """
    match = re.fullmatch(r"(?:(?P<host>\[[^\]]+\]|[^:\[\]]+):)?(?P<port>\d+)", (directive.arguments or ("",))[0])
    if match is None:
        return ()
    host = (match["host"] or "*").strip("[]")
    both = host in {"*", ANY6} and ipv6
    address = ANY6 if both else ANY4 if host in {"*", ANY6} else host
    https = directive.arguments[1:] == ("https",) or (match["port"] == "443" and len(directive.arguments) == 1)
    options = (*((BOTH,) if both else ()), *((HTTPS,) if https else ()))
    return (Listen(address, int(match["port"]), options, directive.file, directive.line),)


def _servers(top: Directive, sockets: Sequence[Listen], root: Path, resolve: Resolve) -> tuple[ServerBlock, ...]:
    """Return the virtual hosts, each with the sockets at which it may answer, and the main server behind them."""
    hosts = {each: addresses(each, resolve) for each in virtual_hosts(top)}
    blocks = []
    for section, named in hosts.items():
        found = dict.fromkeys(
            Listen(address, socket.port, _options(section, top, socket, each), section.file, section.line)
            for socket in sockets
            for each in named
            if each.port in {0, socket.port} and (address := _taken(each.host, socket, hosts.values()))
        )
        blocks.append(_block(section, top, tuple(found), root))
    answered = {(listen.address, listen.port) for block in blocks for listen in block.listens}
    left = tuple(
        Listen(each.address, each.port, options, each.file, each.line)
        for each in sockets
        if (each.address, each.port) not in answered
        # Plain HTTP on a socket for TLS is nothing that anybody uses.
        and ("ssl" in (options := _options(top, top, each, Address("*", each.port))) or HTTPS not in each.options)
    )
    main = ServerBlock((), left, (), top.file, 1)
    return (*blocks, *((main,) if left else ()))


def _taken(host: str, socket: Listen, everybody: Collection[tuple[Address, ...]]) -> str:
    """Return the address at which a virtual host takes requests of a socket, empty where it takes none.

    One with a specific address takes the requests to that address, whatever is there for any (vhost.c,
    ``ap_update_vhost_given_ip``).
    """
    if host == "*":
        specific = any(
            each.host == socket.address and each.port in {0, socket.port} for named in everybody for each in named
        )
        return "" if specific else socket.address
    wide = {ANY4: "." in host, ANY6: ":" in host or BOTH in socket.options}
    covered = wide.get(socket.address, socket.address == host)
    return host if covered else ""


def _options(section: Directive, top: Directive, socket: Listen, named: Address) -> tuple[str, ...]:
    """Return the options of a socket as a virtual host has it, in nginx's words."""
    tls = (section.last("sslengine") or top.last("sslengine")).lower() in {"on", "optional"}
    protocols = [each.arguments for part in (section, top) for each in part.all("protocols")]
    http2 = tls and bool(protocols) and "h2" in protocols[0]
    balanced = (section.last("remoteipproxyprotocol") or top.last("remoteipproxyprotocol")).lower() == "on"
    both = BOTH in socket.options and named.host == "*"
    given = {
        "ssl": tls,
        "http2": http2,
        "proxy_protocol": balanced,
        BOTH: both,
        BY_ADDRESS: named.host != "*",
        ANY_PORT: not named.port,
    }
    return tuple(word for word, is_so in given.items() if is_so)


def _block(section: Directive, top: Directive, found: tuple[Listen, ...], root: Path) -> ServerBlock:
    names = [name_of(each.arguments[0]) for each in section.all("servername")[-1:] if each.arguments]
    names += [name for each in section.all("serveralias") for name in each.arguments]
    return ServerBlock(
        names=tuple(dict.fromkeys(names)),
        listens=found,
        certificates=_files("sslcertificatefile", section, top, root),
        file=section.file,
        line=section.line,
        keys=_files("sslcertificatekeyfile", section, top, root),
    )


def name_of(text: str) -> str:
    """Return the host name of a ``ServerName``: it may have a scheme and a port."""
    name = text.partition("://")[2] or text
    return re.sub(r":\d+$", "", name)


def _files(name: str, section: Directive, top: Directive, root: Path) -> tuple[str, ...]:
    found = section.all(name) or top.all(name)
    return tuple(str(root / each.arguments[0]) for each in found if each.arguments)


def addresses(section: Directive, resolve: Resolve) -> tuple[Address, ...]:
    """Return the addresses of a ``<VirtualHost>``: ``*``, ``_default_``, an IP address or a name; a port, or any."""
    found = []
    for word in section.arguments:
        match = re.fullmatch(r"(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>\d+|\*))?", word)
        if match is None:
            continue
        host, port = match["host"].strip("[]"), match["port"] or "*"
        hosts = ("*",) if host in {"*", "_default_"} else (host,) if is_address(host) else resolve(host)
        found += [Address("*" if each in {ANY4, ANY6} else each, 0 if port == "*" else int(port)) for each in hosts]
    return tuple(found)


def _unknown_names(top: Directive, resolve: Resolve) -> tuple[Problem, ...]:
    return tuple(
        Problem(section.file, section.line, f"this virtual host has no address that is known here: {' '.join(words)}")
        for section in virtual_hosts(top)
        if (words := section.arguments) and not addresses(section, resolve)
    )


def _directory(directive: Directive, root: Path) -> IncludeDirectory | None:
    """Return the directory of an include by a pattern; None for other directives, and for those that hold modules."""
    if directive.name not in {"include", "includeoptional"} or not directive.arguments:
        return None
    path = root / directive.arguments[0]
    if not MAGIC & set(path.name) or MAGIC & set(str(path.parent)):
        return None
    return IncludeDirectory(path.parent, path.name, directive.file, directive.line)


def _log(written: str, root: Path) -> str:
    """Return the file of an ``ErrorLog``, empty where it is a pipe, a provider such as syslog, or off."""
    if written.startswith("|") or re.match(r"\w+:", written) or written in {"syslog", "off"}:
        return ""
    return str(root / written)
