"""The demonstration on a throw-away host: by root and by others, alone and with a person, with and without nginx."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

import pytest

from tests.demo.telling import STEPS, parts
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import ENVIRONMENT, on_a_machine_at_work, until
from tests.lab.screen import Terminal
from tests.lab.test_plain import POOR, door
from tests.terminals import Dialogue

BELOW = ("/etc", "/var/lib", "/usr/local", "/home", "/srv")
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
CLEAN = ("env", "-i", "PATH=/usr/bin:/bin", "HOME=/nowhere")
AFTER_APPLY = STEPS[3:]

FAKE_MANAGER = """\
#!/bin/sh
# Stands for the distribution's: installs what was only hidden.
[ "$1" = install ] || exit 0
mv /usr/sbin/nginx.hidden /usr/sbin/nginx
"""


@pytest.fixture
def machine(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host that only has what it needs, and no trace of an earlier nginx; everybody may run our Python."""
    host.output(["chmod", "o+x", "/root"])
    host.output(["rm", "-rf", "/var/log/nginx"])
    return host


def demo(machine: ThrowAwayHost, prefix: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demonstration without a terminal."""
    return machine.run([*prefix, *CLEAN, *machine.command, "demo", *arguments], timeout=on_a_machine_at_work(120))


def is_alone(machine: ThrowAwayHost) -> bool:
    """Return whether nothing of a demonstration is left: no process, no socket, no file."""
    running = machine.output(["ps", "-e", "-o", "args="])
    files = machine.output(["find", "/tmp", "/var/log", "-name", "palpo*", "-o", "-name", "nginx"])
    ports = {port for _, port in machine.listening()} - {53}
    return not (files or ports or "nginx" in running or "palpo_installer" in running)


@pytest.mark.parametrize(
    "prefix", [pytest.param(AS_NOBODY, id="nobody"), pytest.param((), id="root", marks=pytest.mark.slow)]
)
def test_by_itself_it_shows_everything_and_leaves_nothing(machine: ThrowAwayHost, prefix: Sequence[str]) -> None:
    """In under a minute, without root, terminal, home, network or new privileges; the host is untouched."""
    before, began = machine.snapshot(BELOW), time.monotonic()
    ended = demo(machine, prefix)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert time.monotonic() - began < on_a_machine_at_work(60)
    told = parts(ended.stdout)
    assert tuple(told) == STEPS
    assert all("   proof  " in text for text in told.values())
    failing = [title for title, text in told.items() if "FAIL  " in text]
    assert failing == ["A change that cannot work is taken back"]
    assert "shop.example.org was asked" in told["A change that cannot work is taken back"]
    assert ended.stderr == ""
    assert machine.snapshot(BELOW) == before
    assert is_alone(machine)


def test_a_person_is_led_through_plain_prompts(machine: ThrowAwayHost) -> None:
    """Enter at every question, a number at the review, and the rest goes by itself; meanwhile commands can be tried."""
    before = machine.snapshot(BELOW)
    command = [*AS_NOBODY, *machine.command, "demo"]
    with Dialogue(command, ENVIRONMENT | POOR, within=door(machine)) as visit:
        directory = visit.match(r"DEMO=(\S+)$")[1]
        visit.answer("Enter begins:", "")
        assert visit.take_defaults() <= 12
        assert "You are not root" not in visit.said
        visit.answer("Number:", "1")
        visit.expect(f"To go back: palpo-installer --root {directory}")
        visit.expect("Enter goes on:")
        tried = machine.run([*AS_NOBODY, *machine.command, "--root", directory, "verify"])
        assert tried.returncode == 0, tried.stdout
        visit.type("")
        assert visit.wait(120) == 0
    assert tuple(parts(visit.said))[-len(AFTER_APPLY) :] == AFTER_APPLY
    assert machine.snapshot(BELOW) == before
    assert is_alone(machine)


def test_leaving_the_prompts_shows_that_nothing_was_changed(machine: ThrowAwayHost) -> None:
    """Ctrl-C at a question is no failure of the demonstration, and leaves nothing either."""
    with Dialogue([*machine.command, "demo", "--plain"], ENVIRONMENT, within=door(machine)) as visit:
        visit.answer("Enter begins:", "")
        visit.expect("Answer [example.com]:")
        visit.press(b"\x03")
        visit.expect("Nothing is in force: the host as it was")
        assert visit.wait() == 2
    assert is_alone(machine)


def test_a_person_is_led_through_the_wizard(machine: ThrowAwayHost) -> None:
    """By Enter and F10 alone to the result, on a made-up host that is shown as any other."""
    terminal = Terminal(machine, 100, 30)
    terminal.run([*machine.command, "demo"])
    terminal.until("Enter begins:")
    terminal.press("Enter")
    terminal.until("Who answers now", "shop.example.org", "> Set up Palpo")
    terminal.press("Enter")
    terminal.until("[Names]", "@you:example.com")
    for step in ("[Federation]", "[Certificates]", "[Homeserver]"):
        terminal.press("F10")
        terminal.until(step, "> ")
    terminal.press("F10")
    terminal.until("[Review]", "Accounts are named @user:example.com", timeout=60)
    terminal.press("a")
    terminal.until("Done: the changes are made and proven.", timeout=120)
    terminal.press("q")
    terminal.until("Enter goes on:", timeout=60)
    terminal.press("Enter")
    terminal.until("On a host of your own", timeout=120)
    until(lambda: is_alone(machine), "the end of all processes")
    assert not machine.exists("/var/lib/palpo-installer")


def test_without_nginx_it_says_what_to_install_or_does(machine: ThrowAwayHost) -> None:
    """Exit code 2 with the command; as root without a terminal the option runs it, and the demonstration goes on."""
    machine.output(["mv", "/usr/sbin/nginx", "/usr/sbin/nginx.hidden"])
    machine.write("/usr/local/sbin/apt-get", FAKE_MANAGER, 0o755)
    refused = demo(machine, ())
    assert refused.returncode == 2
    assert "apt-get install --yes --no-install-recommends nginx" in refused.stderr
    assert not machine.exists("/usr/sbin/nginx")
    done = demo(machine, (), "--install-nginx")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Running: apt-get install" in done.stdout
    assert is_alone(machine)
