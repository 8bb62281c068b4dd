"""HAProxy as a process: how it is managed, started, and told by signals. See its manual, "Starting HAProxy"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from palpo_installer import services
from palpo_installer.host import Command, Host
from palpo_installer.proxies.haproxy import unit
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.discovery import NAME, loaded, option
from palpo_installer.proxies.main_process import main_process
from palpo_installer.services import Service


def service_of(haproxy: HAProxy, own: Sequence[str] = ()) -> Service:
    """Return HAProxy as a service; ``own`` is what it will load beside what it loads now."""
    files = (*map(str, haproxy.loads), *own)
    return Service(
        name=NAME,
        manager="systemd" if haproxy.unit else "direct",
        unit=haproxy.unit,
        argv=starting(str(haproxy.binary), files, haproxy.pid_file),
        pid_file=Path(haproxy.pid_file) if haproxy.pid_file else None,
    )


def starting(program: str, files: Sequence[str], pid_file: str) -> tuple[str, ...]:
    """Return how HAProxy is started by hand: with a main process, in the background."""
    loads = (word for file in files for word in ("-f", file))
    return (program, "-W", "-D", *loads, *(("-p", pid_file) if pid_file else ()))


def as_running(host: Host, service: Service) -> Service:
    """Return the service with the manager and the files that its main process has now."""
    found = services.as_running(host, service)
    command = command_of(host, found)
    if not command:
        return found
    return replace(found, argv=starting(service.argv[0], loaded(command), option(command, "-p")))


def command_of(host: Host, service: Service) -> tuple[str, ...]:
    """Return the command line of the main process, empty where it does not run."""
    main = main_process(host, service)
    try:
        return tuple(main.cmdline()) if main is not None else ()
    except psutil.Error:
        return ()


def files(host: Host, service: Service) -> tuple[str, ...]:
    """Return what HAProxy would load if it were started now: what its unit says, or the service's own arguments."""
    start = unit.starting(host, service.unit) if service.manager == "systemd" else None
    return (loaded(start.expanded(host)) if start is not None else ()) or loaded(service.argv)


def take_up(host: Host, service: Service, limit: float) -> Command:
    """Return how it takes up what is on disk: a reload keeps the list of files that it was started with.

    So where its unit names others by now, or is about to, it is restarted.
    """
    command = command_of(host, service)
    if service.manager != "systemd" or not command:
        return reload(service, limit)
    now = set(loaded(command))
    if now != set(files(host, service)) or set(loaded(service.argv)) - now:
        return services.restart_command(service, limit)
    return reload(service, limit)


def reload(service: Service, limit: float) -> Command:
    """Return how its main process is told to start new workers: by its unit, else by USR2."""
    if service.manager == "systemd" or service.pid_file is None:
        return services.reload_command(service, limit)
    return Command(("sh", "-c", 'kill -USR2 "$(cat "$1")"', "sh", str(service.pid_file)), timeout=limit)
