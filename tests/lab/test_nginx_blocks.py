"""Which location answers, and which server block: what is computed is what a real nginx does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.nginx.blocks import answering, named, serving
from palpo_installer.proxies.nginx.copies import load
from tests.lab.pebble import running
from tests.lab.running import require_programs
from tests.lab.wire import Wire
from tests.ports import free_ports

SELECTORS = (
    "/",
    "= /_matrix",
    "/_matrix",
    "^~ /_matrix/key/",
    "~ ^/_matrix/(client|federation)",
    "~* ^/_MATRIX/Media",
    "~ ^/(?<kind>_palpo|_synapse)/admin(/|$)",
    "/_palpo/client/",
    "=/.well-known/matrix/server",
    "~versions$",
)
PATHS = (
    "/",
    "/_matrix",
    "/_matrix/",
    "/_matrixfoo",
    "/_matrix/key/v2/server",
    "/_matrix/key/versions",
    "/_matrix/client/versions",
    "/_matrix/media/v3/upload",
    "/_MATRIX/MEDIA/x",
    "/_palpo/admin",
    "/_palpo/adminfoo",
    "/_palpo/client/x",
    "/_synapse/admin/v1/users",
    "/.well-known/matrix/server",
    "/.well-known/matrix/server/",
    "/versions",
    "/deep/inside/x",
    "/deep/inside/versions",
)
NAMES = ("a.example.com", "*.example.com", "www.example.*", "~^(?<sub>chat)[0-9]", ".example.net", "example.com")
ASKED = (
    *(
        "a.example.com",
        "b.example.com",
        "x.y.example.com",
        "www.example.org",
        "chat1.org",
        "example.net",
        "z.example.net",
    ),
    *("example.com", "unknown.org", "A.EXAMPLE.COM"),
)


@dataclass(frozen=True)
class Place:
    """A directory with a configuration on a free port."""

    root: Path
    port: int

    def write(self, servers: str) -> None:
        """Write the configuration."""
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = " ".join(f"{word}_temp_path {self.root}/{word};" for word in ("proxy", "fastcgi", "uwsgi", "scgi"))
        (self.root / "nginx.conf").write_text(
            f"{user} daemon off; pid {self.root}/pid; error_log {self.root}/log;\nevents {{ }}\n"
            f"http {{ access_log off; client_body_temp_path {self.root}/body; {temporary}\n{servers}\n}}\n"
        )

    def asked(self, name: str, path: str) -> str:
        """Return what nginx answers."""
        wire = Wire("127.0.0.1", self.port, name, tls=False)
        return wire.http1(path.encode()).body.decode()


def place(tmp_path: Path) -> Place:
    """Return a directory for an nginx."""
    require_programs("nginx")
    return Place(tmp_path, *free_ports(1))


def test_the_location_is_the_one_that_nginx_takes(tmp_path: Path) -> None:
    """Exact, prefix, ``^~``, patterns in order, nested ones, and selectors written as one word."""
    here = place(tmp_path)
    locations = "\n".join(f"location {each} {{ return 200 '{number}'; }}" for number, each in enumerate(SELECTORS))
    nested = "location /deep { location /deep/inside { return 200 inside; } return 200 deep; }"
    here.write(f"server {{ listen 127.0.0.1:{here.port};\n{locations}\n{nested} }}")
    (server,) = load(Host(Layout()), tmp_path / "nginx.conf").servers
    said = {path: answering(server.block, path).all("return")[0].arguments[1] for path in PATHS}
    with running(("nginx", "-e", f"{tmp_path}/log", "-c", f"{tmp_path}/nginx.conf"), ENVIRONMENT, here.port):
        assert {path: here.asked("x", path) for path in PATHS} == said
    assert len(set(said.values())) >= len(SELECTORS)


def test_the_server_block_is_the_one_that_nginx_takes(tmp_path: Path) -> None:
    """Exact names, wildcards, patterns, and the default where none fits."""
    here = place(tmp_path)
    blocks = "\n".join(
        f"server {{ listen 127.0.0.1:{here.port}; server_name {name}; return 200 '{name}'; }}" for name in NAMES
    )
    here.write(
        f"{blocks}\nserver {{ listen 127.0.0.1:{here.port} default_server; server_name d.org; return 200 d.org; }}"
    )
    servers = load(Host(Layout()), tmp_path / "nginx.conf").servers
    found = {name: serving(servers, here.port, name) for name in ASKED}
    said = {name: server.said.names[0] for name, server in found.items() if server}
    with running(("nginx", "-e", f"{tmp_path}/log", "-c", f"{tmp_path}/nginx.conf"), ENVIRONMENT, here.port):
        assert {name: here.asked(name, "/") for name in ASKED} == said
    assert named(servers, here.port, "unknown.org") is None
    assert len(set(said.values())) == len(NAMES) + 1


ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin"}
