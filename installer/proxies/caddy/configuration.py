"""What Caddy is on this host, and what its configuration says, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from palpo_installer.proxies.caddy import storage
from palpo_installer.proxies.caddy.balancing import Balancing
from palpo_installer.proxies.found import IncludeDirectory, Proxy


@dataclass(frozen=True)
class Options:
    """The global options that matter to other sites.

    Attributes:
        admin: where it is told what to do, e.g. ``localhost:2019`` or ``unix//run/caddy.sock``; empty where that is
            switched off.
        http_port: what it takes for the port of HTTP.
        https_port: what it takes for the port of HTTPS.
        auto_https: ``off``, ``disable_redirects``, ``disable_certs``, ``ignore_loaded_certs`` or empty.
        default_bind: what sites without ``bind`` listen on; empty for all addresses.
        balancing: where lines of the PROXY protocol are read.
    """

    admin: str = "localhost:2019"
    http_port: int = 80
    https_port: int = 443
    auto_https: str = ""
    default_bind: tuple[str, ...] = ()
    balancing: tuple[Balancing, ...] = ()


@dataclass(frozen=True)
class Caddy(Proxy):
    """Caddy as found; its ``servers`` are the sites, and the redirects to HTTPS that it makes by itself.

    Attributes:
        options: the global options.
        imports: the directories that are imported at the top level, in order.
        last_line: how many lines the Caddyfile has.
        braceless: whether an imported file has a site without braces: such a site takes all that is imported behind it.
        elsewhere: why the Caddyfile is not what it runs with, empty where it is.
        variables: whether the Caddyfile takes values from Caddy's environment.
        room: the line in front of which a line of ours can come, 0 where there is none.
        uneditable: why no line can be added to the Caddyfile, empty where one can.
        storage: the directory with the certificates that it orders; empty where it keeps them in no files.
        particular: the names of sites whose own ``tls`` says how their certificates are ordered.
        globbed: the directories of its imports by patterns that fit what begins with a dot.
    """

    kind: ClassVar[str] = "caddy"
    title: ClassVar[str] = "Caddy"
    orders_certificates: ClassVar[bool] = True

    options: Options = Options()
    imports: tuple[IncludeDirectory, ...] = ()
    last_line: int = 0
    braceless: bool = False
    elsewhere: str = ""
    variables: bool = False
    room: int = 0
    uneditable: str = ""
    storage: str = ""
    particular: tuple[str, ...] = ()

    def renews(self, chain: Path) -> bool:
        """Return whether it orders and renews a certificate itself: it lies in its own storage."""
        return storage.holds(self.storage, chain)

    def keeps_to_site(self, name: str) -> str:
        """Return why no second site can show the certificate that it orders for a name."""
        if name not in self.particular:
            return ""
        return (
            "the tls directive of its site says how it is ordered, and Caddy takes no second site of that name then; "
            "global options that say so (email, acme_ca, cert_issuer) are for both"
        )

    globbed: tuple[IncludeDirectory, ...] = ()

    @property
    def read_whole(self) -> tuple[Path, ...]:
        """Those of its imports; from 2.7 on a pattern that begins with ``*`` leaves dot names out (caddy#5295)."""
        spared = self.version >= (2, 7, 0)
        return tuple(each.directory for each in self.globbed if not (spared and each.pattern.startswith("*")))

    @property
    def reader(self) -> str:
        """The account that reads keys: Caddy is its own from the start."""
        return "" if self.user == "root" else self.user
