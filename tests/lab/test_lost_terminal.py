"""The connection is lost in the middle of apply: the run goes on to its end, and what comes next shows how it ended."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from tests.lab import ways
from tests.lab.booted import BootedHost
from tests.lab.hosts import ADDRESS4, LabHost, ThrowAwayHost
from tests.lab.running import ENVIRONMENT, require_programs, until
from tests.terminals import Dialogue

JOURNAL = "/var/lib/palpo-installer/runs/0001/journal.jsonl"
KEY = "/root/.ssh/lab"
QUIET = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
IN_THE_MIDDLE = "  done  link"


def terminal(host: LabHost, argv: Sequence[str]) -> Dialogue:
    """Start a program on a host in a terminal of its own."""
    return Dialogue(argv, ENVIRONMENT, within=["nsenter", "--target", str(host.pid), "--all", "--"])


def has_ended(host: LabHost) -> bool:
    """Whether the journal of the first run has its last record."""
    return '"record":"end"' in host.read(JOURNAL)


def lose(host: LabHost, visit: Dialogue, cut: Callable[[], object]) -> None:
    """Cut a terminal off once the run has made its first changes, and wait for the end of the run."""
    visit.expect(IN_THE_MIDDLE, 120)
    assert not has_ended(host)
    cut()
    until(lambda: has_ended(host), "the end of the run", 120)


def apply_in_plain_mode(visit: Dialogue, choice: str = "1") -> None:
    """Go through the questions with their answers of the file, and say yes."""
    visit.take_defaults()
    visit.answer("Number:", choice)


def is_complete(host: LabHost) -> None:
    """Check that everything is applied and served, and that ``attach`` and the next start show so."""
    attached = host.tool("attach")
    assert attached.returncode == 0, attached.stdout + attached.stderr
    assert "Done: the changes are made and proven." in attached.stdout
    assert host.tool("plan", "--exit-code").returncode == 0
    assert "Palpo-Installer:" in ways.fetch(
        host, "https://matrix.example.com/.well-known/palpo-installer", "--insecure"
    )
    with terminal(host, [*host.command, "--plain"]) as visit:
        assert "Last run: 0001" in visit.expect("Done: the changes are made and proven.")


def connect(booted: BootedHost, command: str) -> Dialogue:
    """Open an SSH connection with a terminal from the host around the booted one, and start a command in it."""
    require_programs("ssh", "ssh-keygen")
    outside = booted.outside
    outside.output(["mkdir", "-p", "/root/.ssh"])
    outside.output(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEY])
    booted.write("/root/.ssh/authorized_keys", outside.read(f"{KEY}.pub"), 0o600)
    booted.output(["systemctl", "start", "ssh"])
    booted.until_listening(22)
    ssh = ["ssh", "-F", "/dev/null", "-tt", "-i", KEY, *QUIET, f"root@{ADDRESS4}", command]
    return terminal(outside, ssh)


@pytest.mark.booted
@pytest.mark.parametrize("cut", [signal.SIGKILL, signal.SIGHUP])
def test_an_ssh_connection_is_cut(booted: BootedHost, cut: signal.Signals) -> None:
    """The client dies, at once or by a signal, in the middle of apply in plain mode: nothing is lost."""
    ways.prepare(booted, None, "well-known")
    with connect(booted, f"palpo-installer --plain --answers {ways.ANSWERS}") as visit:
        # Over SSH the first choice is a change that takes itself back unless it is confirmed.
        apply_in_plain_mode(visit, "2")
        client = booted.outside.output(["pgrep", "--full", "^ssh -F"]).strip()
        lose(booted, visit, partial(booted.outside.output, ["kill", f"-{cut.name[3:]}", client]))
    until(lambda: booted.run(["pgrep", "--full", "installer --plain"]).returncode == 1, "the end of the viewer")
    is_complete(booted)


@pytest.mark.booted
def test_the_command_outlives_its_connection_too(booted: BootedHost) -> None:
    """``apply --yes`` over SSH is cut off the same way, and ends the same way."""
    ways.prepare(booted, None, "well-known")
    with connect(booted, f"palpo-installer apply --answers {ways.ANSWERS} --yes") as visit:
        lose(booted, visit, visit.hang_up)
    is_complete(booted)


@pytest.mark.parametrize("mode", ["plain", "command"])
def test_a_terminal_is_taken_away(nginx: ThrowAwayHost, mode: str) -> None:
    """Without systemd: the terminal goes, its session gets SIGHUP, and the engine in its own session finishes."""
    ways.prepare(nginx, None, "well-known")
    words = ["--plain"] if mode == "plain" else ["apply", "--yes"]
    with terminal(nginx, [*nginx.command, *words, "--answers", ways.ANSWERS]) as visit:
        if mode == "plain":
            apply_in_plain_mode(visit)
        lose(nginx, visit, visit.hang_up)
    is_complete(nginx)


def test_a_viewer_that_is_ended_leaves_the_run_alone(nginx: ThrowAwayHost) -> None:
    """SIGTERM to plain mode: the run goes on, and it says how to follow it; another terminal asks to take back."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    with terminal(host, [*host.command, "--plain", "--answers", ways.ANSWERS]) as visit:
        apply_in_plain_mode(visit)
        visit.expect(IN_THE_MIDDLE)
        host.process(f"--plain --answers {ways.ANSWERS}").terminate()
        visit.expect("To follow it: palpo-installer attach")
        with terminal(host, [*host.command, "--plain"]) as other:
            other.answer("Follow it? [yes]:", "")
            other.expect("Run 0001")
            other.press(b"\x03")
            assert other.wait(120) == 1
            assert "everything is as it was before" in other.said
        assert visit.wait() == 143
    assert ways.untouched(before, host) == {}
