"""What apt and dpkg say, in their own words, and what that means."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.packages import apt
from palpo_installer.packages.apt import Simulated, cause, parse_needs, parse_simulation


def test_a_simulation_tells_what_comes_and_what_goes() -> None:
    """``Inst`` and ``Remv``; ``Conf`` repeats what was said, and another architecture is the same package."""
    said = (
        "NOTE: This is only a simulation!\n"
        "Inst nginx-common (1.22.1-9 Debian:12 [all]) []\nInst libssl3:amd64 [3.0.1] (3.0.2 Debian [amd64])\n"
        "Remv lighttpd [1.4]\nPurg old [1]\nConf nginx-common (1.22.1-9 Debian:12 [all])\n"
    )
    assert parse_simulation(0, said, "") == Simulated(("nginx-common", "libssl3"), ("lighttpd", "old"))


def test_a_simulation_that_fails_tells_the_last_error() -> None:
    """Without the mark that apt puts in front."""
    told = parse_simulation(100, "Reading...", "W: x\nE: Unable to locate package caddy\n")
    assert told == Simulated((), (), "Unable to locate package caddy")


def test_what_another_package_needs_stays_with_all_that_it_needs() -> None:
    """By name, as an alternative, through what a package provides, and what those need in turn; not by the like."""
    rows = (
        "nginx\tinstalled\tnginx-common (= 1), libc6\thttpd",
        "nginx-common\tinstalled\t\t",
        "caddy\tinstalled\tlibc6\thttpd",
        "site\tinstalled\tapache2 | nginx (>= 1.2) , base\t",
        "gone\tconfig-files\tcaddy\t",
        "libc6\tinstalled\t\t",
    )
    ours = frozenset({"nginx", "nginx-common", "caddy"})
    assert parse_needs("\n".join(rows), ours) == {"nginx": "site", "nginx-common": "nginx"}
    assert parse_needs("\n".join((*rows[:3], "web\tinstalled\thttpd\t")), ours) == {
        "caddy": "web",
        "nginx": "web",
        "nginx-common": "nginx",
    }
    assert parse_needs("\n".join(rows[:3]), ours) == {}


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("dpkg: error: ... write failed (No space left on device)", "the disk is full"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "the disk is full"),
        ("E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", "an earlier installation was"),
        ("Err:1 http://deb.example.org\n  Temporary failure resolving 'deb.example.org'", "cannot be fetched"),
        ("E: Unable to locate package caddy", "no source of apt has it"),
        ("E: Something new\n", "Something new"),
        ("", "apt-get failed"),
    ],
)
def test_why_it_failed(said: str, what: str) -> None:
    """In a few plain words where it is known, else in apt's own."""
    assert what in cause(said)[0]


def test_who_holds_the_lock_is_named(tmp_path: Path) -> None:
    """The process with the lock that dpkg takes, as dpkg takes it."""
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    host, path = Host(Layout(tmp_path)), tmp_path / "var/lib/dpkg/lock-frontend"
    assert apt.lock_holder(host) == ""
    path.touch()
    assert apt.lock_holder(host) == ""
    script = f"import fcntl, sys\nf = open({str(path)!r}, 'w')\nfcntl.lockf(f, {fcntl.LOCK_EX})\nprint(1, flush=True)\n"
    command = [sys.executable, "-c", f"{script}sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holding:
        assert holding.stdout is not None
        holding.stdout.readline()
        assert f"(process {holding.pid})" in apt.lock_holder(host)
        holding.communicate(b"")
    assert apt.lock_holder(host) == ""
