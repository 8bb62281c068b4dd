"""The made-up host: a small host as the facts see any other."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from palpo_installer.demo import premises, programs
from palpo_installer.demo.premises import NEIGHBOUR, Premises, build
from palpo_installer.errors import HostError
from palpo_installer.facts import gather
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.nginx.build import Build

NGINX = Path("/usr/sbin/nginx")


@pytest.fixture
def made_up(tmp_path: Path) -> Premises:
    """A made-up host for this machine's nginx."""
    return build(tmp_path, programs.build_of(Host(), NGINX))


def test_it_is_a_private_copy_with_ports_that_are_easy_to_tell_apart(made_up: Premises, tmp_path: Path) -> None:
    """Commands with --root find the same layout; ports end like those they stand for, and are all free."""
    layout = made_up.layout
    assert Layout.below(tmp_path) == layout
    ports = (layout.http_port, layout.https_port, made_up.federation, made_up.upstream.port)
    assert [port % 100 for port in ports] == [80, 43, 48, 8]
    assert len({port // 100 for port in ports}) == 1
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_nginx_takes_its_files(made_up: Premises) -> None:
    """Without an error or a warning, and touching nothing of this machine's nginx."""
    argv = programs.nginx(made_up, NGINX, programs.build_of(Host(), NGINX))
    tested = subprocess.run([*argv, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "warn" not in tested.stderr
    assert "alert" not in tested.stderr


def test_the_facts_see_a_host_with_a_neighbour_and_nothing_of_this_machine(made_up: Premises) -> None:
    """Its site and certificate are found with file and line; no process, unit, Palpo or address is this machine's."""
    facts = gather(made_up.host)
    assert facts.nginx is not None
    assert (facts.nginx.pid, facts.nginx.unit, facts.nginx.problems) == (None, "", ())
    assert [server.names for server in facts.nginx.servers] == [("_",), (NEIGHBOUR,)]
    assert [each.names for each in facts.certificates] == [(NEIGHBOUR,)]
    assert (facts.listeners, facts.palpo.runs_as, facts.unseen) == ((), "stopped", ())
    assert set(facts.system.addresses) == set(made_up.layout.addresses) <= {"127.0.0.1", "::1"}


def test_only_its_owner_reads_the_neighbours_key(made_up: Premises) -> None:
    """A made-up key is no reason for bad habits."""
    key = made_up.layout.at(f"/etc/ssl/private/{NEIGHBOUR}.key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.stat().st_uid == os.geteuid()


@pytest.mark.parametrize(
    ("version", "modules", "words"),
    [
        ((1, 22, 1), ("http_v2_module",), "ssl http2;"),
        ((1, 26, 0), ("http_v2_module",), "ssl;\n    http2 on;"),
        ((1, 26, 0), (), "ssl;\n    server_name"),
    ],
)
def test_http2_is_said_as_the_version_has_it(
    tmp_path: Path, version: tuple[int, int, int], modules: tuple[str, ...], words: str
) -> None:
    """On the line before 1.25.1, as a directive since, and not at all where it was not built in."""
    made = build(tmp_path, Build(version, modules, Path("/"), Path("/"), "", "", ""))
    assert words in made.layout.at(f"/etc/nginx/sites-available/{NEIGHBOUR}").read_text()


def test_a_directory_that_no_configuration_could_name_is_refused(tmp_path: Path) -> None:
    """With a word on what to do, before anything is written."""
    odd = tmp_path / "my files"
    odd.mkdir()
    with pytest.raises(HostError, match="Set TMPDIR"):
        build(odd, programs.build_of(Host(), NGINX))
    assert list(odd.iterdir()) == []


def test_without_ipv6_it_lives_on_ipv4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without the family is no reason not to be shown anything."""
    monkeypatch.setattr(premises, "IPV6", "2001:db8::1")
    assert build(tmp_path, programs.build_of(Host(), NGINX)).layout.addresses == ("127.0.0.1",)
