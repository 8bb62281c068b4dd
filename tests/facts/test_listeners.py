from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer import processes
from palpo_installer.errors import HostError
from palpo_installer.facts import listeners
from palpo_installer.facts.containers import Container
from palpo_installer.facts.listeners import parse, parse_both_families
from palpo_installer.host import Host, Socket
from palpo_installer.layout import Layout
from palpo_installer.processes import Process
from tests.recorded import RecordedHost, Recording, Running

SYSTEMD = Process(1, "systemd", ("/sbin/init",), "", 1.0, 0, "", "")
MASTER = Process(50, "nginx", ("nginx: master process",), "", 2.0, 1, "nginx.service", "")
WORKER = Process(40, "nginx", ("nginx: worker process",), "", 3.0, 50, "nginx.service", "")
CONTAINER = Container("ab" * 32, "web", "nginx", "docker", (("0.0.0.0", 80),))


def proxy(command: str) -> Process:
    """Return docker's stand-in for a published port."""
    return Process(7, "docker-proxy", tuple(command.split()), "", 2.0, 1, "docker.service", "")


def test_ss_tells_which_wildcards_take_both_families() -> None:
    """Both forms in which ss writes an IPv6 wildcard count; other sockets, and their processes' names, do not."""
    text = (
        "LISTEN 0 511 *:80 *:* ino:1 sk:1 cgroup:/ v6only:0 <->\n"
        "LISTEN 0 511 [::]:443 [::]:* ino:2 sk:2 cgroup:/ v6only:1 <->\n"
        "LISTEN 0 511 0.0.0.0:8448 0.0.0.0:* ino:3 sk:3 cgroup:/ <->\n"
        "LISTEN 0 128 [fe80::1]%eth0:22 [::]:* ino:4 sk:4 cgroup:/ v6only:1 <->\n"
    )
    assert parse_both_families(text) == {80: True, 443: False}


def test_a_socket_belongs_to_its_oldest_process() -> None:
    """A master is named, not one of its workers, whatever their numbers; one address and port is one listener."""
    sockets = [Socket("0.0.0.0", 80, 40), Socket("0.0.0.0", 80, 50), Socket("::", 80, 50)]
    first, second = parse(sockets, {80: True}, (MASTER, WORKER), ())
    assert (first.address, first.pid, first.unit, first.both_families) == ("0.0.0.0", 50, "nginx.service", False)
    assert (second.address, second.pid, second.both_families) == ("::", 50, True)


def test_a_master_is_found_behind_the_worker_that_is_listed(tmp_path: Path) -> None:
    """The kernel's listing names one of the processes that share a socket; a parent counts if it holds it too."""
    worker = Running(40, "nginx", ("nginx: worker process",), started=3.0, parent=50)
    master = Running(50, "nginx", ("nginx: master process",), started=2.0, holds=(("0.0.0.0", 80),))
    for number, (elder, owner) in enumerate(
        ((master, 50), (replace(master, holds=()), 40), (replace(master, hidden=True), 40))
    ):
        sockets = (("0.0.0.0", 80, 40),)
        host = RecordedHost(Recording({}, sockets=sockets, processes=(worker, elder)), tmp_path / str(number))
        (found,) = listeners.read(host, processes.read(host), (), lambda _: None)
        assert found.pid == owner


def test_a_socket_that_systemd_opened_belongs_to_the_service() -> None:
    """Process 1 is the owner only where nobody else holds the socket."""
    sockets = [Socket("::", 22, 1), Socket("::", 22, 50), Socket("::", 9090, 1)]
    assert [each.pid for each in parse(sockets, {}, (SYSTEMD, MASTER), ())] == [50, 1]


def test_an_owner_out_of_sight_is_said_to_be() -> None:
    """Without root there is neither a number nor a name."""
    (listener,) = parse([Socket("0.0.0.0", 80, None)], {}, (), ())
    assert listener.owner == "a process we may not see"


def test_a_published_port_belongs_to_its_container() -> None:
    """Docker's stand-in is looked through; without the listing its own command line says where it leads."""
    command = "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 80 -container-ip 172.17.0.2"
    sockets = [Socket("0.0.0.0", 80, 7)]
    (known,) = parse(sockets, {}, (proxy(command),), (CONTAINER,))
    (unknown,) = parse(sockets, {}, (proxy(command),), ())
    (bare,) = parse(sockets, {}, (proxy("/usr/bin/docker-proxy -container-ip"),), ())
    assert (known.owner, known.unit, unknown.container) == ("container web", "", "172.17.0.2")
    assert bare.owner == "docker-proxy (docker.service)"


def test_a_process_inside_a_container_on_the_hosts_network_names_it() -> None:
    """With host networking the control group leads to the container."""
    inside = replace(MASTER, unit="", container="ab" * 6)
    (listener,) = parse([Socket("0.0.0.0", 80, 50)], {}, (inside,), (CONTAINER,))
    assert listener.container == "web"


def test_without_ss_a_wildcard_is_taken_for_ipv6_only_and_that_is_said(tmp_path: Path) -> None:
    """A missing program is a sentence in what could not be seen, and only where it mattered."""
    notes: list[str] = []
    (found,) = listeners.read(RecordedHost(Recording({}, sockets=(("::", 80, 1),)), tmp_path), (), (), notes.append)
    assert (found.both_families, len(notes)) == (False, 1)
    listeners.read(RecordedHost(Recording({}, sockets=(("127.0.0.1", 80, 1),)), tmp_path), (), (), notes.append)
    assert len(notes) == 1


def test_a_kernel_that_lists_nothing_is_told_not_raised() -> None:
    """The other facts are still worth having."""

    class Sealed(Host):
        def listening(self) -> tuple[Socket, ...]:
            raise HostError("the listening sockets cannot be listed: no /proc")

    notes: list[str] = []
    assert listeners.read(Sealed(), (), (), notes.append) == ()
    assert notes == ["The listening sockets cannot be listed: no /proc."]


@pytest.fixture
def bound() -> Iterator[tuple[int, int, int]]:
    """Listen on three free ports: on 127.0.0.1, on :: alone, and on :: with IPv4; return the ports."""
    with ExitStack() as stack:
        ports = []
        for address, only in (("127.0.0.1", None), ("::", 1), ("::", 0)):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            opened = stack.enter_context(socket.socket(family))
            if only is not None:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            opened.bind((address, 0))
            opened.listen()
            ports.append(opened.getsockname()[1])
        yield ports[0], ports[1], ports[2]


def test_real_sockets_of_this_process_are_found(bound: tuple[int, int, int]) -> None:
    """Address, owner and whether IPv4 is taken too come out right on a real kernel."""
    host = Host()
    found = listeners.read(host, processes.read(host), (), lambda _: None)
    mine = {each.port: each for each in found if each.port in bound}
    assert [mine[port].address for port in bound] == ["127.0.0.1", "::", "::"]
    assert [mine[port].both_families for port in bound] == [False, False, True]
    assert all("py" in mine[port].process for port in bound)


def test_a_private_copy_sees_its_own_sockets_only(bound: tuple[int, int, int], tmp_path: Path) -> None:
    """What others on this machine listen on, and we ourselves, is not the copy's."""
    host = Host(Layout(tmp_path, private=True))
    everything = processes.read(Host())
    assert listeners.read(host, processes.read(host), (), lambda _: None) == ()
    ours = tuple(each for each in everything if each.pid == os.getpid())
    assert {each.port for each in listeners.read(host, ours, (), lambda _: None)} >= set(bound)
