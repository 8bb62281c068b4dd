"""The real Apache from a private directory: its configuration around ours, its modules, its process."""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.proxies.apache import guests
from palpo_installer.proxies.apache.configuration import Apache, Awake
from palpo_installer.proxies.apache.diagnosis import verdict
from palpo_installer.proxies.apache.modules import NEEDED, has_http2
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.control import Verdict
from palpo_installer.proxies.found import IncludeDirectory
from palpo_installer.proxies.virtual_hosts import Leaflet
from palpo_installer.rehearsal import installing, program
from palpo_installer.rehearsal.private_directory import PrivateDirectory
from palpo_installer.rehearsal.private_proxy import Surroundings, Visited
from palpo_installer.rehearsal.sockets import Open, reserving
from palpo_installer.site import Guest

BASE = ("authz_core_module",)
"""What every configuration of Apache has beside an MPM."""

AT_WORK = (
    "deflate_module", "dir_module", "filter_module", "mime_module", "negotiation_module",
    "reqtimeout_module", "rewrite_module", "setenvif_module",
)  # fmt: skip
"""What looks at every request without being told to: loaded here where it is loaded on the host."""

AROUND = """\
ServerRoot "{root}"
DefaultRuntimeDir "{root}"
Mutex "file:{root}" default
PidFile "{root}/pid"
ErrorLog "{errors}"
ServerName localhost
{account}
{modules}
<IfModule mime_module>
    TypesConfig /dev/null
</IfModule>
<Directory />
    AllowOverride None
    Require all denied
</Directory>
IncludeOptional "{early}/*.conf"
{strangers}
Include "{sites}/*.conf"
"""
"""A main file as distributions arrange it: files for the whole server come before the sites."""

STRANGER = """\
<VirtualHost *:{port}>
    ServerName {name}
{tls}
    Redirect 421 /
</VirtualHost>
"""
"""Answers what is for none of our names, as other sites do: ours must be found by their names."""

TLS = """\
    SSLEngine on
    SSLCertificateFile "{chain}"
    SSLCertificateKeyFile "{key}"
"""


VISITED = """\
<VirtualHost *:{port}>
    ServerName {name}
    {line}
{tls}
    ErrorDocument 404 /missing.html
    Header always set Access-Control-Allow-Origin https://{name}
    Header always set Strict-Transport-Security max-age=31536000
    <Location "/">
        Require all denied
    </Location>
</VirtualHost>
"""
"""A site that takes a line of ours, with much that such a site may set for its own pages."""


@dataclass(frozen=True)
class PrivateApache:
    """An Apache in a private directory, not started.

    Attributes:
        directory: what is its own.
        found: Apache on this host, of which only the program, its version and its modules count.
    """

    directory: PrivateDirectory
    found: Apache

    @property
    def early(self) -> Path:
        """Where our files for the whole server go."""
        return self.directory.path / "early"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that are loaded."""
        mpm = f"mpm_{self.found.mpm or 'event'}_module"
        http2 = ("http2_module",) if has_http2(self.found) else ()
        present = (each for each in AT_WORK if each in self.found.modules)
        return tuple(dict.fromkeys((mpm, *BASE, *NEEDED, *http2, *present)))

    @property
    def facts(self) -> Apache:
        """What rendering works with: the program as it is on this host, and nobody else's sites."""
        return replace(
            self.found,
            configuration=self.directory.configuration,
            files=(),
            servers=(),
            problems=(),
            arrangement="httpd",
            modules=self.modules,
            available=(),
            unaided=self.modules,
            enabled=(),
            header_limits=(0, 0),
            listens=(),
            includes=tuple(
                IncludeDirectory(each, "*.conf", self.directory.configuration, 1)
                for each in (self.early, self.directory.sites)
            ),
            server_root=self.directory.path,
            awake=Awake((), ()),
        )

    @property
    def opens(self) -> Open:
        """It opens the port itself."""
        return reserving

    def leaflet(self, guest: Guest) -> Leaflet:
        """Return the file that a virtual host includes.

        Raises:
            RefusedPlan: a word of it cannot be written in Apache's language.
        """
        return guests.leaflet(guest, self.directory.guests)

    def write(self, rendering: Rendering, around: Surroundings) -> None:
        """Write our files, and a main file that includes them behind the other sites."""
        self.directory.sites.mkdir(parents=True)
        installing.install(rendering)
        tls = TLS.format(chain=around.certificate.chain, key=around.certificate.key)
        strangers = (
            STRANGER.format(port=port, name="somebody-else.invalid", tls=tls if secure else "")
            for port, secure in around.strange_ports.items()
        )
        files = {each: file_of(each, self.found) for each in self.modules}
        loaded = (f'LoadModule {each} "{file}"' for each, file in files.items() if file is not None)
        visited = (_visited(each) for each in around.visited)
        self.directory.configuration.write_text(
            AROUND.format(
                root=self.directory.path,
                errors=self.directory.errors,
                account=_account(),
                modules="\n".join(loaded),
                strangers="".join((*strangers, *visited)),
                early=self.early,
                sites=self.directory.sites,
            )
        )
        if os.geteuid() == 0:
            # Its workers read challenges as another account; nobody can list what is here.
            for each in (self.directory.path, self.directory.path.parent):
                each.chmod(0o711)

    def running(self, sockets: Sequence[socket.socket]) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run it on the ports of these sockets; it is gone afterwards.

        Raises:
            HostError: the program cannot be started.
        """
        argv = (self.found.binary, "-d", self.directory.path, "-f", self.directory.configuration, "-DFOREGROUND")
        return program.opening(argv, self.directory.errors, sockets)

    def verdict(self) -> Verdict:
        """Return what Apache said of a configuration that it did not take."""
        return verdict(False, self.directory.said)


def _visited(site: Visited) -> str:
    """Write what a site includes, and return the site."""
    installing.write(site.leaflet.file)
    tls = TLS.format(chain=site.certificate.chain, key=site.certificate.key) if site.tls else ""
    return VISITED.format(port=site.port, name=site.name, line=site.leaflet.line, tls=tls)


def file_of(module: str, apache: Apache) -> Path | None:
    """Return the file of a module, wherever this system has it; None where it is compiled in.

    Raises:
        HostError: it is not installed.
    """
    name = module.removesuffix("_module")
    load = apache.server_root / "mods-available" / f"{name}.load"
    try:
        told = re.search(rf"^\s*LoadModule\s+{module}\s+\"?([^\s\"]+)", load.read_text(), re.MULTILINE)
    except OSError:
        told = None
    file = apache.server_root / (told[1] if told else f"modules/mod_{name}.so")
    if file.exists():
        return file
    if module not in apache.modules:
        raise HostError(f"Apache's module {name} is not installed", where=str(file))
    return None


def _account() -> str:
    """Return the account of the workers: as root, Apache refuses to run them as root too."""
    if os.geteuid() != 0:
        return ""
    nobody = pwd.getpwnam("nobody")
    return f"User #{nobody.pw_uid}\nGroup #{nobody.pw_gid}"
