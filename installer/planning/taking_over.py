"""Sites that the proxy has for our names, and that are switched off for ours where the person said so.

The file that the proxy includes is removed, itself or its link, in the same change as our file takes its place: a name
is never without a site, and a rollback brings the file back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.files import RemoveFile
from palpo_installer.operations.rests import Rest
from palpo_installer.planning.inputs import look
from palpo_installer.proxies.adapter import Adapter
from palpo_installer.proxies.editability import written_by
from palpo_installer.proxies.found import Listen, Proxy, ServerBlock
from palpo_installer.proxies.neighbours import default_server
from palpo_installer.proxies.sockets import Socket, is_tcp
from palpo_installer.site import Site

SOCKET_OPTIONS = {
    "proxy_protocol": "expects the PROXY protocol of a load balancer",
    "ipv6only=off": "takes IPv4 and IPv6 with one socket (ipv6only=off)",
}
"""What a socket would lose with the last of its sites, and must not."""


@dataclass(frozen=True)
class FormerSite:
    """A file of the proxy's configuration that is switched off.

    Attributes:
        removal: what does it.
        blocks: the server blocks of the file.
        plain: whether it answers on a port where we speak plain HTTP.
        secure: whether it answers on a port where we speak TLS.
        rest: what of it goes on until there is a certificate, None where it goes as a whole.
    """

    removal: RemoveFile
    blocks: tuple[ServerBlock, ...]
    plain: bool
    secure: bool
    rest: Rest | None = None


def colliding(site: Site, adapter: Adapter) -> tuple[ServerBlock, ...]:
    """Return somebody else's server blocks that have a name of ours on a port of ours."""
    wanted = {(host.name, host.port) for host in site.virtual_hosts}
    return tuple(
        block
        for block in adapter.proxy.servers
        if not adapter.owns(block.file)
        and not block.implied
        and any((name.lower(), listen.port) in wanted for name in block.names for listen in block.listens)
    )


def former_sites(host: Host, site: Site, adapter: Adapter) -> tuple[FormerSite, ...]:
    """Return the files that must be switched off for a site.

    Raises:
        RefusedPlan: one of them cannot be, or serves something else as well, with file and line.
    """
    files = dict.fromkeys(block.file for block in colliding(site, adapter))
    blocks = {file: tuple(block for block in adapter.proxy.servers if block.file == file) for file in files}
    left = tuple(block for block in adapter.proxy.servers if block.file not in files)
    names = {virtual.name for virtual in site.virtual_hosts}
    for block in (block for there in blocks.values() for block in there):
        _refuse_other_names(block, names)
        _refuse_lost_options(block, left, site)
    return tuple(_former(host, site, adapter, file, there) for file, there in blocks.items())


def _former(host: Host, site: Site, adapter: Adapter, file: Path, blocks: tuple[ServerBlock, ...]) -> FormerSite:
    _refuse_included_by_name(adapter, file)
    _refuse_returning(host, file)
    now = look(file)
    ports = {listen.port for block in blocks if not block.implied for listen in block.listens}
    return FormerSite(
        RemoveFile(file, f"link {now.target}" if now.kind == "link" else now.sha256),
        blocks,
        plain=any(port in ports for port, tls in site.ports if not tls),
        secure=any(port in ports for port, tls in site.ports if tls),
    )


def _refuse_other_names(block: ServerBlock, names: set[str]) -> None:
    others = [name or '""' for name in block.names if name.lower() not in names]
    if others or not block.names:
        raise RefusedPlan(
            f"this file serves {', '.join(others) or 'requests without a known name'} as well, so it cannot be "
            "switched off as a whole",
            where=f"{block.file}:{block.line}",
            next="Move that, or the site for our name, into a file of its own, then plan again",
        )


def _refuse_lost_options(block: ServerBlock, left: Sequence[ServerBlock], site: Site) -> None:
    """Refuse where the last site of a socket goes whose options ours would not have."""
    shared = {(listen.address, listen.port) for other in left for listen in other.listens}
    for listen in (listen for port, _ in site.ports for listen in block.listens if is_tcp(listen, port)):
        for option in SOCKET_OPTIONS.keys() & set(listen.options):
            if (listen.address, listen.port) not in shared:
                raise RefusedPlan(
                    f"this site {SOCKET_OPTIONS[option]}, and ours would not",
                    where=f"{listen.file}:{listen.line}",
                    next="Take the option away, and set up what needs it, before this site is taken over",
                )


def _refuse_included_by_name(adapter: Adapter, file: Path) -> None:
    """Refuse a file without which the proxy does not load its configuration."""
    if not adapter.does_without(file):
        raise RefusedPlan(
            f"a site for one of our names stands in a file that {adapter.proxy.title} cannot do without",
            where=str(file),
            next="Move its server block into a file of its own in "
            f"{adapter.room}, or remove it by hand; then plan again",
        )


def _refuse_returning(host: Host, file: Path) -> None:
    """Refuse a file that another program would write again."""
    real, root = file.resolve(), host.layout.root.resolve()
    on_host = Path("/") / real.relative_to(root) if real.is_relative_to(root) else real
    program = written_by(on_host, host.read(real) or b"")
    if program:
        raise RefusedPlan(
            f"{program} writes this file, and would write it again",
            where=str(file),
            next=f"Remove the site there where {program} keeps it; then plan again",
        )


def findings(former: Sequence[FormerSite], site: Site, proxy: Proxy) -> Iterator[str]:
    """Yield what a person should know about the sites that go."""
    gone = {block for each in former for block in each.blocks}
    ours = {port for port, _ in site.ports}
    for each in former:
        names = ", ".join(dict.fromkeys(name for block in each.blocks for name in block.names))
        yield f"{each.removal.path} is switched off: this installation answers for {names} instead"
        if each.rest is not None:
            yield f"Until there is a certificate, what it has for TLS goes on in {each.rest.path}"
        ports = dict.fromkeys(listen.port for block in each.blocks for listen in block.listens if listen.port)
        closing = [str(port) for port in ports if port not in ours and not _others(proxy, gone, port)]
        if closing:
            yield f"Nothing answers on port {', '.join(closing)} any more: only {each.removal.path} did"
    for socket in dict.fromkeys(_socket(listen) for block in gone for listen in block.listens if listen.port in ours):
        before = default_server(proxy.servers, socket)
        left = tuple(block for block in proxy.servers if block not in gone and socket in map(_socket, block.listens))
        if before in gone:
            after = f"{left[0].file}:{left[0].line}" if left else "this installation"
            yield (
                f"Requests without a known name at {socket[0]} port {socket[1]} were answered by "
                f"{before.file}:{before.line}, and are by {after} then"
            )


def _others(proxy: Proxy, gone: set[ServerBlock], port: int) -> bool:
    return any(listen.port == port for block in proxy.servers if block not in gone for listen in block.listens)


def _socket(listen: Listen) -> Socket:
    return listen.address, listen.port
