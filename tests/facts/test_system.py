from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.facts.system import parse_addresses, parse_release, parse_selinux, read
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.recorded import RecordedHost, Recording, recorded


def test_os_release_is_read_as_a_shell_would() -> None:
    """Quotes of both kinds, comments and empty lines are understood; a broken quote loses no other line."""
    text = '# comment\nID=debian\nNAME=\'Debian GNU/Linux\'\nVERSION_ID="12"\n\nBROKEN="x\nHOME_URL=https://d.example/?a=b\n'
    assert parse_release(text) == {
        "ID": "debian",
        "NAME": "Debian GNU/Linux",
        "VERSION_ID": "12",
        "BROKEN": '"x',
        "HOME_URL": "https://d.example/?a=b",
    }


@pytest.mark.parametrize(("enforce", "mode"), [("1", "enforcing"), ("0\n", "permissive"), (None, "disabled")])
def test_selinux_has_three_modes(enforce: str | None, mode: str) -> None:
    """A kernel without the file has SELinux switched off."""
    assert parse_selinux(enforce) == mode


def test_addresses_are_in_an_order_a_person_expects() -> None:
    """IPv4 before IPv6, loopback last, link-local left out, each once."""
    found = [
        "::1",
        "127.0.0.1",
        "fe80::1%eth0",
        "2001:db8::5",
        "169.254.3.4",
        "192.0.2.9",
        "192.0.2.10",
        "192.0.2.9",
    ]
    assert parse_addresses(found) == ("192.0.2.9", "192.0.2.10", "2001:db8::5", "127.0.0.1", "::1")


def test_the_service_manager_is_the_one_that_runs(tmp_path: Path) -> None:
    """Both systemd and OpenRC leave a directory in /run; a bare container has neither."""
    for name, files in (("a", "/run/systemd/system/x"), ("b", "/run/openrc/softlevel"), ("c", "/etc/hostname")):
        host = RecordedHost(Recording({files: ()}), tmp_path / name)
        assert read(host, ()).init == {"a": "systemd", "b": "openrc", "c": "none"}[name]


def test_a_recorded_host_is_described(tmp_path: Path) -> None:
    """Distribution, init system, SELinux and IPv6 come from the host's own files."""
    system = read(recorded("alma_conf_d", tmp_path), ())
    assert (system.distribution, system.version, system.name) == (
        "almalinux",
        "9.4",
        "AlmaLinux 9.4 (Seafoam Ocelot)",
    )
    assert (system.init, system.selinux, system.ipv6, system.root) == ("systemd", "enforcing", True, True)


def test_the_vendors_file_stands_in_and_nothing_is_invented(tmp_path: Path) -> None:
    """os-release(5): /usr/lib/os-release where /etc has none; with neither the distribution is unknown."""
    vendor = RecordedHost(Recording({"/usr/lib/os-release": ("ID=alpine",)}), tmp_path / "a")
    nothing = RecordedHost(Recording({}, root=False), tmp_path / "b")
    assert read(vendor, ()).distribution == "alpine"
    found = read(nothing, ())
    assert (found.name, found.ipv6, found.root) == ("an unknown Linux", False, False)


def test_this_machine_has_a_loopback_address() -> None:
    """The interfaces are really read."""
    assert "127.0.0.1" in read(Host(), ()).addresses


def test_a_private_copy_has_the_addresses_of_its_layout(tmp_path: Path) -> None:
    """Those of this machine, and its packet filters, are none of the copy's."""
    copy = Layout(tmp_path, addresses=("127.0.0.1",), private=True)
    for layout, ipv6 in ((copy, False), (replace(copy, addresses=("::1", "127.0.0.1")), True)):
        found = read(Host(layout), ())
        assert (set(found.addresses), found.ipv6) == (set(layout.addresses), ipv6)
        assert (found.firewalls, found.init) == ((), "none")
