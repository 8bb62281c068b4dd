from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from palpo_installer.facts.units import account, parse, starting
from palpo_installer.host import Command, Completed, Host
from tests.recorded import RecordedHost, Recording

TEXT = """[Unit]
Description=Palpo
User=not-here

[Service]
Environment=A=1
Environment="PALPO_CONFIG=/srv/p.toml"
ExecStart=-/opt/palpo/palpo \\
    --config /srv/p.toml
User=palpo
WorkingDirectory=-/var/lib/palpo

[Install]
WantedBy=multi-user.target
"""


def test_a_unit_is_read_from_its_service_section() -> None:
    """Continued lines are one, prefixes are no part of the program, other sections do not count."""
    unit = parse("palpo.service", TEXT)
    assert unit.start.split() == ["/opt/palpo/palpo", "--config", "/srv/p.toml"]
    assert (unit.user, unit.group, unit.directory) == ("palpo", "", "/var/lib/palpo")
    assert unit.environment == 'A=1 "PALPO_CONFIG=/srv/p.toml"'


def test_a_unit_without_an_account_runs_as_root() -> None:
    """The manual says so (systemd.exec(5), User=); a text without the section is a unit that starts nothing."""
    unit = parse("x.service", "[Unit]\n")
    assert (unit.start, unit.user) == ("", "root")


def test_the_administrators_unit_hides_the_vendors(tmp_path: Path) -> None:
    """A unit of the same name in /etc wins, even where it starts something else."""
    files = {
        "/usr/lib/systemd/system/a.service": ("[Service]", "ExecStart=/usr/bin/palpo"),
        "/etc/systemd/system/a.service": ("[Service]", "ExecStart=/usr/bin/other"),
        "/usr/lib/systemd/system/b.service": ("[Service]", "ExecStart=/usr/bin/palpo -c x"),
        "/etc/systemd/system/b.timer": ("[Service]", "ExecStart=/usr/bin/palpo"),
    }
    host = RecordedHost(Recording(files), tmp_path)
    assert [unit.name for unit in starting(host, re.compile("palpo"))] == ["b.service"]


def test_the_account_is_that_of_the_file_where_systemd_cannot_be_asked(tmp_path: Path) -> None:
    """Below another root only files count, and a missing group is the account's own."""
    host = RecordedHost(Recording({}), tmp_path)
    assert account(host, parse("palpo.service", TEXT)) == ("palpo", "palpo")
    assert host.asked == []


class Booted(Host):
    """A host at the real root of which only systemd and its answers are known."""

    def __init__(self, answers: Mapping[str, Completed]) -> None:
        super().__init__()
        self.answers = answers

    def status(self, path: Path) -> os.stat_result | None:
        """Tell that systemd runs."""
        return Path("/").lstat() if path == Path("/run/systemd/system") else None

    def run(self, command: Command) -> Completed:
        """Return the answer."""
        return self.answers[str(command)]


def test_systemd_knows_the_account_that_a_drop_in_sets() -> None:
    """What systemd says of a loaded unit wins over its file; of an unknown unit it says nothing of use."""
    command = "systemctl show --property=User,Group,LoadState palpo.service"
    unit = parse("palpo.service", TEXT)
    for lines, expected in (
        (("User=matrix", "Group=web", "LoadState=loaded"), ("matrix", "web")),
        (("User=", "Group=", "LoadState=loaded"), ("root", "root")),
        (("User=", "Group=", "LoadState=not-found"), ("palpo", "palpo")),
    ):
        assert account(Booted({command: Completed(0, "\n".join(lines), "")}), unit) == expected
