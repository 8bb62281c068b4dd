"""Booted Debian hosts where another proxy serves than nginx, under its own unit."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab import names, trees, ways
from tests.lab.booted import BootedHost, installed
from tests.lab.hosts import ADDRESS4, ADDRESS6


@contextmanager
def without_nginx(directory: Path, tree: str, packages: tuple[str, ...]) -> Iterator[BootedHost]:
    """Boot a host with names, where these packages were installed and nginx is masked."""
    unit = directory / "layer/etc/systemd/system/nginx.service"
    unit.parent.mkdir(parents=True)
    # Both are enabled where they are installed, and both want port 80.
    unit.symlink_to("/dev/null")
    host = BootedHost(directory / "layer", installed(), tree=trees.with_packages(tree, packages))
    try:
        names.serve(host.outside)
        yield host
    finally:
        host.stop()


@contextmanager
def with_several(directory: Path, tree: str, packages: tuple[str, ...]) -> Iterator[BootedHost]:
    """Boot a host with names, where nginx and these proxies are installed: none starts at boot, none has a site."""
    units = ("nginx", *packages)
    wants = directory / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for unit in units:
        # To an overlay this is a file that is not there (kernel, "Overlay Filesystem", whiteouts).
        os.mknod(wants / f"{unit}.service", stat.S_IFCHR, os.makedev(0, 0))
    host = BootedHost(directory, installed(), tree=trees.with_packages(tree, packages))
    try:
        names.serve(host.outside)
        host.output(["sh", "-c", "rm -f /etc/nginx/sites-enabled/* /etc/apache2/sites-enabled/*"])
        # Debian's systemctl says the same to the links of System V.
        host.output(["systemctl", "disable", *units])
        yield host
    finally:
        host.stop()


def states(host: BootedHost, units: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return of each unit whether it runs and whether it starts at boot."""
    verbs = ("is-active", "is-enabled")
    asked = {unit: [host.run(["systemctl", verb, unit]).stdout.strip() for verb in verbs] for unit in units}
    return {unit: (running, enabled) for unit, (running, enabled) in asked.items()}


def main_process(host: BootedHost, unit: str) -> str:
    """Return the number of a unit's main process as systemd knows it, and whether it is active."""
    return host.output(["systemctl", "show", "--property=MainPID,ActiveState", unit])


def applied(host: BootedHost, unit: str) -> str:
    """Apply the answers: the same process goes on and serves them, beside what it served; return what was said."""
    neighbours, running = ways.neighbour_answers(host), main_process(host, unit)
    assert "ActiveState=active" in running
    said = ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert main_process(host, unit) == running
    shown = {ways.served(host, address, 8448, "example.com") for address in (ADDRESS4, ADDRESS6)}
    assert len(shown) == 1
    assert "" not in shown
    assert ways.neighbour_answers(host) == neighbours
    assert host.tool("plan", "--exit-code").returncode == 0
    return said
