"""Debian's nginx under a directory of its own, with neighbours whose settings are as unlike ours as can be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from palpo_installer.answers import CertificateFiles
from palpo_installer.proxies.base import Part
from palpo_installer.proxies.found import IncludeDirectory, Listen, ServerBlock
from palpo_installer.proxies.nginx.configuration import Nginx

# Everything here is inherited by a server block that does not say otherwise.
HTTP = """
{user}
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    default_type text/html;
    types {{ image/png png; }}
    add_header Access-Control-Allow-Origin https://neighbour.example always;
    expires max;
    merge_slashes off;
    error_page 403 404 413 429 502 504 /neighbour-error.html;
    proxy_intercept_errors on;
    proxy_set_header X-Forwarded-For neighbour;
    ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3;
    ssl_ciphers ALL:@SECLEVEL=0;
    ssl_stapling on;
    include {root}/sites-enabled/*;
}}
"""

NEIGHBOUR = """server {{
    listen 127.0.0.1:{http};
    listen [::1]:{http};
    server_name neighbour.example;
    return 200 "neighbour over http";
}}
server {{
    listen 127.0.0.1:{https} ssl http2;
    listen [::1]:{https} ssl;
    listen 127.0.0.1:{balanced} ssl proxy_protocol;
    server_name neighbour.example;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_stapling off;
    return 200 "neighbour over https";
}}
"""


@dataclass(frozen=True)
class Ports:
    """Its ports; behind ``balanced`` the neighbour expects a PROXY line, ``federation`` is free."""

    http: int
    https: int
    balanced: int
    federation: int


@dataclass(frozen=True)
class NeighbouredNginx:
    """One that is not started yet."""

    root: Path
    ports: Ports
    certificate: CertificateFiles

    def write(self) -> None:
        """Write the configuration with the neighbours."""
        enabled = self.root / "sites-enabled"
        enabled.mkdir(parents=True)
        (self.root / "sites-available").mkdir()
        user = "user root;" if os.geteuid() == 0 else ""
        self.configuration.write_text(HTTP.format(root=self.root, user=user))
        neighbour = NEIGHBOUR.format(**vars(self.ports), chain=self.certificate.chain, key=self.certificate.key)
        (enabled / "neighbour").write_text(neighbour)

    def install(self, part: Part) -> None:
        """Write the files of a part, and its links."""
        for file in part.files:
            file.path.write_text(file.text)
        for link in part.links:
            link.path.symlink_to(link.target)

    @property
    def configuration(self) -> Path:
        """The main file."""
        return self.root / "nginx.conf"

    @property
    def facts(self) -> Nginx:
        """What this nginx is before anything of ours is in it."""
        ports, site = self.ports, self.root / "sites-enabled" / "neighbour"
        plain = [Listen(address, ports.http, (), site, line) for line, address in ((2, "127.0.0.1"), (3, "::1"))]
        secure = [
            Listen("127.0.0.1", ports.https, ("ssl", "http2"), site, 8),
            Listen("::1", ports.https, ("ssl",), site, 9),
            Listen("127.0.0.1", ports.balanced, ("ssl", "proxy_protocol"), site, 10),
        ]
        names = ("neighbour.example",)
        return Nginx(
            binary=Path("/usr/sbin/nginx"),
            version=(1, 22, 1),
            modules=("http_ssl_module", "http_v2_module"),
            configuration=self.configuration,
            files=(),
            servers=(
                ServerBlock(names, tuple(plain), (), site, 1),
                ServerBlock(names, tuple(secure), (), site, 7),
            ),
            streams=(),
            includes=(IncludeDirectory(self.root / "sites-enabled", "*", self.configuration, 27),),
            problems=(),
            user="root",
            error_log=str(self.root / "error.log"),
            pid_file=str(self.root / "nginx.pid"),
            pid=None,
            unit="",
            unit_enabled=None,
        )

    def test(self) -> str:
        """Return what ``nginx -t`` says beside that all is well."""
        done = self._run("-t")
        good = ("syntax is ok", "test is successful")
        return "\n".join(line for line in done.stderr.splitlines() if not line.endswith(good))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it; nginx goes into the background when its sockets are open."""
        started = self._run()
        assert started.returncode == 0, started.stderr
        master = psutil.Process(int((self.root / "nginx.pid").read_text()))
        try:
            yield
        finally:
            master.terminate()
            master.wait(10)

    def _run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = ["/usr/sbin/nginx", "-e", str(self.root / "error.log"), "-c", str(self.configuration), *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
