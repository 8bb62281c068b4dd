"""A reboot or a power cut in the middle of a run: after the boot the host is whole, and nobody logged in for that."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.lab import ways
from tests.lab.booted import UNITS, BootedHost
from tests.lab.hosts import CHECKOUT
from tests.lab.running import until
from tests.lab.snapshots import Snapshot
from tests.lab.test_booted_apply import install_palpo

pytestmark = pytest.mark.booted

ENGINE = ("/opt/palpo-installer/current/bin/python", str(CHECKOUT / "tests/lab/faulty_engine.py"))
AS_A_UNIT = ("--quiet", "--collect", "--property=TimeoutStopSec=60", "--property=KillMode=process")
ENDS = ["power_cut", pytest.param("reboot", marks=pytest.mark.slow)]
"""By default the ruder of the two; a reboot gives the engine time to take back by itself."""
EVERY = 12
"""Without ``--slow`` a run is cut off after every twelfth record."""
LAST = 3
"""Before so many records from the end a run still looks whether it shall stop; behind that it is complete."""


@dataclass(frozen=True)
class Whole:
    """What a host is like when nothing is half done."""

    files: Snapshot
    neighbours: tuple[str, ...]

    @classmethod
    def of(cls, host: BootedHost) -> Whole:
        """Look at a host."""
        return cls(host.snapshot(), ways.neighbour_answers(host))

    def compare(self, host: BootedHost) -> None:
        """Check that the host is like that again."""
        assert ways.untouched(self.files, host) == {}
        assert ways.neighbour_answers(host) == self.neighbours


def register(host: BootedHost) -> tuple[str, int]:
    """Make a run of the answers; return its id and the number of its records."""
    identity = host.output([*ENGINE, "register", ways.ANSWERS]).strip()
    return identity, int(host.output([*ENGINE, "count", identity]))


def cut_off(host: BootedHost, how: str, *arguments: str) -> None:
    """Start an engine as systemd does, wait until it holds at its record, and end the host."""
    host.output(["systemd-run", *AS_A_UNIT, "--", *ENGINE, *arguments])
    until(lambda: host.exists("/run/held"), "the record at which the engine holds")
    getattr(host, how)()


def results(host: BootedHost) -> list[str]:
    """Return how each run ended."""
    return [run["result"] for run in json.loads(host.tool("history", "--json").stdout)]


def property_of(host: BootedHost, unit: str, name: str) -> str:
    """Return what systemd says of a unit."""
    return host.output(["systemctl", "show", "--value", f"--property={name}", unit]).strip()


@pytest.mark.parametrize("how", ENDS)
def test_apply_is_cut_off(booted: BootedHost, how: str, request: pytest.FixtureRequest) -> None:
    """Anywhere in a run: files back before nginx starts, the rest once the host is up, and the run has its end."""
    host = booted
    ways.prepare(host, None, "srv")
    whole = Whole.of(host)
    _, records = register(host)
    step = 1 if request.config.getoption("--slow") else EVERY
    places = range(step, records - LAST + 1, step)
    for last in places:
        identity, _ = register(host)
        cut_off(host, how, "hold", identity, str(last))
        assert '"result":"taken-back"' in host.read(f"/var/lib/palpo-installer/runs/{identity}/journal.jsonl"), last
        whole.compare(host)
        # A host that goes down in order has put the files back already.
        ends = host.read(f"/var/lib/palpo-installer/runs/{identity}/events.jsonl").count('"kind": "ended"')
        assert ends == (3 if how == "reboot" else 2)
        ended = int(property_of(host, UNITS[0], "ExecMainExitTimestampMonotonic"))
        assert 0 < ended < int(property_of(host, "nginx", "ExecMainStartTimestampMonotonic"))
        host.output(["rm", "-rf", "/etc/palpo-installer"])
    assert set(results(host)) == {"never began", "taken-back"}
    assert results(host).count("taken-back") == len(places)


@pytest.mark.parametrize("how", ENDS)
def test_a_rollback_is_cut_off(booted: BootedHost, how: str) -> None:
    """It goes on after the boot, to its own end."""
    host = booted
    ways.prepare(host, None, "well-known")
    whole = Whole.of(host)
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    cut_off(host, how, "hold-back", "0001", "9")
    whole.compare(host)
    assert results(host) == ["rolled-back"]
    assert host.run(["systemctl", "is-active", "palpo-installer-renew.timer"]).returncode != 0


@pytest.mark.parametrize("how", ENDS)
def test_an_nginx_that_was_stopped_is_stopped_again(booted: BootedHost, how: str) -> None:
    """The run had started and enabled it: a boot starts it with the files as they were, and stops it."""
    host = booted
    ways.prepare(host, None, "well-known")
    host.output(["systemctl", "disable", "--now", "nginx"])
    before = host.snapshot()
    identity, records = register(host)
    cut_off(host, how, "hold", identity, str(records - LAST))
    assert results(host) == ["taken-back"]
    assert ways.untouched(before, host) == {}
    assert property_of(host, "nginx", "ActiveState") == "inactive"
    assert property_of(host, "nginx", "UnitFileState") == "disabled"


@pytest.mark.parametrize("how", ENDS)
def test_palpo_starts_with_its_file_as_it_was(booted: BootedHost, how: str) -> None:
    """A change of palpo.toml is cut off after the restart: Palpo serves with the old file, and the first run stands."""
    host = booted
    install_palpo(host)
    ways.prepare(host, None, "well-known")
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    host.output(["systemctl", "enable", "--now", "palpo"])
    host.until_listening(8008)
    whole = Whole.of(host)
    host.write(ways.ANSWERS, ways.answers(None, "well-known", homeserver='registration = "open"'), 0o600)
    identity, records = register(host)
    cut_off(host, how, "hold", identity, str(records - LAST))
    assert results(host) == ["applied", "taken-back"]
    whole.compare(host)
    assert "allow_registration = true" not in host.read("/etc/palpo/palpo.toml")
    assert "200 OK" in ways.fetch(host, "http://127.0.0.1:8008/healthz")
    assert "Palpo-Installer:" in ways.fetch(
        host, "https://matrix.example.com/.well-known/palpo-installer", "--insecure"
    )
    assert host.tool("plan", "--exit-code", "--answers", ways.ANSWERS).returncode == 3


def test_a_boot_without_an_open_run_starts_nothing(booted: BootedHost) -> None:
    """A run that has its end leaves both units where they are: systemd looks for one file, and starts no program."""
    host = booted
    ways.prepare(host, None, "well-known")
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    host.reboot()
    for unit in UNITS:
        assert property_of(host, unit, "UnitFileState") == "enabled"
        assert property_of(host, unit, "ConditionResult") == "no"
        assert property_of(host, unit, "ExecMainStartTimestampMonotonic") == "0"
    assert results(host) == ["applied"]
