"""Caddy as a process: how it is managed, started and told to take up its Caddyfile."""

from __future__ import annotations

import pwd
from collections.abc import Sequence
from pathlib import Path

from palpo_installer import services
from palpo_installer.host import Command
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.keys import ROOT
from palpo_installer.services import Service

NAME = "caddy"


def service_of(caddy: Caddy) -> Service:
    """Return Caddy as a service.

    It is started and tested as the account that it runs as: a test opens logs, which otherwise would be root's.
    """
    account = ("runuser", "-u", caddy.user, "--") if caddy.user not in ROOT else ()
    pid_file = ("--pidfile", caddy.pid_file) if caddy.pid_file else ()
    return Service(
        name=NAME,
        manager="systemd" if caddy.unit else "direct",
        unit=caddy.unit,
        argv=(*account, str(caddy.binary), "start", *_with(str(caddy.configuration)), *pid_file),
        pid_file=Path(caddy.pid_file) if caddy.pid_file else None,
        searched="" if caddy.pid_file else "run",
    )


def _with(configuration: str) -> tuple[str, ...]:
    return ("--config", configuration, "--adapter", "caddyfile")


def configuration(argv: Sequence[str]) -> str:
    """Return the Caddyfile in the arguments of a service."""
    return argv[argv.index("--config") + 1]


def program(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the program in the arguments of a service, with what lets it run as its account."""
    return tuple(argv[: argv.index("start")])


def start(service: Service, limit: float) -> Command:
    """Return how it is started.

    Without systemd its process goes on writing to where the one that starts it writes, and keeps what is its own below
    ``HOME``.
    """
    if service.manager != "direct":
        return services.start_command(service, limit)
    account = service.argv[2] if service.argv[0] == "runuser" else "root"
    return Command(service.argv, timeout=limit, environment={"HOME": pwd.getpwnam(account).pw_dir}, daemon=True)


def testing(service: Service, limit: float) -> Command:
    """Return how the Caddyfile is tested: with all certificates loaded, and no socket opened."""
    return Command((*program(service.argv), "validate", *_with(configuration(service.argv))), timeout=limit)


def reload(service: Service, limit: float) -> Command:
    """Return how Caddy takes up its Caddyfile without losing a connection.

    Through its endpoint also where it has a unit: ``systemctl reload`` can wait for ever for a Caddy that refused
    (caddyserver/caddy#7385). ``--force`` lets it read certificates anew where the Caddyfile is the same.
    """
    words = (*program(service.argv), "reload", *_with(configuration(service.argv)), "--force")
    return Command(words, timeout=limit)
