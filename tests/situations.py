"""Hosts as facts, and the fewest answers that are complete, for tests of questions and answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from palpo_installer.facts import Facts
from palpo_installer.facts.certificates import Certificate
from palpo_installer.facts.names import Name
from palpo_installer.facts.palpo import Palpo, PalpoConfiguration
from palpo_installer.facts.system import System
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.nginx.configuration import Nginx

DATABASE = "postgres://palpo:hunter2@127.0.0.1:5432/palpo"

FEWEST: dict[str, object] = {
    "names.server_name": "example.com",
    "homeserver.database_url": DATABASE,
    "certificates.agree_terms": True,
}
"""What has no default on an empty host."""


def facts(
    *,
    palpo: Palpo | None = None,
    nginx: Nginx | None = None,
    names: tuple[Name, ...] = (),
    certificates: tuple[Certificate, ...] = (),
    addresses: tuple[str, ...] = ("203.0.113.5", "127.0.0.1"),
) -> Facts:
    """Return the facts of a host that is empty but for what is given."""
    system = System("debian", "12", "Debian 12", "systemd", "disabled", (), addresses, ipv6=True, root=True)
    return Facts(system, (), nginx, palpo or homeserver(), certificates, names, ())


def homeserver(
    *configurations: PalpoConfiguration,
    runs_as: Literal["unit", "container", "process", "stopped"] = "stopped",
    answers_at: str = "",
) -> Palpo:
    """Return a Palpo that is found with these configurations."""
    return Palpo(configurations, runs_as, "", "", "", "", "", answers_at, "")


def configured(
    server_name: str = "example.org", *listeners: str, path: str = "/srv/palpo/palpo.toml", problem: str = ""
) -> PalpoConfiguration:
    """Return a palpo.toml as found."""
    return PalpoConfiguration(Path(path), "0" * 64, server_name, listeners, problem)


def name(text: str, *addresses: str) -> Name:
    """Return a name that DNS leads to addresses."""
    return Name(text, addresses, "", (), (), (), "")


def certificate(path: str, *names: str, year: int = 2030, matches_key: bool | None = True) -> Certificate:
    """Return a certificate on disk, valid until a year."""
    until = datetime(year, 1, 1, tzinfo=UTC)
    since = datetime(2020, 1, 1, tzinfo=UTC)
    chain, key = Path(path) / "fullchain.pem", Path(path) / "privkey.pem"
    return Certificate(chain, key, names, "Test", "0" * 64, since, until, matches_key)


def nginx_with(*names: str, file: str = "/etc/nginx/sites-enabled/site", options: tuple[str, ...] = ("ssl",)) -> Nginx:
    """Return an nginx with one server block on port 443, which shows the certificate in /a."""
    listen = Listen("0.0.0.0", 443, options, Path(file), 2)
    block = ServerBlock(names, (listen,), ("/a/fullchain.pem",), Path(file), 1, ("/a/privkey.pem",))
    return Nginx(
        binary=Path("/usr/sbin/nginx"),
        version=(1, 22, 1),
        modules=(),
        configuration=Path("/etc/nginx/nginx.conf"),
        files=(),
        servers=(block,),
        streams=(),
        includes=(),
        problems=(),
        user="www-data",
        error_log="",
        pid_file="/run/nginx.pid",
        pid=None,
        unit="nginx.service",
        unit_enabled=True,
    )
