"""A private nginx with other sites: configuration written by hand, ephemeral ports of loopback, no init system."""

from __future__ import annotations

import socketserver
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from palpo_installer.facts.system import System
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.proxies.activation import ActivateProxy, activate
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.process import service_of
from palpo_installer.site import MARKER_HEADER, MARKER_PATH
from tests.lab.running import until
from tests.ports import free_ports

LOOPBACK = "127.0.0.1"
NAME = "matrix.example.com"
SHOP = "shop.example.org"
SYSTEM = System(
    distribution="debian",
    version="12",
    name="Debian",
    init="none",
    selinux="disabled",
    firewalls=(),
    addresses=(LOOPBACK,),
    ipv6=False,
    root=True,
)


class _Holder(socketserver.TCPServer):
    allow_reuse_address = True
    """Else a connection that ended a moment ago would go on holding the port."""


@contextmanager
def held(port: int) -> Iterator[None]:
    """Let this process hold a port: it takes connections and ends them."""
    with _Holder((LOOPBACK, port), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class PrivateNginx:
    """nginx with sites of others; ours is one more file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.https, self.federation = free_ports(2)
        self.pid_file = directory / "nginx.pid"
        self.binary = Path("/usr/sbin/nginx")
        self.configuration = directory / "nginx.conf"
        self.sites = directory / "sites"
        self.sites.mkdir()
        self.servers: list[ServerBlock] = []
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"  {kind}_temp_path {directory}/{kind};\n" for kind in kinds)
        self.configuration.write_text(
            f"worker_processes 1;\npid {self.pid_file};\nerror_log {directory}/error.log;\nevents {{}}\n"
            f"http {{\n  access_log off;\n{temporary}"
            '  split_clients "$request_id" $flap { 50% 1; * ""; }\n'
            f"  include {self.sites}/*.conf;\n}}\n"
        )

    @property
    def ours(self) -> Path:
        """Our file, which sorts last."""
        return self.sites / "zz-ours.conf"

    @property
    def pid(self) -> int:
        """The master process."""
        return int(self.pid_file.read_text())

    def certificate(self, name: str) -> tuple[Path, Path]:
        """Return where a name's chain and key are."""
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def write_site(self, label: str, text: str) -> Path:
        """Write another site's file."""
        path = self.sites / f"{label}.conf"
        path.write_text(text)
        return path

    def add_site(self, label: str, name: str, body: str) -> None:
        """Add a site of somebody else, with the shop's certificate, as the facts would see it."""
        files = self.certificate(SHOP)
        path = self.write_site(label, _block(name, [self.https], files, f"location / {{ {body} }}"))
        listen = Listen(address=LOOPBACK, port=self.https, options=("ssl",), file=path, line=1)
        self.servers.append(ServerBlock((name,), (listen,), (str(files[0]),), path, 1))

    def install(self, marker: str, *ports: int, default: bool = False, shown: str = NAME) -> None:
        """Write our file; ``default`` makes it the default server, ``shown`` is whose certificate it has."""
        body = f"add_header Palpo-Installer {marker} always; location / {{ return 404; }}"
        options = " default_server" if default else ""
        self.ours.write_text(_block(NAME, ports, self.certificate(shown), body, options))

    def remove(self) -> None:
        """Remove our file."""
        self.ours.unlink()

    def activation(self, marker: str, *ports: int, start: bool = False) -> ActivateProxy:
        """Return the activation of our file, with short limits."""
        chain = self.certificate(NAME)[0]
        expectations = [Expectation(LOOPBACK, port, True, NAME, marker, chain, False) for port in ports]
        activation = activate(
            self._facts(start), service_of(self._facts(start)), SYSTEM, expectations, [self.ours], enable=True
        )
        return replace(activation, patience=4.0, limit=5.0)

    def _facts(self, stopped: bool) -> Nginx:
        return Nginx(
            binary=self.binary,
            version=(1, 22, 1),
            modules=(),
            configuration=self.configuration,
            files=(),
            servers=tuple(self.servers),
            streams=(),
            includes=(),
            problems=(),
            user="nobody",
            error_log=str(self.directory / "error.log"),
            pid_file=str(self.pid_file),
            pid=None if stopped else self.pid,
            unit="",
            unit_enabled=None,
        )

    def stand_in(self, deed: str) -> None:
        """Put a script in nginx's place that does something else when it is to reload."""
        self.binary = self.directory / "nginx"
        self.binary.write_text(f'#!/bin/sh\ncase "$*" in *"-s reload") {deed};; esac\nexec /usr/sbin/nginx "$@"\n')
        self.binary.chmod(0o755)

    def start(self) -> None:
        """Start it as a daemon."""
        subprocess.run(["/usr/sbin/nginx", "-c", self.configuration], check=True, capture_output=True, timeout=20)
        until(lambda: self.ask(self.https, NAME).problem != "refused", "nginx's answer")

    def ask(self, port: int, name: str) -> Answer:
        """Return what a name answers on a port."""
        return ask(Question(LOOPBACK, port, tls=True, host=name, sni=name, target=MARKER_PATH))

    def marker(self, port: int) -> str:
        """Return the marker on a port."""
        return self.ask(port, NAME).header(MARKER_HEADER)

    def workers(self) -> list[int]:
        """Return the numbers of the worker processes."""
        return sorted(child.pid for child in psutil.Process(self.pid).children())

    def end(self) -> None:
        """End it, if it runs."""
        text = self.pid_file.read_text().strip() if self.pid_file.exists() else ""
        if text:
            master = psutil.Process(int(text))
            family = [master, *master.children()]
            master.terminate()
            psutil.wait_procs(family, timeout=20)


def _block(name: str, ports: Sequence[int], files: tuple[Path, Path], body: str, options: str = "") -> str:
    listens = " ".join(f"listen {LOOPBACK}:{port} ssl{options};" for port in ports)
    secure = f"ssl_certificate {files[0]}; ssl_certificate_key {files[1]};"
    return f"server {{ {listens} server_name {name}; {secure} {body} }}\n"
