"""What nginx's directives say: server blocks, sockets, certificates, include directories."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.proxies.found import IncludeDirectory, Listen, Problem, ServerBlock
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.deciding import locations, rules
from palpo_installer.proxies.nginx.tree import Directive
from palpo_installer.proxies.sockets import is_address

MAGIC = frozenset("*?[")
"""What makes an include a pattern (ngx_conf_file.c, ``ngx_conf_include``)."""

Resolve = Callable[[str], tuple[str, ...]]
"""Returns the IP addresses of a host name in a ``listen`` directive."""


@dataclass(frozen=True)
class Configuration:
    """What a configuration says; the attributes are those of ``Nginx``."""

    servers: tuple[ServerBlock, ...]
    streams: tuple[Listen, ...]
    includes: tuple[IncludeDirectory, ...]
    user: str
    error_log: str
    pid_file: str


def parse(top: Directive, build: Build, resolve: Resolve) -> Configuration:
    """Return what the directives say, with nginx's defaults where they say nothing."""
    folder = top.file.parent
    https = top.all("http")
    return Configuration(
        servers=tuple(_server(server, http, folder, resolve) for http in https for server in http.all("server")),
        streams=tuple(
            listen
            for stream in top.all("stream")
            for server in stream.all("server")
            for each in server.all("listen")
            for listen in listens(each, resolve)
        ),
        includes=tuple(
            found for http in https for each in http.all("include") if (found := _directory(each, folder)) is not None
        ),
        user=next((each.arguments[0] for each in top.all("user") if each.arguments), build.user),
        error_log=_error_log(top, build),
        pid_file=_full(next((each.arguments[0] for each in top.all("pid") if each.arguments), build.pid), build.prefix),
    )


def _server(server: Directive, http: Directive, folder: Path, resolve: Resolve) -> ServerBlock:
    found = tuple(listen for each in server.all("listen") for listen in listens(each, resolve))
    # Without `listen`, nginx started by root takes *:80 (ngx_http_core_module, "listen").
    return ServerBlock(
        names=tuple(name for each in server.all("server_name") for name in each.arguments),
        listens=found or (Listen("0.0.0.0", 80, (), server.file, server.line),),  # noqa: S104
        certificates=_inherited("ssl_certificate", server, http, folder),
        file=server.file,
        line=server.line,
        keys=_inherited("ssl_certificate_key", server, http, folder),
        locations=locations(server),
        rules=rules(server, http),
    )


def _inherited(name: str, server: Directive, http: Directive, folder: Path) -> tuple[str, ...]:
    """Return a directive's files: those of the server, else those of http."""
    found = server.all(name) or http.all(name)
    return tuple(_full(each.arguments[0], folder) for each in found if each.arguments)


def _full(name: str, folder: Path) -> str:
    """Return a file name as nginx completes it; what is no file name stays as it is."""
    if not name or "$" in name or name.startswith(("data:", "engine:", "store:")):
        return name
    return os.path.normpath(folder / name)


def _error_log(top: Directive, build: Build) -> str:
    """Return the first error log that is a file."""
    named = [each.arguments[0] for each in top.all("error_log") if each.arguments] or [build.error_log]
    files = (name for name in named if name not in {"", "stderr", "off", "/dev/null"})
    return next((_full(name, build.prefix) for name in files if not name.startswith(("syslog:", "memory:"))), "")


def _directory(include: Directive, folder: Path) -> IncludeDirectory | None:
    """Return the directory of an include by pattern, None where it names a file or many directories."""
    if not include.arguments:
        return None
    path = folder / include.arguments[0]
    if not MAGIC & set(path.name) or MAGIC & set(str(path.parent)):
        return None
    return IncludeDirectory(Path(os.path.normpath(path.parent)), path.name, include.file, include.line)


def listens(directive: Directive, resolve: Resolve) -> tuple[Listen, ...]:
    """Return the sockets of a ``listen`` directive: one, or one for each address of a name and port of a range."""
    if not directive.arguments:
        return ()
    where, *options = directive.arguments
    if where.startswith("unix:"):
        return (Listen(where, 0, tuple(options), directive.file, directive.line),)
    name, ports = address_and_ports(where)
    return tuple(
        Listen(address, port, tuple(options), directive.file, directive.line)
        for address in _addresses(name, resolve)
        for port in ports
    )


def _addresses(name: str, resolve: Resolve) -> tuple[str, ...]:
    if name in {"*", ""}:
        return ("0.0.0.0",)  # noqa: S104
    if name.startswith("["):
        return (name.strip("[]"),)
    return (name,) if is_address(name) else resolve(name) or (name,)


def without_address(said: Configuration) -> tuple[Problem, ...]:
    """Return a problem for each ``listen`` with a name that has no address here."""
    found = (*(listen for server in said.servers for listen in server.listens), *said.streams)
    return tuple(
        Problem(listen.file, listen.line, f"the name {listen.address} has no address")
        for listen in found
        if not listen.address.startswith("unix:") and not is_address(listen.address)
    )


def address_and_ports(text: str) -> tuple[str, range]:
    """Return the address as written and the ports, of e.g. ``80``, ``8000-8010``, ``[::]:443`` or ``localhost``."""
    match = re.fullmatch(r"(?:(?P<address>\[[^\]]*\]|[^:\[\]]+):)?(?P<first>\d+)(?:-(?P<last>\d+))?", text)
    if match is None:
        return text, range(80, 81)
    return match["address"] or "*", range(int(match["first"]), int(match["last"] or match["first"]) + 1)
