"""What is said of configurations as people write them: who answers, and what keeps our paths from answering."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.proxies.answering import Answering
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx.answering import answering
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.conflicts import conflicts
from palpo_installer.proxies.nginx.reading import parse
from palpo_installer.proxies.nginx.tree import load
from palpo_installer.site import CHALLENGE_PATH, MARKER_PATH, Challenge, FixedJson, Guest, Marker, Route
from tests.proxies.nginx.corpus import DATA, LUA, SHAPES

BUILD = Build((1, 22, 1), (), Path("/usr"), Path("/x"), "x", "stderr", "nobody")
SERVER, CLIENT = "/.well-known/matrix/server", "/.well-known/matrix/client"
DOCUMENTS = (Marker(), FixedJson(SERVER, "{}", 60), FixedJson(CLIENT, "{}", 60))
CHALLENGES = (Marker(), Challenge(Path("/var/lib/palpo")))


def read(root: Path, name: str) -> tuple[ServerBlock, ...]:
    """Return the server blocks of a configuration of the corpus."""
    shutil.copytree(DATA / "snippets", root / "snippets")
    (root / "site.conf").write_bytes(SHAPES[name])
    (root / "nginx.conf").write_text("http { include site.conf; }\n")
    tree = load(Host(), root / "nginx.conf")
    assert tree.problems == ()
    return parse(tree.top, BUILD, lambda _: ()).servers


def who(servers: tuple[ServerBlock, ...], name: str, port: int) -> list[Answering]:
    """Return who answers, most sockets first."""
    return sorted(answering(servers, name, port), key=lambda each: -len(each.sockets))


ANSWERS = [
    ("debian-default", "example.com", 80, [(11, "default")]),
    ("wordpress-certbot", "example.com", 80, [(35, "name")]),
    ("wordpress-certbot", "www.example.com", 443, [(5, "name")]),
    ("wordpress-certbot", "other.example.com", 443, [(5, "default")]),
    ("nextcloud", "cloud.example.com", 443, [(24, "name")]),
    ("mastodon", "social.example.com", 80, [(17, "name")]),
    ("django", "example.com", 80, [(4, "name")]),
    ("django", "tenant.example.com", 80, [(4, "wildcard")]),
    ("one-liners", "www.example.com", 8081, [(2, "name")]),
    ("one-liners", "b.example.com", 8082, [(3, "name")]),
    ("one-liners", "b.example.com", 80, [(4, "default")]),
    ("quoting", "www.example.com", 8084, [(11, "name")]),
    ("geo-and-limits", "example.com", 8085, [(9, "name")]),
    ("body-elsewhere", "example.com", 8083, [(2, "name")]),
    ("names", "example.com", 8086, [(6, "wildcard"), (17, "name")]),
    ("names", "shop.example.com", 8086, [(6, "wildcard"), (11, "default")]),
    ("names", "example.net", 8086, [(11, "default"), (17, "wildcard")]),
    ("names", "other.net", 8086, [(11, "default")]),
    ("a hundred sites", "site42.example.com", 80, None),
]


@pytest.mark.parametrize(("name", "asked", "port", "expected"), ANSWERS)
def test_who_answers(tmp_path: Path, name: str, asked: str, port: int, expected: list[tuple[int, str]] | None) -> None:
    """By the line at which the server block begins, and the reason; every socket of the port is accounted for."""
    servers = read(tmp_path, name)
    found = who(servers, asked, port)
    sockets = [socket for each in found for socket in each.sockets]
    listening = {(listen.address, listen.port) for block in servers for listen in block.listens if listen.port == port}
    assert sorted(sockets) == sorted(listening)
    if expected is None:
        assert [each.block.names for each in found] == [(asked,)]
    else:
        assert sorted((each.block.line, each.by.value) for each in found) == sorted(expected)


CONFLICTS: list[tuple[str, str, int, tuple[Route, ...], list[tuple[str, bool]]]] = [
    ("wordpress-certbot", "example.com", 443, DOCUMENTS, []),
    ("wordpress-certbot", "example.com", 80, CHALLENGES, [("site.conf:42", True)]),
    ("wordpress-certbot", "www.example.com", 80, CHALLENGES, [("site.conf:37", True)]),
    ("nextcloud", "cloud.example.com", 80, CHALLENGES, [("site.conf:21", True)]),
    ("nextcloud", "cloud.example.com", 443, DOCUMENTS, []),
    ("mastodon", "social.example.com", 80, CHALLENGES, [("site.conf:22", True)]),
    ("mastodon", "social.example.com", 443, DOCUMENTS, []),
    ("django", "example.com", 80, CHALLENGES, []),
    ("laravel", "example.com", 80, CHALLENGES, []),
    ("one-liners", "example.com", 8081, CHALLENGES, [("site.conf:1", True)]),
    ("quoting", "example.com", 8084, DOCUMENTS, [("site.conf:19", False)]),
    ("geo-and-limits", "example.com", 8085, CHALLENGES, [("site.conf:13", False)]),
    ("body-elsewhere", "example.com", 8083, DOCUMENTS, [("snippets/site-body.conf:4", True)]),
    ("body-elsewhere", "example.com", 8443, DOCUMENTS, []),
    ("websockets", "example.com", 80, DOCUMENTS, []),
    ("subsite", "example.com", 80, CHALLENGES, [("site.conf:8", True)]),
    ("subsite", "example.com", 443, DOCUMENTS, [("site.conf:18", True), ("site.conf:15", False)]),
]


@pytest.mark.parametrize(("name", "host", "port", "routes", "expected"), CONFLICTS)
def test_what_keeps_our_paths_from_answering(
    tmp_path: Path, name: str, host: str, port: int, routes: tuple[Route, ...], expected: list[tuple[str, bool]]
) -> None:
    """By file and line, and whether it is certain; most sites are in nobody's way."""
    block = who(read(tmp_path, name), host, port)[0].block
    found = conflicts(Guest(host, port, port in {443, 8443}, routes), block)
    assert sorted((each.where, each.certain) for each in found) == sorted(
        (f"{tmp_path}/{where}", certain) for where, certain in expected
    )
    assert all(each.next and set(each.paths) <= {MARKER_PATH, SERVER, CLIENT, f"{CHALLENGE_PATH}/"} for each in found)


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.startswith(LUA)])
def test_every_configuration_is_read_without_a_problem(tmp_path: Path, name: str) -> None:
    """Whatever its line ends, its encoding and its end."""
    plain = name.partition(",")[0]
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    expected = [(block.names, len(block.locations), len(block.rules)) for block in read(one, plain)]
    assert [(block.names, len(block.locations), len(block.rules)) for block in read(other, name)] == expected
