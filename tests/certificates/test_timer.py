from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.certificates.timer import TIMER, ActivateTimer, Before, StopTimer
from palpo_installer.errors import GateFailed, NotPutBack
from palpo_installer.host import Host
from palpo_installer.operations.base import Json, Workbench
from palpo_installer.serialization import dump, load
from tests.benches import workbench
from tests.scripted import ScriptedHost


class Systemd:
    """What systemd knows of one timer, and the files that it makes for it."""

    def __init__(self, root: Path) -> None:
        self.link = root / "etc/systemd/system/timers.target.wants" / TIMER
        self.stamp = root / "var/lib/systemd/timers" / f"stamp-{TIMER}"
        self.active = False
        self.next_time = "Sat 2026-11-21 00:00:00 UTC"
        self.host = ScriptedHost(self.answer, root)

    def answer(self, command: str) -> str:
        """Do as systemctl does."""
        match command.split()[1]:
            case "enable":
                self._touch(self.link)
            case "start" | "restart":
                self.active = True
                self._touch(self.stamp)
            case "stop":
                self.active = False
            case "show" if "NextElapse" in command:
                return f"{self.next_time}\n0\n"
            case "show":
                state = "active" if self.active else "inactive"
                return f"ActiveState={state}\nUnitFileState={'enabled' if self.link.exists() else ''}\n"
        return ""

    def state(self) -> str:
        """Return how the timer stands."""
        return ("active" if self.active else "stopped") + (" and linked" if self.link.exists() else "")

    @staticmethod
    def _touch(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def systemd(tmp_path: Path) -> Systemd:
    """A systemd that knows nothing of the timer."""
    return Systemd(tmp_path)


@pytest.fixture
def bench(tmp_path: Path, systemd: Systemd) -> Workbench:
    """A workbench on its host."""
    return replace(workbench(tmp_path), host=systemd.host)


def prepared(bench: Workbench) -> Json:
    """Return what prepare records, through JSON."""
    recorded: Json = json.loads(json.dumps(ActivateTimer("systemd").prepare(bench)))
    return recorded


def test_a_new_timer_runs_and_leaves_nothing_when_taken_back(systemd: Systemd, bench: Workbench) -> None:
    """Neither link nor note nor a directory that was made for them; a second time changes nothing."""
    before = prepared(bench)
    ActivateTimer("systemd").activate(bench, before)
    assert systemd.state() == "active and linked"
    for _ in range(2):
        ActivateTimer("systemd").restore(bench, before)
        assert systemd.state() == "stopped"
        assert not systemd.link.parent.exists()
        assert not systemd.stamp.parent.exists()
    assert systemd.host.commands[-2].startswith("systemctl daemon-reload")


def test_a_timer_that_ran_before_runs_again(systemd: Systemd, bench: Workbench) -> None:
    """With its link, its note and the file that is back."""
    ActivateTimer("systemd").activate(bench, prepared(bench))
    before = prepared(bench)
    ActivateTimer("systemd").restore(bench, before)
    assert systemd.state() == "active and linked"
    assert systemd.stamp.exists()
    assert f"systemctl restart {TIMER}" in systemd.host.commands


def test_directories_of_others_stay(systemd: Systemd, bench: Workbench) -> None:
    """They were there before, even if empty."""
    systemd.link.parent.mkdir(parents=True)
    before = prepared(bench)
    ActivateTimer("systemd").activate(bench, before)
    ActivateTimer("systemd").restore(bench, before)
    assert systemd.link.parent.is_dir()


def test_a_timer_without_a_next_time_is_no_timer(systemd: Systemd, bench: Workbench) -> None:
    """Enabled and active is not enough."""
    systemd.next_time = "0"
    with pytest.raises(GateFailed, match="no next time"):
        ActivateTimer("systemd").activate(bench, prepared(bench))


def test_a_timer_that_does_not_stop_is_told(systemd: Systemd, bench: Workbench) -> None:
    """What systemd says afterwards decides, not its exit codes."""
    before = prepared(bench)
    ActivateTimer("systemd").activate(bench, before)
    script = systemd.answer
    stubborn = ScriptedHost(lambda command: "" if " stop " in command else script(command), bench.host.layout.root)
    with pytest.raises(NotPutBack, match="disabled and stopped as before, and is disabled and active"):
        ActivateTimer("systemd").restore(replace(bench, host=stubborn), before)


def test_a_failing_command_is_told(bench: Workbench) -> None:
    """With the command as its place."""
    broken = ScriptedHost(lambda command: "!bad unit file setting" if "restart" in command else "")
    with pytest.raises(GateFailed, match="bad unit file setting") as failure:
        ActivateTimer("systemd").activate(replace(bench, host=broken), {})
    assert failure.value.where == f"systemctl restart {TIMER}"


def test_cron_needs_nothing(systemd: Systemd, bench: Workbench) -> None:
    """It reads its directory by itself: no command is run either way."""
    cron = ActivateTimer("cron")
    before = cron.prepare(bench)
    cron.activate(bench, before)
    cron.restore(bench, before)
    assert systemd.host.commands == []
    assert load(dump(cron), ActivateTimer) == cron
    assert "cron" in cron.describe(Host()).title


def test_an_uninstall_stops_it_and_can_be_taken_back(systemd: Systemd, bench: Workbench) -> None:
    """Neither link nor note is left; taken back, it runs and is enabled again; both can be repeated."""
    ActivateTimer("systemd").activate(bench, prepared(bench))
    stop = StopTimer("systemd", Before(enabled=False, active=False, directories=()))
    before: Json = json.loads(json.dumps(stop.prepare(bench)))
    for _ in range(2):
        stop.activate(bench, before)
        assert systemd.state() == "stopped"
        assert not systemd.stamp.exists()
    for _ in range(2):
        stop.restore(bench, before)
        assert systemd.state() == "active and linked"
    assert load(dump(stop), StopTimer) == stop


def test_a_timer_that_goes_on_after_an_uninstall_is_a_failure(systemd: Systemd, bench: Workbench) -> None:
    """So that all is taken back; where cron runs it there is nothing to ask."""
    ActivateTimer("systemd").activate(bench, prepared(bench))
    stop = StopTimer("systemd", Before(enabled=False, active=False, directories=()))
    script = systemd.answer
    stubborn = ScriptedHost(lambda command: "" if " stop " in command else script(command), bench.host.layout.root)
    with pytest.raises(GateFailed, match="is disabled and active"):
        stop.activate(replace(bench, host=stubborn), prepared(bench))
    cron, asked = replace(stop, scheduler="cron"), len(systemd.host.commands)
    cron.activate(bench, cron.prepare(bench))
    cron.restore(bench, {})
    assert len(systemd.host.commands) == asked
