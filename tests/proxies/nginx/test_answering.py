from __future__ import annotations

import pytest

from palpo_installer.proxies.answering import By
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx.answering import answering
from tests.proxies.nginx.sites import block


def site(*names: str, listen: str = "80", line: int = 1) -> ServerBlock:
    """Return a server block with names."""
    return block(*listen.split(","), names=names, line=line)


def who(name: str, *servers: ServerBlock) -> tuple[int, By]:
    """Return which block answers for a name on port 80, and why."""
    (found,) = answering(servers, name, 80)
    return servers.index(found.block), found.by


@pytest.mark.parametrize(
    ("names", "name", "expected"),
    [
        (["other.org", "example.org"], "example.org", (1, By.NAME)),
        (["other.org", "EXAMPLE.org"], "Example.Org.", (1, By.NAME)),
        (["~^example", "*.org", "example.org"], "example.org", (2, By.NAME)),
        (["*.org", "*.example.org"], "a.example.org", (1, By.WILDCARD)),
        (["*.org", ".example.org"], "example.org", (1, By.WILDCARD)),
        (["*.example.org"], "example.org", (0, By.DEFAULT)),
        (["www.example.*", "*.org"], "www.example.org", (1, By.WILDCARD)),
        (["www.*", "www.example.*"], "www.example.org", (1, By.WILDCARD)),
        (["x", "~^www", "~example"], "www.example.org", (1, By.PATTERN)),
        (["x", "~^WWW"], "www.example.org", (1, By.PATTERN)),
        (["x", "y"], "example.org", (0, By.DEFAULT)),
        (["example.org", ".example.org"], "a.example.org", (0, By.DEFAULT)),
        (["*.example.org", ".example.org", "example.org"], "example.org", (0, By.DEFAULT)),
    ],
)
def test_the_most_exact_name_answers(names: list[str], name: str, expected: tuple[int, By]) -> None:
    """In nginx's order; of two names that collide the second is ignored, with all that it stands for."""
    assert who(name, *(site(each, line=line) for line, each in enumerate(names, 1))) == expected


def test_each_socket_is_judged_by_itself() -> None:
    """A block answers only where it listens, and each socket has a default of its own."""
    first = site("a.org", listen="80,[::]:80")
    second = site("example.org", listen="192.0.2.1:80,[::]:80 default_server", line=9)
    third = site("b.org", listen="192.0.2.1:80", line=20)
    found = answering([first, second, third], "example.org", 80)
    assert [(each.block, each.by, each.sockets) for each in found] == [
        (first, By.DEFAULT, (("0.0.0.0", 80),)),
        (second, By.NAME, (("::", 80), ("192.0.2.1", 80))),
    ]
    unknown = answering([first, second, third], "x.org", 80)
    assert [(each.block, each.sockets) for each in unknown] == [
        (first, (("0.0.0.0", 80),)),
        (second, (("::", 80), ("192.0.2.1", 80))),
    ]


def test_a_pattern_that_cannot_be_judged_is_a_doubt() -> None:
    """It is named with its place, and only where it comes before what answers."""
    odd, plain = site("~^[[:alpha:]]+", line=3), site("~^example", "~(?R)", line=7)
    (found,) = answering([site("x"), odd, plain], "example.org", 80)
    assert (found.block, found.by) == (plain, By.PATTERN)
    assert found.doubts == (f"~^[[:alpha:]]+ ({odd.file}:3)",)


def test_an_answer_is_said_in_a_line() -> None:
    """With its sockets, its place and the reason."""
    servers = [site("x", listen="80,[::]:80"), site("~(?R)", "example.org", listen="80", line=7)]
    assert [str(each) for each in answering(servers, "example.org", 80)] == [
        f"0.0.0.0:80: {servers[1].file}:7 (server_name ~(?R) example.org)",
        f"[::]:80: {servers[0].file}:1 (only as the default there: server_name x)",
    ]
    (doubtful,) = answering(servers[1:], "example.net", 80)
    assert str(doubtful).endswith(f"; unless ~(?R) ({servers[1].file}:7) fits, which cannot be judged here")


def test_quic_and_other_ports_are_other_sockets() -> None:
    """A default of QUIC is none of TCP."""
    quic, plain = site("a", listen="80 quic default_server,8080"), site("b", listen="80", line=9)
    assert who("x", quic, plain) == (1, By.DEFAULT)
    assert answering([quic, plain], "x", 443) == ()


def test_the_hosts_own_name_is_known_where_it_is_told() -> None:
    """``server_name $hostname`` is taken from the system (ngx_http_core_server_name)."""
    servers = [site("x"), site("$hostname", line=5)]
    (found,) = answering(servers, "box.example.org", 80, hostname="Box.example.org")
    assert (found.block, found.by) == (servers[1], By.NAME)
