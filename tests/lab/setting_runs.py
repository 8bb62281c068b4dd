"""Runs of plans that only make settings, on a lab host: complete, killed at every record, and in mid-command."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

from palpo_installer.changes import AnyOperation, Change, Plan
from palpo_installer.serialization import dump
from tests.lab.booted import BootedHost
from tests.lab.hosts import CHECKOUT, LabHost
from tests.lab.running import until

FAULTY = str(CHECKOUT / "tests/lab/faulty_engine.py")
REGISTER = """
import sys
from palpo_installer.changes import Plan
from palpo_installer.engine import launch
from palpo_installer.host import Host
from palpo_installer.serialization import load
print(launch.register(load(sys.stdin.read(), Plan), {}, Host().layout))
"""
LOCK = """
import fcntl, pathlib, signal, sys
lock = open(sys.argv[1], "a")
fcntl.lockf(lock, fcntl.LOCK_EX)
pathlib.Path("/run/locked").touch()
signal.pause()
"""


def python(host: LabHost) -> str:
    """Return the Python that has the tool: on a booted host that which the tool was installed with."""
    installed = "/opt/palpo-installer/current/bin/python"
    return installed if isinstance(host, BootedHost) else host.python


def register(host: LabHost, operations: Sequence[AnyOperation]) -> str:
    """Make a run of a plan with one change, and return its id."""
    plan = Plan((), (Change("settings", tuple(operations)),), (), (), ())
    return host.output([python(host), "-c", REGISTER], text=dump(plan)).strip()


def engine(host: LabHost, *arguments: str) -> int:
    """Run the faulty engine and return how it ended."""
    return host.run([python(host), FAULTY, *arguments], timeout=180).returncode


def events(host: LabHost, identity: str) -> str:
    """Return what was told of a run."""
    return host.read(f"/var/lib/palpo-installer/runs/{identity}/events.jsonl")


def killed_everywhere(host: LabHost, operations: Sequence[AnyOperation], state: Callable[[], object]) -> int:
    """Kill the engine after each record of a run but the last; recover each time to the state before."""
    before, last = state(), 3 * len(operations)
    for place in range(1, last + 1):
        identity = register(host, operations)
        assert engine(host, "kill", identity, str(place)) not in {0, 1, 5}, place
        recovered = host.tool("recover")
        assert recovered.returncode == 0, (place, recovered.stdout)
        assert state() == before, place
    return last


def killed_in_mid_command(host: LabHost, operation: AnyOperation, command: str, lock: str) -> None:
    """Kill the engine while its command waits for a lock that we hold, and recover while it still waits."""
    held = host.start([host.python, "-c", LOCK, lock])
    until(lambda: host.exists("/run/locked"), f"the lock on {lock}")
    identity = register(host, [operation])
    running = host.start([python(host), FAULTY, "kill", identity, "99"])
    until(lambda: host.run(["pgrep", "--full", command]).returncode == 0, command)
    running.signal(signal.SIGKILL)
    recovering = host.start([*host.command, "recover"])
    until(lambda: f"waiting for the end of {command}" in events(host, identity), "the recovery")
    held.stop()
    recovered = recovering.wait(120)
    assert recovered.returncode == 0, recovered.stdout
