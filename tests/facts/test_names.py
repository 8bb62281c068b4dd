from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest
from dns.resolver import Resolver

from palpo_installer.facts.names import LIFETIME, Name, ServiceRecord, look_up, read, system_resolver
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.ports import free_port
from tests.recorded import RecordedHost, Recording

LOOPBACK = "127.0.0.1"
RECORDS = (
    "--host-record=example.com,192.0.2.1,2001:db8::1",
    "--host-record=matrix.example.com,192.0.2.1",
    "--cname=www.example.com,matrix.example.com",
    "--srv-host=_matrix-fed._tcp.example.com,second.example.com,8448,20,1",
    "--srv-host=_matrix-fed._tcp.example.com,matrix.example.com,443,10,5",
    "--srv-host=_matrix._tcp.example.com,matrix.example.com,8448,0,0",
    "--caa-record=example.com,0,issue,ca.example",
    "--caa-record=example.com,128,iodef,mailto:a@example.com",
    "--host-record=xn--bcher-kva.example,192.0.2.3",
)
EXAMPLE = Name(
    name="example.com",
    addresses=("192.0.2.1", "2001:db8::1"),
    alias="",
    federation=(ServiceRecord(10, 5, 443, "matrix.example.com"), ServiceRecord(20, 1, 8448, "second.example.com")),
    federation_old=(ServiceRecord(0, 0, 8448, "matrix.example.com"),),
    caa=("0 issue ca.example", "128 iodef mailto:a@example.com"),
    problem="",
)


def asking(port: int) -> Resolver:
    """Return a resolver that asks a port on loopback."""
    resolver = Resolver(configure=False)
    resolver.nameservers = [LOOPBACK]
    resolver.port = port
    return resolver


def answers(port: int) -> bool:
    """Return whether a name server answers on a port, whatever it says."""
    try:
        dns.query.udp(dns.message.make_query("example.com", "A"), LOOPBACK, timeout=0.1, port=port)
    except (dns.exception.Timeout, OSError):
        return False
    return True


@contextmanager
def dnsmasq(*options: str) -> Iterator[Resolver]:
    """Run a real dnsmasq with nothing but these options on a free port."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin")
    assert program, "dnsmasq is missing: apt-get install dnsmasq-base"
    port = free_port()
    alone = ["--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--pid-file=", "--keep-in-foreground"]
    listen = [f"--port={port}", f"--listen-address={LOOPBACK}", "--bind-interfaces"]
    process = subprocess.Popen([program, *alone, *listen, *options], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not answers(port):
            assert process.poll() is None, "dnsmasq ended"
            assert time.monotonic() < deadline, "dnsmasq does not answer"
        yield asking(port)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def server() -> Iterator[Resolver]:
    """A name server with ``RECORDS``; every other name does not exist."""
    with dnsmasq("--local=/#/", *RECORDS) as resolver:
        yield resolver


def test_a_name_has_addresses_services_and_authorities(server: Resolver) -> None:
    """Both families, both service names with the preferred record first, and the CAA set."""
    assert look_up("example.com", server) == EXAMPLE


def test_the_closest_parents_authorities_apply(server: Resolver) -> None:
    """RFC 8659, section 3: the set is looked for upwards, also below a name that does not exist."""
    for name in ("matrix.example.com", "a.b.example.com"):
        assert look_up(name, server).caa == EXAMPLE.caa


def test_an_alias_is_followed_and_told(server: Resolver) -> None:
    """The addresses are those of the name it leads to."""
    found = look_up("www.example.com", server)
    assert (found.alias, found.addresses) == ("matrix.example.com", ("192.0.2.1",))


def test_a_name_that_does_not_exist_has_nothing_and_is_no_problem(server: Resolver) -> None:
    """NXDOMAIN is an answer."""
    assert look_up("absent.example", server) == Name("absent.example", (), "", (), (), (), "")


def test_names_are_asked_in_their_ascii_form_without_a_port(server: Resolver) -> None:
    """A server name may have a port, and may be typed with letters beyond ASCII."""
    assert look_up("bücher.example", server).addresses == ("192.0.2.3",)
    assert look_up("Matrix.Example.com:8448", server).name == "matrix.example.com"


@pytest.mark.parametrize("name", ["192.0.2.7", "[2001:db8::7]", "192.0.2.7:8448", "[2001:db8::7]:8448", "2001:db8::7"])
def test_an_address_is_not_asked(name: str) -> None:
    """An IP literal is its own address."""
    found = look_up(name, asking(free_port()))
    assert found.addresses in {("192.0.2.7",), ("2001:db8::7",)}
    assert found.problem == ""


@pytest.mark.parametrize("name", ["", "a..b", "under_score", "x" * 64 + ".example"])
def test_what_is_no_name_is_not_asked(name: str) -> None:
    """A name that DNS cannot hold is a problem in words, never an exception."""
    assert look_up(name, asking(free_port())).problem.startswith("is no host name: ")


def test_a_server_that_is_silent_costs_no_more_than_the_lifetime() -> None:
    """All names are asked at once, so three take no longer than one."""
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind((LOOPBACK, 0))
        began = time.monotonic()
        found = read(Host(), ("a.example", "b.example", "c.example"), asking(silent.getsockname()[1]))
        assert time.monotonic() - began < LIFETIME + 1
    assert [each.problem for each in found] == ["the name server 127.0.0.1 did not answer within 3 seconds"] * 3


def test_a_server_that_fails_is_told() -> None:
    """A refusal is not taken for a name that does not exist."""
    with dnsmasq() as resolver:
        found = look_up("example.com", resolver)
    assert found.problem == "the name server 127.0.0.1 could not answer (REFUSED)"


def test_the_machines_own_name_servers_are_asked(tmp_path: Path) -> None:
    """Those of /etc/resolv.conf; behind systemd-resolved, which knows /etc/hosts, the ones that it asks."""
    for number, (main, uplinks, expected) in enumerate(
        (
            ("nameserver 192.0.2.53\nnameserver 2001:db8::53\n", None, ["192.0.2.53", "2001:db8::53"]),
            ("nameserver 127.0.0.53\n", "nameserver 192.0.2.54\n", ["192.0.2.54"]),
            ("nameserver 127.0.0.53\n", None, ["127.0.0.53"]),
            ("search example.com\n", None, []),
        )
    ):
        host = Resolving(tmp_path / str(number), main, uplinks)
        assert [str(server) for server in system_resolver(host).nameservers] == expected


def test_without_a_name_server_that_is_the_problem(tmp_path: Path) -> None:
    """Nothing is asked, and the file to look at is named."""
    (found,) = read(Resolving(tmp_path, "", None), ("example.com",))
    assert found.problem == "no name server is configured in /etc/resolv.conf"


class Resolving(RecordedHost):
    """A host of which only its name servers are known."""

    def __init__(self, root: Path, main: str, uplinks: str | None) -> None:
        super().__init__(Recording({}), root)
        self.texts = {Path("/etc/resolv.conf"): main, Path("/run/systemd/resolve/resolv.conf"): uplinks}

    def text(self, path: Path) -> str | None:
        """Return one of the two files."""
        return self.texts[path]


def test_in_a_private_copy_every_name_leads_to_the_copy(tmp_path: Path) -> None:
    """Nobody is asked, so that no packet leaves; an address is itself, and what is no name is still none."""
    layout = Layout(tmp_path, addresses=("127.0.0.1", "::1"), private=True)
    found = read(Host(layout), ("Bücher.example:8448", "192.0.2.7", "a..b"))
    assert [each.name for each in found] == ["xn--bcher-kva.example", "192.0.2.7", "a..b"]
    assert [each.addresses for each in found] == [layout.addresses, ("192.0.2.7",), ()]
    assert found[2].problem.startswith("is no host name: ")
