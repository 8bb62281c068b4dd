"""The sites of nginx that are somebody else's, and how a guest gets into them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.lines import AddedLine, directive
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.nginx import guests, insertion, tree
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.conflicts import conflicts
from palpo_installer.proxies.nginx.listens import Listening
from palpo_installer.proxies.sockets import is_tcp
from palpo_installer.proxies.virtual_hosts import Conflict, Impossible, Inclusion, Leaflet
from palpo_installer.site import Guest

KEPT = ("ssl", "http2", "proxy_protocol")
"""The options of a ``listen`` that every server block of a socket shares."""


@dataclass(frozen=True)
class NginxVirtualHosts:
    """The server blocks of nginx.

    Attributes:
        proxy: as found.
        host: for looks at its files.
    """

    proxy: Nginx
    host: Host

    @property
    def word(self) -> str:
        """What nginx calls a site."""
        return "server block"

    @property
    def tells_names_apart(self) -> bool:
        """Whether a line answers for the guest's name alone: it answers for all names of the site."""
        return False

    @cached_property
    def top(self) -> tree.Directive:
        """The whole configuration."""
        return tree.load(self.host, self.proxy.configuration).top

    @property
    def folder(self) -> Path:
        """What relative names are relative to."""
        return self.proxy.configuration.parent

    def leaflet(self, guest: Guest) -> Leaflet:
        """Return the file of a guest, in a directory that no include loads by itself, and the line that does.

        Raises:
            RefusedPlan: there is none, or a word of it cannot be written in nginx's language.
        """
        return guests.leaflet(guest, guests.directory(self.top, self.host.layout), self.proxy)

    def keeps(self, path: Path) -> bool:
        """Return whether a path is one where files of guests may lie."""
        return path.suffix == ".conf" and path.parent in guests.directories(self.folder, self.host.layout)

    def leads_to(self, directive: str, path: Path) -> bool:
        """Return whether a directive is the one that includes a file by our pattern."""
        return directive == guests.line(path)

    def inclusions(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Inclusion, ...]:
        """Return the directives of a server block that include a file."""
        return tuple(
            Inclusion(include.file, include.line, directive(f"include {' '.join(include.arguments)};"))
            for http in self.top.all("http")
            for server in http.all("server")
            if (server.file, server.line) == (block.file, block.line)
            for include in server.all("include")
            if guests.includes(include, leaflet.file.path, self.folder)
        )

    def place(self, leaflet: Leaflet, block: ServerBlock) -> AddedLine | Impossible:
        """Return the line, and where it goes: below ``server_name``, checked by reading the file again."""
        data = self.host.read(block.file) or b""
        where = insertion.place(data, block.line)
        if isinstance(where, Impossible):
            return where
        try:
            insertion.refuse_misreading(data, where, guests.included(leaflet.file.path))
        except RefusedPlan as error:
            return Impossible(error.what)
        return AddedLine(where.indent.decode(errors="replace") + leaflet.line, where.line)

    def conflicts(self, leaflet: Leaflet, block: ServerBlock) -> tuple[Conflict, ...]:
        """Return what in a server block keeps our locations out, or from answering."""
        theirs = tuple(each for each in block.locations if each.file != leaflet.file.path)
        return conflicts(leaflet.guest, replace(block, locations=theirs))

    def own_block(self, leaflet: Leaflet, block: ServerBlock) -> str:
        """Return a server block for the one name, beside one that has many."""
        listens = dict.fromkeys(_words(each) for each in block.listens if is_tcp(each, leaflet.guest.port))
        lines = [
            *(f"listen {words};" for words in listens),
            f"server_name {leaflet.guest.name};",
            *(f"ssl_certificate {path};" for path in block.certificates),
            *(f"ssl_certificate_key {path};" for path in block.keys),
            guests.line(leaflet.file.path),
        ]
        return f"server {{ {' '.join(lines)} … and the rest of {block.file}:{block.line} }}"


def _words(listen: Listen) -> str:
    options = tuple(option for option in listen.options if option in KEPT)
    return Listening(listen.address, listen.port, options).words
