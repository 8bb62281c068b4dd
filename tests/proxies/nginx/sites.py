"""An nginx with neighbours, a host and a site, for tests of rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from palpo_installer.answers import (
    Address,
    Answers,
    BaseDomain,
    CertificateFiles,
    Certificates,
    Delegation,
    Federation,
    Homeserver,
    Method,
    Names,
    Registration,
    WellKnown,
)
from palpo_installer.facts.system import System
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.found import IncludeDirectory, Listen, ServerBlock
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.reading import address_and_ports
from palpo_installer.proxies.nginx.rendering import render
from palpo_installer.site import (
    Site,
)

DEFAULT = Layout()
ETC = Path("/etc/nginx")
NEIGHBOUR = ETC / "sites-enabled" / "neighbour"
DEBIAN = IncludeDirectory(ETC / "sites-enabled", "*", ETC / "nginx.conf", 60)
HOST = System("debian", "12", "", "systemd", "disabled", (), ("203.0.113.5", "2001:db8::5", "127.0.0.1"), True, True)

ANSWERS = Answers(
    names=Names("example.com", "matrix.example.com", BaseDomain.OURS),
    federation=Federation(Delegation.WELL_KNOWN, 8448),
    proxy="nginx",
    homeserver=Homeserver(
        config=ETC / "palpo.toml",
        listen=Address("127.0.0.1", 8008),
        upstream=Address("127.0.0.1", 8008),
        database_url=None,
        registration=Registration.CLOSED,
        registration_token=None,
        max_upload_size=20 * 2**20,
        storage=Path("/var/lib/palpo"),
    ),
    media=None,
    well_known=WellKnown(),
    certificates=Certificates(Method.HTTP_01, "", True, "", None, None, ""),
)


def block(
    *listens: str, names: Sequence[str] = ("neighbour.example",), file: Path = NEIGHBOUR, line: int = 1
) -> ServerBlock:
    """Return a server block with these ``listen`` directives, one for each line from the block's second."""
    return ServerBlock(
        tuple(names), tuple(listen(text, file, line + n) for n, text in enumerate(listens, 1)), (), file, line
    )


def listen(text: str, file: Path = NEIGHBOUR, line: int = 1) -> Listen:
    """Return a ``listen`` directive with an address and a port."""
    where, *options = text.split()
    address, ports = address_and_ports(where)
    return Listen({"*": "0.0.0.0"}.get(address, address.strip("[]")), ports[0], tuple(options), file, line)


def nginx(
    *servers: ServerBlock,
    version: tuple[int, int, int] = (1, 22, 1),
    include: IncludeDirectory = DEBIAN,
    streams: Sequence[Listen] = (),
) -> Nginx:
    """Return an nginx with these server blocks."""
    return Nginx(
        binary=Path("/usr/sbin/nginx"),
        version=version,
        modules=("http_ssl_module", "http_v2_module"),
        configuration=ETC / "nginx.conf",
        files=(),
        servers=servers,
        streams=tuple(streams),
        includes=(include,),
        problems=(),
        user="www-data",
        error_log="",
        pid_file="/run/nginx.pid",
        pid=None,
        unit="nginx.service",
        unit_enabled=True,
    )


def rendered(
    found: Nginx,
    *,
    site: Site | None = None,
    answers: Answers = ANSWERS,
    system: System = HOST,
    layout: Layout = DEFAULT,
) -> Rendering:
    """Render a site with certificates in a directory of their names."""
    wanted = site or build(answers, layout)
    live = Path("/etc/palpo-installer/acme/live")
    files = {
        name: CertificateFiles(live / name / "fullchain.pem", live / name / "privkey.pem")
        for name in wanted.certificates
    }
    return render(found, Assignment(wanted, system, layout, files))


def direct(port: int = 8448) -> Answers:
    """Return answers with federation on a port of its own."""
    return replace(ANSWERS, federation=Federation(Delegation.DIRECT, port))
