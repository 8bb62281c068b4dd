"""The made-up host: its files, its loopback ports, and the neighbour whose site is there already."""

from __future__ import annotations

import os
import pwd
import random
import re
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from palpo_installer.answers import Address
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.listens import HTTP2_DIRECTIVE
from palpo_installer.questions.homeserver import CONFIGURATION

SERVER_NAME = "example.com"
NEIGHBOUR = "shop.example.org"
GREETING = "The shop is open."
PASSWORD = "made-up"  # noqa: S105

IPV4, IPV6 = "127.0.0.1", "::1"
HUNDREDS = range(100, 320)
"""Below the ports that the kernel gives to outgoing connections (ip(7), ``ip_local_port_range``)."""

MAIN = """\
# The main file of nginx, much as Debian has it.
{user}worker_processes 1;
daemon off;
pid "{root}/run/nginx.pid";
error_log "{root}/var/log/nginx/error.log";

events {{
}}

http {{
    default_type text/html;
    access_log "{root}/var/log/nginx/access.log";
    client_body_temp_path "{root}/var/lib/nginx/body";
    proxy_temp_path "{root}/var/lib/nginx/proxy";
    fastcgi_temp_path "{root}/var/lib/nginx/fastcgi";
    uwsgi_temp_path "{root}/var/lib/nginx/uwsgi";
    scgi_temp_path "{root}/var/lib/nginx/scgi";
    include "{root}/etc/nginx/sites-enabled/*";
}}
"""

DEFAULT = """\
server {{
{plain}    server_name _;
    root "{root}/var/www/html";
}}
"""

SHOP = """\
server {{
{plain}{secure}    server_name {name};
    ssl_certificate "{root}/etc/ssl/certs/{name}.pem";
    ssl_certificate_key "{root}/etc/ssl/private/{name}.key";
    root "{root}/var/www/shop";
}}
"""


@dataclass(frozen=True)
class Premises:
    """A made-up host.

    Attributes:
        host: it, under its layout.
        federation: a free port for other servers, should federation get one of its own.
        upstream: where its homeserver listens.
    """

    host: Host
    federation: int
    upstream: Address

    @property
    def layout(self) -> Layout:
        """Its paths and ports."""
        return self.host.layout

    @property
    def homeserver(self) -> Path:
        """Where its homeserver looks for its configuration."""
        return self.layout.at(CONFIGURATION)

    @property
    def answers(self) -> dict[str, object]:
        """The answers to begin with, by key; the others have the defaults of any host."""
        return {
            "names.server_name": SERVER_NAME,
            "homeserver.listen": str(self.upstream),
            "homeserver.database_url": f"postgres://palpo:{PASSWORD}@127.0.0.1:5432/palpo",
            "certificates.method": "self-signed",
        }


def build(root: Path, nginx: Build) -> Premises:
    """Make the files of a small host with one site, in an empty directory.

    Args:
        root: the directory.
        nginx: what the host's nginx can do.

    Raises:
        HostError: a file cannot be written, nginx could not read the directory's name, or no ports are free.
    """
    if not re.fullmatch(r"[\w./+-]+", str(root), re.ASCII):
        raise HostError("has characters that no configuration takes", where=str(root), next="Set TMPDIR to another one")
    addresses = (IPV4, IPV6) if _is_free(IPV6, 0) else (IPV4,)
    http, https, federation, homeserver = _free_ports(addresses)
    layout = Layout(root, http, https, addresses, private=True)
    try:
        _write_files(layout, nginx)
        layout.save()
    except OSError as error:
        raise HostError(f"cannot be written: {error.strerror}", where=str(error.filename or root)) from error
    return Premises(Host(layout), federation, Address(IPV4, homeserver))


def _write_files(layout: Layout, build: Build) -> None:
    root, nginx = layout.root, layout.at("/etc/nginx")
    # Root's nginx would let its workers be somebody who cannot look into a directory of root's.
    user = f"user {pwd.getpwuid(0).pw_name};\n" if os.geteuid() == 0 else ""
    sites = {
        "default": DEFAULT.format(root=root, plain=_listen(layout, layout.http_port, " default_server")),
        NEIGHBOUR: SHOP.format(
            root=root,
            name=NEIGHBOUR,
            plain=_listen(layout, layout.http_port),
            secure=_with_http2(layout, build),
        ),
    }
    texts = {
        layout.at("/etc/os-release"): 'ID=linux\nPRETTY_NAME="a made-up host"\n',
        layout.at("/var/www/html/index.html"): "It works.\n",
        layout.at("/var/www/shop/index.html"): f"{GREETING}\n",
        nginx / "nginx.conf": MAIN.format(root=root, user=user),
        **{nginx / "sites-available" / name: text for name, text in sites.items()},
    }
    for directory in ("/etc/cron.d", "/etc/ssl/certs", "/etc/ssl/private", "/run", "/var/lib/nginx", "/var/log/nginx"):
        layout.at(directory).mkdir(parents=True)
    (nginx / "sites-enabled").mkdir(parents=True)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in sites:
        (nginx / "sites-enabled" / name).symlink_to(nginx / "sites-available" / name)
    _certify(layout)


def _listen(layout: Layout, port: int, options: str = "") -> str:
    return "".join(f"    listen {Address(address, port)}{options};\n" for address in layout.addresses)


def _with_http2(layout: Layout, build: Build) -> str:
    """Return how the shop listens with TLS: with HTTP/2 where this nginx has it, in the way that it is said there."""
    has_http2, directive = "http_v2_module" in build.modules, build.version >= HTTP2_DIRECTIVE
    listen = _listen(layout, layout.https_port, " ssl http2" if has_http2 and not directive else " ssl")
    return listen + ("    http2 on;\n" if has_http2 and directive else "")


def _certify(layout: Layout) -> None:
    """Write the neighbour's certificate, which it signed itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NEIGHBOUR)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NEIGHBOUR)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    layout.at(f"/etc/ssl/certs/{NEIGHBOUR}.pem").write_bytes(certificate.public_bytes(pem))
    private = layout.at(f"/etc/ssl/private/{NEIGHBOUR}.key")
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))


def _free_ports(addresses: tuple[str, ...]) -> tuple[int, int, int, int]:
    """Return ports that end like those they stand for: 80, 443, 8448 and 8008."""
    for hundred in random.sample(HUNDREDS, len(HUNDREDS)):
        ports = (hundred * 100 + 80, hundred * 100 + 43, hundred * 100 + 48, hundred * 100 + 8)
        if all(_is_free(address, port) for address in addresses for port in ports):
            return ports
    raise HostError("no free ports were found on loopback", where=", ".join(addresses))


def _is_free(address: str, port: int) -> bool:
    """Return whether a port can be listened on; port 0 asks whether the address can be used at all."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as stack:
        try:
            stack.enter_context(socket.create_server((address, port), family=family))
        except OSError:
            return False
    return True
