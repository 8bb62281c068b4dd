"""nginx as a process: how it is managed, and what it is told by signals. See nginx, "Controlling nginx"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil

from palpo_installer import services
from palpo_installer.host import Host
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.discovery import MASTER, Started, parse_title
from palpo_installer.services import Service


def service_of(nginx: Nginx) -> Service:
    """Return nginx as a service: its unit's, or told by ``-s`` where it has none."""
    return Service(
        name="nginx",
        manager="systemd" if nginx.unit else "direct",
        unit=nginx.unit,
        argv=(str(nginx.binary), "-c", str(nginx.configuration)),
        pid_file=Path(nginx.pid_file) if nginx.pid_file else None,
    )


def as_running(host: Host, service: Service) -> Service:
    """Return the service with the manager, the prefix and the first error log that its master process has now."""
    found = services.as_running(host, service)
    pid = services.main_process(host, found)
    process = None if pid is None else host.process(pid)
    try:
        title = " ".join(process.cmdline()) if process is not None else ""
    except psutil.Error:
        title = ""
    started = parse_title(title) if title.startswith(MASTER) else Started("", "")
    given = {"-p": started.prefix, "-e": started.error_log}
    words = (word for option, value in given.items() if value for word in (option, value))
    return replace(found, argv=(*found.argv, *words))


def remove_empty_pid_file(host: Host, service: Service) -> None:
    """Remove what ``nginx -t`` leaves where nginx is stopped: systemd takes the empty file for a broken one."""
    path = service.pid_file
    if path is not None and host.read(path) == b"":
        path.unlink(missing_ok=True)
