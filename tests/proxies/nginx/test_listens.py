"""Which sockets we listen on beside which neighbours."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.listens import Neighbours, listenings, reached
from tests.proxies.nginx.sites import HOST, NEIGHBOUR, block, direct, listen, nginx, rendered


def words(found: Nginx, *ours: str, port: int = 443, tls: bool = True, layout: Layout | None = None) -> list[str]:
    """Return what follows ``listen`` in our server blocks."""
    neighbours = Neighbours(found.servers, tuple(listen(text) for text in ours), found.streams)
    sockets = listenings(port, tls=tls, neighbours=neighbours, nginx=found, system=HOST, layout=layout or Layout())
    return [socket.words for socket in sockets]


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ([], ["0.0.0.0:443 ssl http2", "[::]:443 ssl http2"]),
        (["443 ssl", "[::]:443 ssl"], ["0.0.0.0:443 ssl", "[::]:443 ssl"]),
        (["443 ssl http2 default_server"], ["0.0.0.0:443 ssl http2", "[::]:443 ssl http2"]),
        (["443 ssl", "443 ssl http2"], ["0.0.0.0:443 ssl", "[::]:443 ssl http2"]),
        (["443 ssl proxy_protocol"], ["0.0.0.0:443 ssl proxy_protocol", "[::]:443 ssl http2"]),
        (["203.0.113.5:443 ssl"], ["203.0.113.5:443 ssl", "[::]:443 ssl http2"]),
        (["443 ssl", "203.0.113.5:443 ssl http2"],
         ["0.0.0.0:443 ssl", "203.0.113.5:443 ssl http2", "[::]:443 ssl http2"]),
        (["[::]:443 ssl ipv6only=off"], ["[::]:443 ssl"]),
        (["[2001:db8::5]:443 ssl reuseport backlog=99"], ["0.0.0.0:443 ssl http2", "[2001:db8::5]:443 ssl"]),
        (["443 quic reuseport", "8443 ssl"], ["0.0.0.0:443 ssl http2", "[::]:443 ssl http2"]),
    ],
)  # fmt: skip
def test_existing_sockets_are_shared_as_they_are(theirs: list[str], expected: list[str]) -> None:
    """Their addresses with no more options than all of them have; a family without any gets a new wildcard."""
    assert words(nginx(*(block(each) for each in theirs))) == expected


def test_from_1_25_1_http2_is_no_option_of_listen() -> None:
    """Neither on new sockets nor on shared ones."""
    found = nginx(block("443 ssl http2"), version=(1, 25, 1))
    assert words(found) == ["0.0.0.0:443 ssl", "[::]:443 ssl"]


def test_plain_http() -> None:
    """No TLS, no HTTP/2."""
    assert words(nginx(block("80 default_server")), port=80, tls=False) == ["0.0.0.0:80", "[::]:80"]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (["443 ssl http2"], ["203.0.113.5:443 ssl"], ["0.0.0.0:443 ssl http2", "203.0.113.5:443 ssl"]),
        (["203.0.113.5:443 ssl"], [], ["203.0.113.5:443 ssl http2"]),
        (["198.51.100.9:443 ssl"], [], ["0.0.0.0:443 ssl http2"]),
    ],
)
def test_what_we_have_open_stays_open(ours: list[str], theirs: list[str], expected: list[str]) -> None:
    """A reload can swap neither a wildcard for specific addresses nor the reverse; an address that is gone goes."""
    assert words(nginx(*(block(each) for each in theirs)), *ours)[: len(expected)] == expected


def test_new_sockets_follow_the_layout_and_the_host() -> None:
    """Loopback only where the layout says so; no IPv6 where the host has none."""
    assert words(nginx(), layout=Layout(addresses=("127.0.0.1",))) == ["127.0.0.1:443 ssl http2"]
    system = replace(HOST, ipv6=False)
    found = listenings(443, tls=True, neighbours=Neighbours((), (), ()), nginx=nginx(), system=system, layout=Layout())
    assert [socket.address for socket in found] == ["0.0.0.0"]


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (["443 ssl", "203.0.113.5:443 ssl proxy_protocol"],
         {"203.0.113.5": True, "127.0.0.1": False, "2001:db8::5": False}),
        (["[::]:443 ssl ipv6only=off proxy_protocol"],
         {"203.0.113.5": True, "127.0.0.1": True, "2001:db8::5": True}),
        (["127.0.0.1:443 ssl"], {"127.0.0.1": False, "2001:db8::5": False}),
    ],
)  # fmt: skip
def test_each_local_address_reaches_one_socket(theirs: list[str], expected: dict[str, bool]) -> None:
    """A specific one before a wildcard; with a PROXY line where any site of it expects one."""
    neighbours = Neighbours((block(*theirs),), (), ())
    found = listenings(443, tls=True, neighbours=neighbours, nginx=nginx(), system=HOST, layout=Layout())
    assert {address: socket.proxy_protocol for address, socket in reached(found, HOST).items()} == expected


@pytest.mark.parametrize(
    ("theirs", "port", "reason"),
    [
        (block("443"), 443, "with plain HTTP, where Palpo needs TLS"),
        (block("443 ssl", "[::]:443"), 443, "with plain HTTP, where Palpo needs TLS"),
        (block("80", "[::]:80 ssl"), 80, "with TLS, where Palpo needs plain HTTP"),
    ],
)
def test_a_socket_with_the_other_protocol_is_refused(theirs: ServerBlock, port: int, reason: str) -> None:
    """Naming the file and the line of the first ``listen`` that is wrong."""
    with pytest.raises(RefusedPlan, match=reason) as refusal:
        words(nginx(theirs), port=port, tls=port == 443)
    assert refusal.value.where == f"{NEIGHBOUR}:{1 + len(theirs.listens)}"


def test_a_stream_on_our_port_is_refused() -> None:
    """Naming file and line; UDP is none of ours."""
    with pytest.raises(RefusedPlan, match="a stream block") as refusal:
        rendered(nginx(streams=[listen("127.0.0.1:8448", Path("/etc/nginx/stream.conf"), 7)]), answers=direct())
    assert refusal.value.where == "/etc/nginx/stream.conf:7"
    assert rendered(nginx(streams=[listen("443 udp")])).secure.files


@pytest.mark.parametrize("name", ["zzz", "zz-palpo-later.conf"])
def test_a_default_site_that_is_read_after_ours_is_refused(name: str) -> None:
    """Unless it says that it is the default, or another is read before."""
    later = NEIGHBOUR.with_name(name)
    with pytest.raises(RefusedPlan, match="would no longer be the default") as refusal:
        rendered(nginx(block("443 ssl", file=later, line=4)))
    assert refusal.value.where == f"{later}:4"
    assert rendered(nginx(block("443 ssl default_server", file=later))).secure.files
    assert rendered(nginx(block("443 ssl"), block("443 ssl", file=later))).secure.files


def test_a_server_block_after_the_include_is_read_after_ours() -> None:
    """In the file that includes our directory."""
    with pytest.raises(RefusedPlan, match="would no longer be the default"):
        rendered(nginx(block("80", file=Path("/etc/nginx/nginx.conf"), line=70)))
    assert rendered(nginx(block("80", file=Path("/etc/nginx/nginx.conf"), line=50))).secure.files


def test_findings_say_what_is_narrower_than_expected() -> None:
    """Specific addresses only, and a shared socket without HTTP/2."""
    found = rendered(nginx(block("203.0.113.5:443 ssl"))).findings
    assert [re.split(":|, since", text)[0] for text in found] == [
        "Port 443 is served on 203.0.113.5 only, as for the sites that are there",
        "HTTP/2 is not offered on port 443 at 203.0.113.5",
    ]
    assert rendered(nginx(block("443 ssl http2", "80"))).findings == ()


def test_a_site_on_all_the_addresses_that_were_to_be_had_is_as_expected() -> None:
    """A copy of a host on loopback is not told that it is on loopback only."""
    layout = Layout(addresses=("127.0.0.1",))
    neighbour = nginx(block("127.0.0.1:443 ssl http2", "127.0.0.1:80"))
    assert rendered(neighbour, layout=layout).findings == ()
    assert len(rendered(neighbour).findings) == 2
