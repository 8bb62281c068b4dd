"""ufw itself, with packets from another machine: opened where asked for, and closed again with nothing else changed."""

from __future__ import annotations

import json

import pytest

from palpo_installer.operations.ufw import AllowUfwPort
from tests.lab import services, setting_runs, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.outsider import Outsider

OPEN, FILTERED = ("open", "open"), ("filtered", "filtered")


def rules(host: ThrowAwayHost) -> str:
    """Return every rule of the packet filter, without times and counters."""
    return host.output(["sh", "-c", services.RULES])


@pytest.fixture
def guarded(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host with nginx, whose ufw lets in 22, and with a rule of somebody else's beside it."""
    services.start_nginx(host)
    services.start_ufw(host, 22)
    host.output(["iptables", "-I", "INPUT", "-s", "203.0.113.9", "-j", "DROP"])
    return host


def answer(host: ThrowAwayHost, delegation: str, firewall: str) -> None:
    """Put answers on the host that need no authority."""
    host.write(ways.ANSWERS, ways.answers(None, delegation) + f'[host]\nfirewall = "{firewall}"\n', 0o600)


def complete(host: ThrowAwayHost, *ports: int) -> None:
    """Let a run open ports."""
    identity = setting_runs.register(host, [AllowUfwPort(port) for port in ports])
    assert setting_runs.engine(host, "kill", identity, "99") == 0


def test_a_port_is_opened_in_ufw_and_closed_again(guarded: ThrowAwayHost) -> None:
    """Filtered before, open for both families, filtered after a rollback; a rule that one family had stays."""
    host, outsider = guarded, Outsider(guarded)
    host.output(["ufw", "allow", "proto", "tcp", "from", "0.0.0.0/0", "to", "any", "port", "443"])
    before, filter_before = host.snapshot(), rules(host)
    assert [outsider.finds(port) for port in (80, 443)] == [FILTERED, ("open", "filtered")]
    complete(host, 80, 443)
    assert [outsider.finds(port) for port in (80, 443)] == [OPEN, OPEN]
    rolled_back = host.tool("rollback", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert [outsider.finds(port) for port in (80, 443)] == [FILTERED, ("open", "filtered")]
    assert rules(host) == filter_before
    assert ways.untouched(before, host) == {}


def test_a_kill_while_ufw_works_leaves_no_rule(guarded: ThrowAwayHost) -> None:
    """The command goes on without its engine, and taking back waits for it."""
    before = rules(guarded)
    setting_runs.killed_in_mid_command(guarded, AllowUfwPort(8448), "ufw allow 8448/tcp", "/run/ufw.lock")
    assert rules(guarded) == before


@pytest.mark.slow
def test_a_kill_anywhere_leaves_no_rule(guarded: ThrowAwayHost) -> None:
    """After every record of the journal, and when an undo was cut off between ufw's file and the kernel."""

    def state() -> tuple[str, str]:
        return rules(guarded), guarded.output(["cat", "/etc/ufw/user.rules", "/etc/ufw/user6.rules"])

    before = state()
    assert setting_runs.killed_everywhere(guarded, [AllowUfwPort(8448)], state) == 3
    identity = setting_runs.register(guarded, [AllowUfwPort(8448)])
    assert setting_runs.engine(guarded, "kill", identity, "3") not in {0, 1, 5}
    guarded.output(["sed", "-i", "/8448/d", "/etc/ufw/user.rules"])
    assert guarded.tool("recover").returncode == 0
    assert state() == before


@pytest.mark.slow
def test_the_whole_way_with_ufw(guarded: ThrowAwayHost) -> None:
    """Left alone without being asked; open and then nothing to do; closed with srv given up; as before in the end."""
    host, outsider = guarded, Outsider(guarded)
    answer(host, "srv", "leave")
    before, filter_before = host.snapshot(), rules(host)
    left = json.loads(host.tool("plan", "--answers", ways.ANSWERS, "--json").stdout)
    assert [each for each in left["findings"] if each.endswith("ufw allow 8448/tcp")] != []
    assert not any("firewall" in change["title"] for change in left["changes"])

    answer(host, "srv", "open")
    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert [outsider.finds(port) for port in (80, 443, 8448)] == [OPEN, OPEN, OPEN]
    assert host.tool("apply", "--yes").stdout.startswith("Nothing to do")

    answer(host, "well-known", "leave")
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    assert [outsider.finds(port) for port in (443, 8448)] == [OPEN, FILTERED]
    assert host.tool("rollback", "--yes").returncode == 0
    assert outsider.finds(8448) == OPEN
    # What somebody else closed since stays closed, and does not stop the way back.
    host.output(["ufw", "delete", "allow", "80/tcp"])
    assert host.tool("rollback", "0001", "--yes").returncode == 0
    assert [outsider.finds(port) for port in (80, 443)] == [FILTERED, FILTERED]
    assert rules(host) == filter_before
    assert ways.untouched(before, host) == {}
