"""An Apache with neighbours, for tests of rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from palpo_installer.answers import Answers, CertificateFiles
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.proxies.apache.configuration import Apache, Awake
from palpo_installer.proxies.apache.reading import BOTH
from palpo_installer.proxies.apache.rendering import render
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.found import IncludeDirectory, Listen, ServerBlock
from tests.proxies.nginx.sites import ANSWERS, HOST

ETC = Path("/etc/apache2")
PORTS = ETC / "ports.conf"
ENABLED = ETC / "sites-enabled"
PLAIN = ("alias", "authz_core", "headers", "http2", "mime", "proxy", "proxy_http", "setenvif", "socache_shmcb", "ssl")
AVAILABLE = (*(f"{name}.load" for name in PLAIN), "ssl.conf", "http2.conf", "proxy.conf")
LOADED = ("authz_core_module", "alias_module", "setenvif_module", "mime_module", "mpm_event_module")


def listen(port: int, address: str = "::", *options: str, file: Path = PORTS, line: int = 1) -> Listen:
    """Return a socket; ``::`` takes both families, as ``Listen 80`` opens it."""
    return Listen(address, port, (*options, *((BOTH,) if address == "::" else ())), file, line)


def virtual_host(
    *listens: Listen, names: Sequence[str] = ("neighbour.example",), file: str = "neighbour.conf", line: int = 1
) -> ServerBlock:
    """Return a virtual host of somebody else's."""
    return ServerBlock(tuple(names), listens, (), ENABLED / file, line)


def apache(
    *servers: ServerBlock,
    listens: Sequence[Listen] = (listen(80),),
    dormant: Sequence[Listen] = (listen(443, "::", "https"),),
    modules: Sequence[str] = LOADED,
    arrangement: Literal["debian", "httpd"] = "debian",
) -> Apache:
    """Return a Debian's Apache as it is before mod_ssl is enabled; with it the ``dormant`` sockets come alive."""
    return Apache(
        binary=Path("/usr/sbin/apache2"),
        version=(2, 4, 71),
        configuration=ETC / "apache2.conf",
        files=(),
        servers=servers,
        streams=(),
        problems=(),
        user="www-data",
        error_log="",
        pid_file="/run/apache2/apache2.pid",
        pid=None,
        unit="apache2.service",
        unit_enabled=True,
        arrangement=arrangement,
        modules=tuple(modules),
        available=AVAILABLE,
        mpm="event",
        listens=tuple(listens),
        includes=(
            IncludeDirectory(ETC / "mods-enabled", "*.conf", ETC / "apache2.conf", 147),
            IncludeDirectory(ETC / "conf-enabled", "*.conf", ETC / "apache2.conf", 222),
            IncludeDirectory(ENABLED, "*.conf", ETC / "apache2.conf", 225),
        ),
        server_root=ETC,
        awake=Awake((*listens, *dormant), servers),
    )


def httpd(*modules: str, available: Sequence[str] = ()) -> Apache:
    """Return an Apache in the other arrangement, whose files load modules themselves."""
    root = Path("/etc/httpd")
    return replace(
        apache(arrangement="httpd", modules=modules),
        binary=Path("/usr/sbin/httpd"),
        unaided=modules,
        available=tuple(available),
        server_root=root,
        includes=(
            IncludeDirectory(root / "conf.modules.d", "*.conf", root / "conf/httpd.conf", 60),
            IncludeDirectory(root / "conf.d", "*.conf", root / "conf/httpd.conf", 350),
        ),
    )


def rendered(found: Apache, *, answers: Answers = ANSWERS, layout: Layout | None = None) -> Rendering:
    """Render a site with certificates in a directory of their names."""
    wanted, live = build(answers, layout or Layout()), Path("/etc/palpo-installer/acme/live")
    files = {name: CertificateFiles(live / name / "chain.pem", live / name / "key.pem") for name in wanted.certificates}
    return render(found, Assignment(wanted, HOST, layout or Layout(), files))
