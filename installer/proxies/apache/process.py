"""Apache as a process: how it is managed, and what it is told. See httpd, "Stopping and Restarting"."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from palpo_installer import services
from palpo_installer.errors import HostError
from palpo_installer.host import Command, Host
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


def trouble(host: Host, service: Service) -> str:
    """Return why the main process cannot have done what it was told, empty when it seems well."""
    process = _main(host, service)
    try:
        if process is None:
            return "Apache is not running any more"
        stopped = process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return "Apache is not running any more"
    return f"Apache's main process {process.pid} is stopped (SIGSTOP) and does nothing" if stopped else ""


def family(host: Host, service: Service) -> frozenset[int]:
    """Return the main process and its workers, none where Apache does not run."""
    process = _main(host, service)
    try:
        return frozenset() if process is None else frozenset({process.pid, *(each.pid for each in process.children())})
    except psutil.Error:
        return frozenset()


def hang_up(host: Host, service: Service) -> None:
    """Reload by the signal itself (USR1), where the usual way to send it hangs or fails.

    Raises:
        HostError: it cannot be sent.
    """
    process = _main(host, service)
    if process is not None:
        try:
            process.send_signal(signal.SIGUSR1)
        except psutil.Error as error:
            raise HostError(f"cannot be told to reload: {error}", where=f"Apache (process {process.pid})") from error


def _main(host: Host, service: Service) -> psutil.Process | None:
    pid = services.main_process(host, service)
    return None if pid is None else host.process(pid)
