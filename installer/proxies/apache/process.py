"""Apache as a process: how it is managed, and what it is told. See httpd, "Stopping and Restarting"."""

from __future__ import annotations

from pathlib import Path

from palpo_installer import services
from palpo_installer.host import Command
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.services import Service

CONTROL_PROGRAM = "apache2ctl"
"""Debian's: it sets the variables of the configuration, which the program itself does not know."""


def service_of(apache: Apache) -> Service:
    """Return Apache as a service: its unit's, or told by its own program where it has none."""
    if apache.arrangement == "debian":
        argv: tuple[str, ...] = (str(apache.binary.with_name(CONTROL_PROGRAM)),)
    else:
        argv = (str(apache.binary), "-f", str(apache.configuration))
    return Service(
        name=apache.binary.name,
        manager="systemd" if apache.unit else "direct",
        unit=apache.unit,
        argv=argv,
        pid_file=Path(apache.pid_file) if apache.pid_file else None,
    )


def dry_run(service: Service, limit: float) -> Command:
    """Return how Apache tests its configuration."""
    return Command((*service.argv, "-t"), timeout=limit)


def start(service: Service, limit: float) -> Command:
    """Return how it is started."""
    return services.start_command(service, limit) if _has_unit(service) else _told(service, "start", limit)


def reload(service: Service, limit: float) -> Command:
    """Return how it takes up its configuration without losing a request: by its unit, else gracefully."""
    return services.reload_command(service, limit) if _has_unit(service) else _told(service, "graceful", limit)


def _has_unit(service: Service) -> bool:
    return service.manager != "direct"


def _told(service: Service, word: str, limit: float) -> Command:
    debian = Path(service.argv[0]).name == CONTROL_PROGRAM
    return Command((*service.argv, *(() if debian else ("-k",)), word), timeout=limit)
