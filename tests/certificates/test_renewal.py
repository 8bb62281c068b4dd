"""The units and the cron job, read by those who will run them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from palpo_installer.certificates import renewal
from palpo_installer.layout import Layout

COMMAND = Path("/opt/palpo-installer/bin/palpo-installer")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """systemd-analyze finds nothing to say about them."""
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing; apt-get install systemd"
    layout = Layout()
    texts = {
        renewal.service_path(layout).name: renewal.service(layout, Path("/bin/true")),
        renewal.timer_path(layout).name: renewal.timer(layout),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in texts]
    checked = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_timer_runs_twice_a_day_and_catches_up() -> None:
    """Its calendar comes round every twelve hours, spread over hosts, and a host that was off makes up for it."""
    text = renewal.timer(Layout())
    calendar = re.search(r"^OnCalendar=(.*)$", text, re.MULTILINE)
    assert calendar is not None
    argv = ["systemd-analyze", "calendar", "--iterations=2", "--base-time=2026-01-01 01:00:00 UTC", calendar[1]]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin"})
    assert "2026-01-01 12:00:00 UTC" in said.stdout
    assert "2026-01-02 00:00:00 UTC" in said.stdout
    assert "RandomizedDelaySec=3h" in text
    assert "Persistent=true" in text


def test_the_service_renews_this_host_only() -> None:
    """A layout below a directory is renewed there, and odd paths reach systemd unharmed."""
    assert f"ExecStart={COMMAND} renew\n" in renewal.service(Layout(), COMMAND)
    text = renewal.service(Layout(root=Path("/srv/a copy 100%")), COMMAND)
    assert f'ExecStart={COMMAND} --root "/srv/a copy 100%%" renew\n' in text
    assert "ConditionPathExists=/srv/a copy 100%%/etc/palpo-installer/answers.toml\n" in text


def test_an_order_under_way_survives_a_stop() -> None:
    """Stopping the unit ends the command and not the order that it waits for."""
    assert "KillMode=process\n" in renewal.service(Layout(), COMMAND)


@pytest.mark.parametrize("name", ["example.com", "matrix.example.org", "a"])
def test_cron_runs_it_twice_a_day_as_root(name: str) -> None:
    """The line has a minute, two hours twelve apart, the user and a command that cron passes on whole."""
    text = renewal.cron(Layout(root=Path("/srv/100%")), COMMAND, name)
    assert text.endswith("\n")
    (line,) = [line for line in text.splitlines() if line[:1].isdigit()]
    minute, hours, *days, user, command = line.split(" ", 6)
    early, late = map(int, hours.split(","))
    assert 0 <= int(minute) < 60
    assert 0 <= early < 12
    assert late - early == 12
    assert days == ["*", "*", "*"]
    assert user == "root"
    assert not re.search(r"(?<!\\)%", command)
    assert command.replace(r"\%", "%").endswith(f"&& {COMMAND} --root /srv/100% renew")


def test_cron_is_spread_over_hosts_and_stays() -> None:
    """Two servers get two times, one server always the same."""
    first = renewal.cron(Layout(), COMMAND, "example.com")
    assert first == renewal.cron(Layout(), COMMAND, "example.com")
    assert first != renewal.cron(Layout(), COMMAND, "example.org")
    assert "PATH=/usr/local/sbin:" in first
