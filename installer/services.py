"""Services: who manages one, and how it is started, reloaded, restarted and stopped, each with a time limit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil

from palpo_installer import processes
from palpo_installer.errors import HostError, TimedOut
from palpo_installer.host import Command, Host

QUICK = 15.0
"""Seconds for a command that only asks or notes something."""

COMING = 5.0
"""Seconds for a program that was just started by hand to write its number, which it does in the background."""

RUNNING = ("active", "reloading", "refreshing", "activating")
"""Unit states in which somebody wants the service to run (systemd(1), "Units")."""


@dataclass(frozen=True)
class Service:
    """A service, and by whom it is managed.

    Attributes:
        name: its program's name, e.g. ``nginx``.
        manager: ``systemd``, a ``container`` runtime, or ``direct``: started by hand, told by signals.
        unit: its systemd unit; may be set beside ``direct``, when the program runs outside its unit.
        container: its container's name.
        runtime: the program that manages the container, e.g. ``docker``.
        argv: the program with the arguments that choose its configuration; starts it when ``direct``.
        pid_file: where its main process writes its number, None where it does not.
        searched: the word behind the program in the command line of its main process, which is looked for by that where
            it writes its number nowhere; empty where it does.
    """

    name: str
    manager: Literal["systemd", "container", "direct"]
    unit: str = ""
    container: str = ""
    runtime: str = ""
    argv: tuple[str, ...] = ()
    pid_file: Path | None = None
    searched: str = ""


def start_command(service: Service, limit: float = 60.0) -> Command:
    """Return how it is started."""
    return _command(service, "start", service.argv, limit)


def reload_command(service: Service, limit: float = 30.0) -> Command:
    """Return how it takes up its configuration without losing connections; a container has to restart."""
    return _command(service, "reload", (*service.argv, "-s", "reload"), limit)


def restart_command(service: Service, limit: float = 120.0) -> Command:
    """Return how it is restarted; 120 s, because managers wait up to 90 s for the old process to end."""
    return _command(service, "restart", (), limit)


def _command(service: Service, verb: str, argv: tuple[str, ...], limit: float) -> Command:
    match service.manager:
        case "systemd":
            return Command(("systemctl", verb, service.unit), timeout=limit)
        case "container":
            runtime_verb = "start" if verb == "start" else "restart"
            return Command((service.runtime, runtime_verb, service.container), timeout=limit)
        case _ if argv:
            return Command(argv, timeout=limit)
        case _:
            what = f"nothing manages {service.name}, so it cannot be told to {verb}"
            raise HostError(what, next=f"Run it under systemd or a container runtime, or {verb} it yourself")


def carry_out(host: Host, service: Service, command: Command) -> None:
    """Run one of a service's commands.

    Raises:
        TimedOut: it took too long; the unit was freed, so that the next command is not queued behind it.
        HostError: it failed, with the last lines it said.
    """
    try:
        completed = host.run(command)
    except TimedOut:
        if service.manager == "systemd":
            free(host, service.unit)
        raise
    if completed.status != 0:
        said = " / ".join((completed.stderr or completed.stdout).strip().splitlines()[-3:])
        next_step = f"See: journalctl -u {service.unit} -n 30" if service.manager == "systemd" else ""
        what = f"ended with status {completed.status}" + (f": {said}" if said else "")
        raise HostError(what, where=str(command), next=next_step)


def free(host: Host, unit: str) -> None:
    """End what a unit hangs in, e.g. its reload.

    A ``systemctl reload`` that is killed leaves its job behind, and every later one waits for it. ``control`` is
    the process of ExecReload alone (systemctl(1), ``--kill-whom``): without it systemd ends the job, and the unit is
    active again with its main process untouched. To cancel the job instead would leave the unit reloading; that
    is for a unit without such a process.
    """
    kill = ("systemctl", "kill", "--kill-who=control", "--signal=KILL", unit)
    if host.run(Command(kill, timeout=QUICK)).status == 0:
        return
    job = unit_properties(host, unit).get("Job", "")
    if job:
        host.run(Command(("systemctl", "cancel", job), timeout=QUICK))


def stop(host: Host, service: Service, limit: float = 100.0) -> None:
    """Stop it, if it runs. What was started by hand gets SIGTERM, which needs no configuration that loads.

    Raises:
        TimedOut: it still runs after ``limit`` seconds.
        HostError: its manager says it failed.
    """
    match service.manager:
        case "systemd":
            carry_out(host, service, Command(("systemctl", "stop", service.unit), timeout=limit))
        case "container":
            carry_out(host, service, Command((service.runtime, "stop", service.container), timeout=limit))
        case _:
            _terminate(host, service, limit)


def _terminate(host: Host, service: Service, limit: float) -> None:
    pid = main_process(host, service)
    process = None if pid is None else host.process(pid)
    if process is None:
        return
    try:
        process.terminate()
        process.wait(limit)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired as error:
        raise TimedOut(f"did not end within {limit:g} seconds", where=f"{service.name} (process {pid})") from error
    except psutil.Error as error:
        raise HostError(f"cannot be stopped: {error}", where=f"{service.name} (process {pid})") from error


def is_active(host: Host, service: Service) -> bool:
    """Return whether it runs, or its manager is about to start it again."""
    if service.manager == "systemd":
        return unit_properties(host, service.unit).get("ActiveState") in RUNNING
    return main_process(host, service) is not None


def is_active_soon(host: Host, service: Service, within: float = COMING) -> bool:
    """Return whether it runs, also where it was started a moment ago and has not written its number yet."""
    until = time.monotonic() + within
    while not (active := is_active(host, service)) and time.monotonic() < until and _is_coming(host, service):
        time.sleep(0.05)
    return active


def _is_coming(host: Host, service: Service) -> bool:
    """Return whether a program that writes its number into a file is among the processes of our network."""
    if service.manager != "direct" or service.pid_file is None:
        return False
    found = (each for each in processes.read(host) if each.name == service.name and not each.container)
    return any(processes.in_our_network(host, each.pid) for each in found)


def has_failed(host: Host, service: Service) -> bool:
    """Return whether systemd keeps the unit as failed."""
    return service.manager == "systemd" and unit_properties(host, service.unit).get("ActiveState") == "failed"


def forget_failure(host: Host, unit: str) -> None:
    """Let systemd forget that a unit failed, or once was there."""
    host.run(Command(("systemctl", "reset-failed", unit), timeout=QUICK))


def main_process(host: Host, service: Service) -> int | None:
    """Return the number of its main process, None when it does not run."""
    match service.manager:
        case "systemd":
            number = unit_properties(host, service.unit).get("MainPID", "")
        case "container":
            form = "{{.State.Pid}}"
            asked = host.run(Command((service.runtime, "inspect", "--format", form, service.container), timeout=QUICK))
            number = asked.stdout.strip() if asked.status == 0 else ""
        case _ if service.searched:
            number = _searched(host, service)
        case _:
            number = (host.text(service.pid_file) or "").strip() if service.pid_file else ""
            number = number if number.isdigit() and _is_program(host, int(number), service) else ""
    return int(number) if number.isdigit() and int(number) > 0 else None


def _searched(host: Host, service: Service) -> str:
    """Return the number of the oldest process of a program in our own network, empty where there is none."""
    found = (
        each
        for each in sorted(processes.read(host), key=lambda each: each.started)
        if each.name == service.name and service.searched in each.command[1:2] and not each.container
    )
    return next((str(each.pid) for each in found if processes.in_our_network(host, each.pid)), "")


def _is_program(host: Host, pid: int, service: Service) -> bool:
    """Return whether a process is the service's: a number in an old file may be another program's by now."""
    process = host.process(pid)
    try:
        return process is not None and process.name() == service.name and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def as_running(host: Host, service: Service) -> Service:
    """Return the service with the manager that it really has now.

    A program that was started by hand, beside its own unit or from another one's, is not that unit's to reload.
    """
    if service.manager != "systemd":
        return service
    by_hand = replace(service, manager="direct")
    pid = main_process(host, by_hand)
    return service if pid in {None, main_process(host, service)} else by_hand


def is_enabled(host: Host, service: Service) -> bool | None:
    """Return whether its unit starts at boot; None where no unit can say (static, masked, none)."""
    if service.manager != "systemd":
        return None
    return {"enabled": True, "disabled": False}.get(unit_properties(host, service.unit).get("UnitFileState", ""))


def enable_command(unit: str) -> Command:
    """Return how a unit is made to start at boot."""
    return Command(("systemctl", "enable", unit), timeout=QUICK)


def disable_command(unit: str) -> Command:
    """Return how a unit is kept from starting at boot."""
    return Command(("systemctl", "disable", unit), timeout=QUICK)


def unit_properties(host: Host, unit: str) -> Mapping[str, str]:
    """Return what systemd says of a unit: LoadState, ActiveState, UnitFileState, MainPID, Job (empty for none)."""
    names = "LoadState,ActiveState,UnitFileState,MainPID,Job"
    completed = host.run(Command(("systemctl", "show", f"--property={names}", unit), timeout=QUICK))
    return dict(line.split("=", 1) for line in completed.stdout.splitlines() if "=" in line)
