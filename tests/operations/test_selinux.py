"""The boolean of SELinux on a kernel that has it: two values, which a kill may leave apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import HostError, NotPutBack
from palpo_installer.facts.selinux import BOOLEANS
from palpo_installer.operations.base import State, Workbench
from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.selinux import SetBoolean
from tests.benches import workbench
from tests.scripted import ScriptedHost

RELAY = SetBoolean("httpd_can_network_relay")


class Policy(ScriptedHost):
    """A kernel and a store with one boolean; no kernel with SELinux can be started here."""

    def __init__(self, root: Path, now: str, lasting: str, *, semanage: bool = True, stubborn: bool = False) -> None:
        super().__init__(self.obey, root)
        self.now, self.semanage, self.stubborn = now, semanage, stubborn
        self.store = self.layout.at("/var/lib/selinux/targeted/active/booleans.local")
        self.store.parent.mkdir(parents=True)
        self.keep(lasting)

    @property
    def is_root(self) -> bool:
        """The store is root's."""
        return True

    @property
    def values(self) -> tuple[str, str]:
        """The value now and the lasting one."""
        return self.now, "on" if "=1" in self.store.read_text() else "off"

    def keep(self, word: str) -> None:
        """Write the lasting value."""
        self.store.write_text(f"{RELAY.name}={'1' if word == 'on' else '0'}\n")

    def text(self, path: Path) -> str | None:
        """Return the kernel's file of the boolean."""
        return ("1 1" if self.now == "on" else "0 0") if path == BOOLEANS / RELAY.name else super().text(path)

    def obey(self, command: str) -> str:
        """Answer like semanage and setsebool."""
        if command.startswith("semanage boolean"):
            return f"{RELAY.name}  ({self.now} , {self.values[1]})  Relay" if self.semanage else "!not there"
        if not self.stubborn:
            self.now = command.rpartition("=")[2]
            if " -P " in command:
                self.keep(self.now)
        return ""

    def sets(self) -> list[str]:
        """Return the commands that set something."""
        return [command for command in self.commands if command.startswith("setsebool")]


def bench_of(host: Policy) -> Workbench:
    """Return a workbench on that host."""
    return replace(workbench(host.layout.root), host=host)


@pytest.mark.parametrize("semanage", [True, False])
@pytest.mark.parametrize("was", [("off", "off"), ("off", "on"), ("on", "off")])
def test_both_values_come_back(tmp_path: Path, was: tuple[str, str], semanage: bool) -> None:
    """Whatever they were; with semanage, and from the store's own file without it."""
    host = Policy(tmp_path, *was, semanage=semanage)
    bench = bench_of(host)
    before = RELAY.prepare(bench, 0)
    assert RELAY.observe(bench, before) is State.BEFORE
    RELAY.act(bench, before)
    RELAY.act(bench, before)
    assert (host.values, RELAY.observe(bench, before)) == (("on", "on"), State.AFTER)
    assert host.sets() == ["setsebool -P httpd_can_network_relay=on"]
    RELAY.undo(bench, before)
    RELAY.undo(bench, before)
    assert (host.values, RELAY.observe(bench, before)) == (was, State.BEFORE)


@pytest.mark.parametrize("half", [("on", "off"), ("off", "on")])
def test_a_half_that_a_kill_left_is_taken_back(tmp_path: Path, half: tuple[str, str]) -> None:
    """The command sets two values; whichever came first goes back."""
    host = Policy(tmp_path, "off", "off")
    bench = bench_of(host)
    before = RELAY.prepare(bench, 0)
    host.now = half[0]
    host.keep(half[1])
    assert RELAY.observe(bench, before) is State.AFTER
    RELAY.undo(bench, before)
    assert host.values == ("off", "off")


def test_what_was_on_before_stays_on(tmp_path: Path) -> None:
    """Somebody else's boolean is not ours to switch off; one that somebody switched off since is left off."""
    host = Policy(tmp_path, "on", "on")
    bench = bench_of(host)
    before = RELAY.prepare(bench, 0)
    RELAY.act(bench, before)
    RELAY.undo(bench, before)
    assert (host.values, host.sets()) == (("on", "on"), [])
    host.now = "off"
    host.keep("off")
    RELAY.undo(bench, before)
    assert (host.values, host.sets()) == (("off", "off"), [])


def test_an_exit_code_is_no_proof(tmp_path: Path) -> None:
    """A setsebool that ends with 0 and sets nothing fails the run; one that does not set back is told."""
    host = Policy(tmp_path, "off", "off", stubborn=True)
    bench = bench_of(host)
    before = RELAY.prepare(bench, 0)
    with pytest.raises(HostError, match="did not bring it about"):
        RELAY.act(bench, before)
    host.keep("on")
    with pytest.raises(NotPutBack, match="Try this command yourself"):
        RELAY.undo(bench, before)


@pytest.mark.parametrize("half", [("on", "off"), ("off", "on"), ("off", "off"), ("on", "on")])
def test_a_withdrawal_is_taken_back_whole(tmp_path: Path, half: tuple[str, str]) -> None:
    """Both values are on again, wherever a kill cut the withdrawal off."""
    host = Policy(tmp_path, "off", "off")
    bench = bench_of(host)
    found = RELAY.prepare(bench, 0)
    RELAY.act(bench, found)
    withdraw = Withdraw(RELAY, {key: str(value) for key, value in found.items()}, "0001")
    before = withdraw.prepare(bench, 0)
    host.now = half[0]
    host.keep(half[1])
    withdraw.undo(bench, before)
    assert host.values == ("on", "on")
