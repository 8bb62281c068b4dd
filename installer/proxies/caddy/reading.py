"""What a Caddyfile says: global options, sites with names and sockets, certificates, imported directories."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.proxies.caddy import addresses, automation, balancing
from palpo_installer.proxies.caddy.addresses import Address, Ports
from palpo_installer.proxies.caddy.balancing import OPTIONAL, Version
from palpo_installer.proxies.caddy.configuration import Options
from palpo_installer.proxies.caddy.tree import MAGIC, Segment, Tree
from palpo_installer.proxies.found import IncludeDirectory, Listen, Rule, ServerBlock

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
"""What a site without ``bind`` listens on."""

DECIDING = frozenset({"redir", "rewrite", "uri", "try_files", "abort", "error", "basicauth", "basic_auth", "respond"})
"""The directives that may decide over every request of a site."""


@dataclass(frozen=True)
class Configuration:
    """What a configuration says; the attributes are those of ``Caddy``."""

    options: Options
    servers: tuple[ServerBlock, ...]
    imports: tuple[IncludeDirectory, ...]
    error_log: str
    particular: tuple[str, ...]


def parse(tree: Tree, version: Version = OPTIONAL) -> Configuration:
    """Return what the segments say, with Caddy's defaults where they say nothing; ``version`` is that of Caddy."""
    top = next((each for each in tree.segments if not each.words), Segment((), Path(), 0))
    said = options(top)
    sites = [each for each in tree.segments if each.words and not each.name.startswith("&(")]
    blocks = [block for site in sites for block in _blocks(site, said, version)]
    return Configuration(
        said,
        (*blocks, *(block for site in sites for block in _redirects(site, said, blocks))),
        tuple(_directories(tree)),
        _error_log(top),
        tuple(dict.fromkeys(name for site in sites if automation.decides(site) for name in _names(site, said))),
    )


def options(top: Segment) -> Options:
    """Return the global options of their block."""
    admin = next(iter(top.all("admin")), None)
    where = admin.arguments[0] if admin and admin.arguments else Options.admin
    return Options(
        admin="" if where == "off" else where,
        http_port=_number(top, "http_port", Options.http_port),
        https_port=_number(top, "https_port", Options.https_port),
        auto_https=next((each.arguments[0] for each in top.all("auto_https") if each.arguments), ""),
        default_bind=next((each.arguments for each in top.all("default_bind")), ()),
        balancing=tuple(map(balancing.read, top.all("servers"))),
    )


def _names(site: Segment, said: Options) -> Iterator[str]:
    ports = Ports(said.http_port, said.https_port)
    found = (addresses.parse(word, ports) for word in addresses.words(site.words))
    return (_bracketed(each.host) for each in found if each is not None and each.host)


def _number(top: Segment, name: str, usual: int) -> int:
    given = (each.arguments[0] for each in top.all(name) if each.arguments and each.arguments[0].isdigit())
    return int(next(given, usual))


def _blocks(site: Segment, said: Options, version: Version) -> Iterator[ServerBlock]:
    """Yield a block for each group of a site's addresses that has the same port: names belong to sockets."""
    ports, tls = Ports(said.http_port, said.https_port), site.all("tls")
    groups: dict[tuple[int, bool], list[Address]] = {}
    for word in addresses.words(site.words):
        address = addresses.parse(word, ports)
        if address is not None:
            secure = addresses.has_tls(address, ports, said.auto_https, told=bool(tls))
            groups.setdefault((address.port, secure), []).append(address)
    files = [each.arguments for each in tls if len(each.arguments) == 2]
    for (port, secure), group in groups.items():
        names = tuple(dict.fromkeys(_bracketed(address.host) for address in group if address.host))
        catches_all = any(not address.host for address in group)
        yield ServerBlock(
            names=() if catches_all else names,
            listens=tuple(
                _balanced(each, said, version)
                for each in _listens(site, said, port, secure=secure, catches_all=catches_all)
            ),
            certificates=tuple(chain for chain, _ in files) if secure else (),
            file=site.file,
            line=site.line,
            keys=tuple(key for _, key in files) if secure else (),
            rules=tuple(_rule(each) for each in site.block if each.name in DECIDING),
        )


def _rule(directive: Segment) -> Rule:
    return Rule(directive.name, directive.arguments, directive.file, directive.line)


def _listens(site: Segment, said: Options, port: int, *, secure: bool, catches_all: bool) -> Iterator[Listen]:
    bound = [word for each in site.all("bind") for word in each.arguments] or list(said.default_bind)
    words = (*(["ssl", "http2"] if secure else []), *(["default_server"] if catches_all else []))
    for address in bound or EVERYWHERE:
        if address.startswith("unix/"):
            yield Listen(f"unix:{address.removeprefix('unix/')}", 0, words, site.file, site.line)
        else:
            yield Listen(_plain(address), port, words, site.file, site.line)


def _balanced(listen: Listen, said: Options, version: Version) -> Listen:
    """Return a socket, with the word for it where requests of this host's own need a PROXY line there."""
    source = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.address, listen.address)  # noqa: S104
    if not balancing.expects(said.balancing, source, listen.port, version):
        return listen
    return replace(listen, options=(*listen.options, "proxy_protocol"))


def _plain(address: str) -> str:
    """Return an address of ``bind`` without brackets, protocol and scope."""
    bare = address.removeprefix("tcp/").removeprefix("tcp4/").removeprefix("tcp6/").strip("[]")
    return "127.0.0.1" if bare == "localhost" else bare


def _redirects(site: Segment, said: Options, blocks: list[ServerBlock]) -> Iterator[ServerBlock]:
    """Yield the redirect from HTTP that Caddy makes for the names of a site that has none of its own there.

    See caddyserver.com, "Automatic HTTPS", "HTTP to HTTPS redirects".
    """
    if said.auto_https in {"off", "disable_redirects"}:
        return
    taken = {name for block in blocks for name in block.names if any(_is_plain(each, said) for each in block.listens)}
    for block in blocks:
        if (block.file, block.line) != (site.file, site.line) or not any(
            "ssl" in each.options for each in block.listens
        ):
            continue
        names = tuple(name for name in block.names if name not in taken)
        if names:
            bound = dict.fromkeys(each.address for each in block.listens if each.port)
            listens = tuple(Listen(address, said.http_port, (), block.file, block.line) for address in bound)
            yield ServerBlock(names, listens, (), block.file, block.line, implied=True)


def _is_plain(listen: Listen, said: Options) -> bool:
    return listen.port == said.http_port and "ssl" not in listen.options


def _bracketed(host: str) -> str:
    """Return a name as a site has it: an IPv6 literal in brackets."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def _directories(tree: Tree) -> Iterator[IncludeDirectory]:
    """Yield the directories of imports by pattern; one that names a file or many directories is none."""
    for each in tree.imports:
        path = Path(each.pattern)
        if MAGIC & set(path.name) and not MAGIC & set(str(path.parent)):
            yield IncludeDirectory(path.parent, path.name, each.file, each.line)


def _error_log(top: Segment) -> str:
    """Return the file of the default logger, empty where it writes to stderr."""
    logs = [each for each in top.all("log") if not each.arguments or each.arguments == ("default",)]
    outputs = (output.arguments for log in logs for output in log.all("output"))
    return next((words[1] for words in outputs if words[:1] == ("file",) and len(words) > 1), "")
