"""Programs of the made-up host: they answer, or it is said why not, and none outlives its block."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from palpo_installer.answers import Address
from palpo_installer.demo import programs
from palpo_installer.demo.premises import Premises
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.probe import Question, ask
from tests.lab.running import until
from tests.ports import free_port

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


@pytest.fixture
def made_up(tmp_path: Path) -> Premises:
    """A host with a place for logs."""
    (tmp_path / "var/log").mkdir(parents=True)
    return Premises(Host(Layout(tmp_path, private=True)), 0, Address("127.0.0.1", 0))


def test_a_program_answers_in_its_block_and_is_gone_after_it(made_up: Premises, tmp_path: Path) -> None:
    """By its number, also when the block ends in an error."""
    at = Address("127.0.0.1", free_port())
    numbers = []

    def fail() -> None:
        with programs.running(made_up, programs.stranger(at.port, tmp_path), at) as pid:
            numbers.append(pid)
            assert ask(Question(at.host, at.port, tls=False)).status == 200
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not psutil.pid_exists(numbers[0])


def test_a_program_that_does_not_answer_is_told_with_its_last_words(made_up: Premises) -> None:
    """What it wrote is in the sentence; a program that is not there is one too."""
    dying = (sys.executable, "-c", "raise SystemExit('no such port')")
    for argv, words in ((dying, "no such port"), (("/no/such/program",), "cannot be started")):
        with (
            pytest.raises(HostError, match=words),
            programs.running(made_up, argv, Address("127.0.0.1", free_port())),
        ):
            pass


def test_one_that_does_not_listen_to_reason_is_killed(made_up: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time it has to end by itself."""
    monkeypatch.setattr(programs, "PATIENCE", 0.2)
    log = made_up.layout.at("/var/log") / f"{Path(sys.executable).name}.log"
    with programs.running(made_up, (sys.executable, "-c", STUBBORN)) as pid:
        until(lambda: log.read_text() != "", "its first word")
    assert not psutil.pid_exists(pid)


def test_only_the_engines_of_this_host_are_ended(tmp_path: Path) -> None:
    """Those of another made-up host, or of this machine, go on."""
    argv = (sys.executable, "-c", "import time; time.sleep(60)", "palpo_installer", "--root")
    with subprocess.Popen([*argv, str(tmp_path)]) as ours, subprocess.Popen([*argv, f"{tmp_path}-2"]) as other:
        programs.end_engines(tmp_path)
        assert (psutil.pid_exists(ours.pid), other.poll()) == (False, None)
        other.kill()


def test_what_is_no_nginx_is_said(tmp_path: Path) -> None:
    """A program of that name that tells no version."""
    with pytest.raises(HostError, match="could be read"):
        programs.build_of(Host(), tmp_path / "nginx")
