"""A change that takes itself back unless it is confirmed, on real hosts: kept, not kept, stopped, killed, cut off."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime

import pytest

from tests.lab import ways
from tests.lab.booted import BootedHost
from tests.lab.hosts import LabHost, ThrowAwayHost
from tests.lab.running import Running, until
from tests.lab.test_lost_terminal import connect, terminal

RUN = "/var/lib/palpo-installer/runs/0001"
ENGINE = "palpo_installer run 0001"
APPLY = ("apply", "--answers", ways.ANSWERS, "--yes", "--confirm-within")
NOT_DONE = "Not done, and everything is as it was before."


def applying(host: LabHost, seconds: int) -> Running:
    """Start an apply and wait until it waits to be confirmed, with everything applied."""
    running = host.start([*host.command, *APPLY, str(seconds)])
    until(lambda: "It takes itself back at" in running.said() or not running.alive, "the question")
    assert running.alive, running.said()
    return running


def history(host: LabHost) -> dict[str, object]:
    """Return what is known of the last run."""
    last: dict[str, object] = json.loads(host.tool("history", "--json").stdout)[-1]
    return last


def marker(host: LabHost) -> bool:
    """Whether the new site answers."""
    url = "https://matrix.example.com/.well-known/palpo-installer"
    return "Palpo-Installer:" in host.run(["curl", "--silent", "--insecure", "--include", url]).stdout


def test_a_change_is_confirmed(nginx: ThrowAwayHost) -> None:
    """The result is seen and the site served before; others are told what holds the lock; then it stays."""
    host = nginx
    ways.prepare(host, None, "well-known")
    running = applying(host, 600)
    assert "What the outside sees" in running.said()
    assert " checks: " in running.said()
    assert marker(host)
    for command in ("apply --yes", "renew", "rollback --yes", "recover"):
        refused = host.tool(*command.split())
        assert refused.returncode == 7, refused.stdout + refused.stderr
        assert "run 0001 is applied and not confirmed. It takes itself back at" in refused.stderr
        assert "palpo-installer confirm" in refused.stderr
    assert "Run 0001 waits to be confirmed. It takes itself back at" in host.tool("plan").stderr
    assert "waits to be confirmed, and takes itself back at" in host.tool("history").stdout
    assert history(host)["unconfirmed_until"]
    confirmed = host.tool("confirm")
    assert confirmed.returncode == 0, confirmed.stdout + confirmed.stderr
    first = running.wait()
    for said in (confirmed.stdout, first.stdout):
        assert "Done: the changes are made and proven." in said
    assert first.returncode == 0
    assert "What the outside sees" in host.read(f"{RUN}/result.txt")
    again = host.tool("confirm")
    assert (again.returncode, again.stdout) == (0, "Nothing to confirm: no run is waiting for it.\n")
    assert host.tool("plan", "--exit-code").returncode == 0


def test_a_change_is_not_confirmed(nginx: ThrowAwayHost) -> None:
    """It takes itself back byte for byte at the deadline, says why, and a late confirmation is told so."""
    host = nginx
    ways.prepare(host, None, "srv")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    begun = time.monotonic()
    running = applying(host, 10)
    refused = running.wait()
    assert time.monotonic() - begun > 10
    assert refused.returncode == 1
    assert "FAIL  was not confirmed within 10 seconds" in refused.stdout
    assert NOT_DONE in refused.stdout
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours
    late = host.tool("confirm")
    assert late.returncode == 1
    assert "run 0001: too late: it was taken back" in late.stderr
    assert history(host)["cause"] == "was not confirmed within 10 seconds"


def test_a_change_that_is_still_being_applied_is_not_confirmed_in_advance(nginx: ThrowAwayHost) -> None:
    """Nobody has seen the result: refused with exit code 7, and the run waits all the same; Ctrl-C takes it back."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    running = host.start([*host.command, *APPLY, "600"])
    until(lambda: bool(host.processes(ENGINE)), "the engine")
    engine = host.processes(ENGINE)[-1]
    # The journal, not what a viewer says, which may come late; it stays there, however long the other command takes.
    until(lambda: host.exists(f"{RUN}/journal.jsonl"), "the first record")
    engine.suspend()
    refused = host.tool("confirm")
    engine.resume()
    assert refused.returncode == 7, refused.stdout + refused.stderr
    assert "there is no result yet that could be confirmed" in refused.stderr
    until(lambda: "It takes itself back at" in running.said(), "the question")
    running.signal(signal.SIGINT)
    ended = running.wait()
    assert ended.returncode == 1
    assert "stopped on request" in ended.stdout
    assert ways.untouched(before, host) == {}


def test_an_engine_that_is_killed_while_it_waits_is_followed_by_another(nginx: ThrowAwayHost) -> None:
    """Without systemd the shell that started it starts one that takes back; a viewer sees that to its end."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    running = applying(host, 600)
    host.process(ENGINE).kill()
    ended = running.wait()
    assert ended.returncode == 1
    assert NOT_DONE in ended.stdout
    until(lambda: not host.processes(ENGINE), "the end of the engine")
    assert ways.untouched(before, host) == {}
    assert history(host)["cause"] == "the run was cut off before it was confirmed"


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("n", 1)])
def test_the_question_is_answered_on_a_terminal(nginx: ThrowAwayHost, typed: str, code: int) -> None:
    """--yes does not answer it; yes keeps the change, no takes it back at once; what was typed before is nothing."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    with terminal(host, [*host.command, *APPLY, "600"]) as visit:
        visit.expect("Run 0001")
        visit.type(typed)
        visit.answer("Keep this change? [y/N]:", "what?")
        visit.answer("Keep this change? [y/N]:", typed)
        assert visit.wait(60) == code
        assert ("Done: the changes are made and proven." if code == 0 else NOT_DONE) in visit.said
    assert (ways.untouched(before, host) == {}) is (code == 1)


@pytest.mark.slow
@pytest.mark.parametrize("early", [0.6, 0.2, 0.1, 0.0, -0.1])
def test_confirmed_at_the_last_moment(nginx: ThrowAwayHost, early: float) -> None:
    """Around the deadline exactly one of the two happens, and both viewers and the host say the same."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    running = applying(host, 10)
    deadline = datetime.fromisoformat(str(history(host)["unconfirmed_until"])).timestamp()
    script = (
        "import sys, time; from palpo_installer.commands.following import keep; "
        "from palpo_installer.errors import InstallerError; from palpo_installer.host import Host\n"
        f"time.sleep({deadline - early!r} - time.time())\n"
        "try: sys.exit(keep(Host()))\n"
        "except InstallerError as error: sys.exit(error.exit_code)"
    )
    second = host.run([host.python, "-c", script])
    first = running.wait()
    assert first.returncode in {0, 1}
    assert second.returncode == first.returncode, second.stdout + second.stderr
    assert ("Done." in first.stdout) is (first.returncode == 0)
    assert (ways.untouched(before, host) == {}) is (first.returncode == 1)
    assert marker(host) is (first.returncode == 0)
    print(f"{early:+} s: exit code {first.returncode}")  # noqa: T201


@pytest.mark.slow
@pytest.mark.booted
@pytest.mark.parametrize("by", ["a kill of the client", "hanging up"])
def test_the_connection_is_lost_while_it_waits(booted: BootedHost, by: str) -> None:
    """Nobody logs in again: at the deadline the host is as before. --yes over SSH confirms nothing."""
    host = booted
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    with connect(host, f"palpo-installer {' '.join(APPLY)} 20") as visit:
        visit.expect("Keep this change? [y/N]:", 120)
        assert marker(host)
        if by == "hanging up":
            visit.hang_up()
        else:
            host.outside.process(f"{' '.join(APPLY)} 20").kill()
        until(lambda: '"record":"end"' in host.read(f"{RUN}/journal.jsonl"), "the end of the run")
    assert history(host)["cause"] == "was not confirmed within 20 seconds"
    assert ways.untouched(before, host) == {}
    assert not marker(host)


@pytest.mark.slow
@pytest.mark.booted
def test_systemd_starts_an_engine_that_was_killed(booted: BootedHost) -> None:
    """SIGKILL while it waits, and nobody watches: systemd starts it again, it takes back, and its unit is gone."""
    host = booted
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    applying(host, 600).signal(signal.SIGKILL)
    host.process(ENGINE).kill()
    until(lambda: '"record":"end"' in host.read(f"{RUN}/journal.jsonl"), "the end of the run")
    assert history(host)["cause"] == "the run was cut off before it was confirmed"
    assert ways.untouched(before, host) == {}
    units = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "palpo-installer-run-*"]
    until(lambda: not host.output(units), "the end of the unit")


@pytest.mark.slow
@pytest.mark.booted
@pytest.mark.parametrize("how", ["reboot", "power_cut"])
def test_the_host_goes_down_while_it_waits(booted: BootedHost, how: str) -> None:
    """After the boot, without a login, the host is as before and the run has its end."""
    host = booted
    ways.prepare(host, None, "well-known")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    applying(host, 600)
    getattr(host, how)()
    assert history(host)["result"] == "taken-back"
    assert history(host)["cause"] == "the run was cut off before it was confirmed"
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours
    assert not marker(host)
