"""How Apache's program and its main process are recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.processes import Process
from palpo_installer.proxies.apache.discovery import Build, Started, main_process, parse_build, parse_command

VERSION = """Server version: Apache/2.4.71 (Debian)
 -D HTTPD_ROOT="/etc/apache2"
 -D SERVER_CONFIG_FILE="apache2.conf"
"""


def process(pid: int, parent: int, *, name: str = "apache2", unit: str = "", container: str = "") -> Process:
    """Return a process that was started in the order of the numbers."""
    return Process(pid, name, (f"/usr/sbin/{name}", "-k", "start"), "", float(pid), parent, unit, container)


def test_a_program_tells_its_version_and_its_files() -> None:
    """Also where its configuration does not load; what is no Apache is none."""
    assert parse_build(VERSION) == Build((2, 4, 71), Path("/etc/apache2"), "apache2.conf")
    assert parse_build("nginx version: nginx/1.22.1") is None


@pytest.mark.parametrize(
    ("line", "started"),
    [
        ("apache2 -k start", Started()),
        ("httpd -DFOREGROUND", Started(defines=frozenset({"FOREGROUND"}))),
        ("httpd -D A -D B -d /srv -f/srv/h.conf -k start", Started("/srv/h.conf", "/srv", frozenset("AB"))),
        ("httpd -f", Started()),
    ],
)
def test_a_main_process_tells_how_it_was_started(line: str, started: Started) -> None:
    """Values behind a blank and right behind the letter."""
    assert parse_command(line.split()) == started


def test_the_main_process_is_the_one_that_is_no_worker() -> None:
    """One that listens here before a unit's, that before an older one; none of a container or of another network."""

    def found(*processes: Process, owners: frozenset[int] = frozenset(), elsewhere: int = 0) -> Process | None:
        return main_process(processes, owners, lambda pid: pid != elsewhere)

    workers = (process(11, 10), process(12, 10))
    assert found(*workers, process(10, 1)) == process(10, 1)
    of_unit = process(30, 1, name="httpd", unit="httpd.service")
    assert found(process(20, 1), of_unit) == of_unit
    assert found(process(20, 1), of_unit, owners=frozenset({20})) == process(20, 1)
    assert found(process(40, 1, container="web"), process(41, 1, name="nginx")) is None
    assert found(process(20, 1), of_unit, elsewhere=30) == process(20, 1)
