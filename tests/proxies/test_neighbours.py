from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.facts.system import System
from palpo_installer.gates.neighbours import Neighbour
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.neighbours import UNKNOWN, default_server, examples, neighbours, served

THEIRS = Path("/etc/nginx/sites-enabled/shop")
OURS = Path("/etc/nginx/sites-enabled/zz-palpo")
SYSTEM = System(
    distribution="debian",
    version="12",
    name="Debian",
    init="systemd",
    selinux="disabled",
    firewalls=(),
    addresses=("192.0.2.5", "192.0.2.6", "2001:db8::5", "127.0.0.1", "::1"),
    ipv6=True,
    root=True,
)


def block(*listens: str, name: str = "shop.example.org", file: Path = THEIRS, line: int = 3) -> ServerBlock:
    """Return a server block; a listen is ``address port options``."""
    parsed = []
    for listen in listens:
        address, port, *options = listen.split()
        parsed.append(Listen(address, int(port), tuple(options), file, line))
    return ServerBlock((name,), tuple(parsed), ("/etc/ssl/shop.pem",), file, line)


def found(*servers: ServerBlock, expected: tuple[Expectation, ...] = ()) -> tuple[Neighbour, ...]:
    """Return the neighbours beside our file."""
    return neighbours(servers, SYSTEM, expected, [OURS])


def asked(neighbour: Neighbour) -> tuple[str, int, bool, str, str]:
    """Return what identifies a request."""
    return neighbour.address, neighbour.port, neighbour.tls, neighbour.host, neighbour.sni


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("shop.example.org", ("shop.example.org",)),
        ("*.example.org", ("palpo-installer-probe.example.org",)),
        (".example.org", ("example.org", "palpo-installer-probe.example.org")),
        ("mail.*", ("mail.palpo-installer-probe",)),
        ("_", ()),
        ("", ()),
        ("~^www\\d+\\.example\\.org$", ()),
        ("$hostname", ()),
        ("a..b", ()),
        ("x" * 64 + ".org", ()),
    ],
)
def test_a_name_as_written_gives_names_to_ask(written: str, names: tuple[str, ...]) -> None:
    """Patterns are not asked for, and nothing that could not be sent."""
    assert examples(written) == names


def test_a_site_is_asked_by_name_and_its_socket_without_a_name() -> None:
    """One address for the name; for the nameless requests every address: bare, unknown Host, unknown SNI."""
    requests = [asked(each) for each in found(block("0.0.0.0 443 ssl"))]
    assert requests[0] == ("192.0.2.5", 443, True, "shop.example.org", "shop.example.org")
    for address in ("192.0.2.5", "192.0.2.6", "127.0.0.1"):
        for host, sni in (("", ""), (UNKNOWN, ""), (UNKNOWN, UNKNOWN)):
            assert (address, 443, True, host, sni) in requests
    assert len(requests) == 10


def test_a_specific_address_is_no_part_of_a_wildcard() -> None:
    """The wildcard's site is asked where the specific socket does not take its requests."""
    wildcard = block("0.0.0.0 80")
    specific = block("192.0.2.5 80", name="intranet.example.org", line=9)
    by_name = {each.host: each.address for each in found(wildcard, specific) if each.host not in {"", UNKNOWN}}
    assert by_name == {"shop.example.org": "192.0.2.6", "intranet.example.org": "192.0.2.5"}


def test_both_families_of_one_socket() -> None:
    """``ipv6only=off`` takes IPv4 too; without it a ``::`` socket does not."""
    addresses = {each.address for each in found(block(":: 80 ipv6only=off"))}
    assert addresses == {"192.0.2.5", "192.0.2.6", "127.0.0.1", "2001:db8::5", "::1"}
    assert {each.address for each in found(block(":: 80"))} == {"2001:db8::5", "::1"}


def test_options_belong_to_the_socket() -> None:
    """Another block's ``ssl`` and ``proxy_protocol`` hold for every site of the socket."""
    first = block("0.0.0.0 443")
    second = block("0.0.0.0 443 ssl proxy_protocol", name="other.example.org", line=9)
    assert all(each.tls and each.proxy_protocol for each in found(first, second))


def test_ours_is_no_neighbour() -> None:
    """Nor are the nameless requests of a socket on which our block is the default."""
    assert found(block("0.0.0.0 8448 ssl", name="example.com", file=OURS)) == ()
    shared = found(block("0.0.0.0 443 ssl"), block("0.0.0.0 443 ssl", name="example.com", file=OURS))
    assert "example.com" not in {each.host for each in shared}
    assert UNKNOWN in {each.host for each in shared}


def test_sockets_without_tcp_are_left_out() -> None:
    """A unix socket cannot be asked by address, QUIC is UDP."""
    assert found(block("unix:/run/x.sock 0"), block("0.0.0.0 443 quic")) == ()


def test_a_socket_that_only_we_open_is_asked_too() -> None:
    """Somebody else may hold that port now; one that nginx has already is not asked twice."""
    expected = tuple(Expectation("192.0.2.5", port, True, "example.com", "m", None, False) for port in (443, 8448))
    requests = found(block("0.0.0.0 443 ssl"), expected=expected)
    assert [asked(each) for each in requests if each.port == 8448] == [("192.0.2.5", 8448, True, "", "")]
    assert len([each for each in requests if each.port == 443]) == 10


def test_the_default_server_is_the_one_that_says_so() -> None:
    """Else the first of the socket; its certificates are those that a nameless request may be shown."""
    first, second = block("0.0.0.0 80"), block("0.0.0.0 80 default_server", line=9)
    assert default_server([first, second], ("0.0.0.0", 80)) == second
    assert default_server([first, block("0.0.0.0 80", line=9)], ("0.0.0.0", 80)) == first
    nameless = next(each for each in found(first, second) if each.host == UNKNOWN)
    assert nameless.site == f"a request without a known name ({THEIRS}:9)"
    assert nameless.certificates == ("/etc/ssl/shop.pem",)


def test_every_socket_of_these_sites_is_served_and_no_other() -> None:
    """A wildcard has every address of its family that no specific socket has, on its port alone."""
    found = served([block("0.0.0.0 443 ssl"), block("192.0.2.5 8448 ssl", line=9)], SYSTEM)
    assert {address for address, port in found if port == 443} == {"192.0.2.5", "192.0.2.6", "127.0.0.1"}
    assert {place for place in found if place[1] != 443} == {("192.0.2.5", 8448)}
