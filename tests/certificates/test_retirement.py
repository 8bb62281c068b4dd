"""The end of the renewal timer, and its return."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.certificates.retirement import RetireTimer
from palpo_installer.certificates.timer import ActivateTimer
from palpo_installer.errors import GateFailed
from palpo_installer.host import Host
from palpo_installer.serialization import dump, load
from tests.benches import workbench
from tests.certificates.test_timer import Systemd
from tests.scripted import ScriptedHost

RETIRE = RetireTimer("systemd")


def test_a_timer_is_stopped_and_forgotten_and_comes_back(tmp_path: Path) -> None:
    """Neither active nor linked afterwards; taken back it is both, also a second time."""
    systemd = Systemd(tmp_path)
    bench = replace(workbench(tmp_path), host=systemd.host)
    ActivateTimer("systemd").activate(bench, ActivateTimer("systemd").prepare(bench))
    before = RETIRE.prepare(bench)
    RETIRE.activate(bench, before)
    assert systemd.state() == "stopped"
    assert not systemd.stamp.exists()
    for _ in range(2):
        RETIRE.restore(bench, before)
        assert systemd.state() == "active and linked"


def test_one_that_somebody_had_stopped_stays_so(tmp_path: Path) -> None:
    """Taking back brings what was there, not what we would have liked."""
    systemd = Systemd(tmp_path)
    bench = replace(workbench(tmp_path), host=systemd.host)
    before = RETIRE.prepare(bench)
    RETIRE.activate(bench, before)
    RETIRE.restore(bench, before)
    assert systemd.state() == "stopped"


def test_a_timer_that_goes_on_is_a_failure(tmp_path: Path) -> None:
    """Whatever systemctl's exit code says."""
    systemd = Systemd(tmp_path)
    systemd.active = True
    deaf = ScriptedHost(lambda command: "" if " stop " in command else systemd.answer(command), tmp_path)
    bench = replace(workbench(tmp_path), host=deaf)
    with pytest.raises(GateFailed, match="still waits for its next time"):
        RETIRE.activate(bench, RETIRE.prepare(bench))


def test_it_shows_itself_and_travels() -> None:
    """With its own words, and as itself through JSON."""
    assert RETIRE.describe(Host()).title == "Stop and disable palpo-installer-renew.timer"
    assert load(dump(RETIRE), RetireTimer) == RETIRE
