"""What finding a proxy asks of the host, whichever it is: its main process, its program, its unit."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.processes import Process, consult


def serving(candidates: Collection[Process], owners: frozenset[int], ours: Callable[[int], bool]) -> Process | None:
    """Return the process that serves this host: one that listens here, then a unit's, then the oldest.

    Args:
        candidates: main processes of one proxy.
        owners: the processes that listen in our network namespace.
        ours: whether a process shares that namespace, asked of those that do not listen.
    """
    ranked = sorted(candidates, key=lambda each: (each.pid not in owners, not each.unit, each.started))
    return next((each for each in ranked if each.pid in owners or ours(each.pid)), None)


def program(host: Host, main: Process | None, *names: str) -> Path | None:
    """Return the program that runs, as long as it is still there, else the one that is installed."""
    running = Path(main.program) if main and main.program else None
    if running and host.status(running) is not None:
        return running
    return next((found for name in names if (found := host.which(name)) is not None), None)


def unit(host: Host, main: Process | None, usual: str) -> tuple[str, bool | None]:
    """Return the unit that runs a proxy, or else would start it, and whether it does at boot; none is empty.

    Args:
        host: the machine.
        main: the proxy's main process, None where it does not run.
        usual: the unit that packages have for it.
    """
    if main is not None and not main.unit:
        return "", None
    if main is None and host.status(host.layout.at("/run/systemd/system")) is None:
        return "", None
    name = main.unit if main else usual
    root = () if host.layout.root == Path("/") else (f"--root={host.layout.root}",)
    said = consult(host, "systemctl", *root, "is-enabled", name)
    state = said.stdout.strip() if said is not None else ""
    if main is None and state in {"", "not-found"}:
        return "", None
    return name, state.startswith("enabled")


def addresses(host: Host, name: str) -> tuple[str, ...]:
    """Return a name's addresses as the C library gives them to a proxy."""
    said = consult(host, "getent", "ahosts", name)
    rows = said.stdout.splitlines() if said is not None and said.status == 0 else []
    return tuple(dict.fromkeys(row.split()[0] for row in rows if row.split()))
