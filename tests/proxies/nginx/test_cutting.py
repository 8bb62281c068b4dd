"""Leaving what a file has for port 80 out of it, checked by reading the rest with crossplane."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.operations.rests import without
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx import cutting, tree
from palpo_installer.proxies.nginx.reading import listens
from palpo_installer.proxies.virtual_hosts import Impossible

MAIN = "events {}\nhttp { include site.conf; }\n"


def blocks(root: Path, data: bytes) -> tuple[ServerBlock, ...]:
    """Return the server blocks of a site."""
    (root / "nginx.conf").write_text(MAIN)
    (root / "site.conf").write_bytes(data)
    top = tree.load(Host(), root / "nginx.conf").top
    found = []
    for each in (server for http in top.all("http") for server in http.all("server")):
        there = tuple(one for directive in each.all("listen") for one in listens(directive, lambda _: ()))
        found.append(ServerBlock(("a.example",), there, (), each.file, each.line))
    return tuple(found)


KEPT = {
    "a block of its own": (
        b"upstream u { server 127.0.0.1:1; }\n# mine\nserver {\n  listen 80;\n}\nserver {\n  listen 443 ssl;\n}\n",
        b"upstream u { server 127.0.0.1:1; }\n# mine\nserver {\n  listen 443 ssl;\n}\n",
    ),
    "lines of a block": (
        b"server {\n  listen 80;\n  listen [::]:80 default_server;\n  listen 443 ssl;\n  listen 127.0.0.1:8080;\n}\n",
        b"server {\n  listen 443 ssl;\n  listen 127.0.0.1:8080;\n}\n",
    ),
    "words of a line": (
        b'server { listen 80; listen "443" ssl; location / { return 200 "listen 80;"; } }\n',
        b'server {  listen "443" ssl; location / { return 200 "listen 80;"; } }\n',
    ),
    "a comment behind it": (
        b"server {\n  listen 80; # for the proof\n  listen 443 ssl;\n}",
        b"server {\n   # for the proof\n  listen 443 ssl;\n}",
    ),
    "a unix socket beside it": (
        b"server {\n  listen unix:/run/80;\n  listen *:80;\n}\n",
        b"server {\n  listen unix:/run/80;\n}\n",
    ),
    "nothing": (b"server { listen 443 ssl; }\n", b"server { listen 443 ssl; }\n"),
}


@pytest.mark.parametrize(("data", "rest"), KEPT.values(), ids=KEPT.keys())
def test_nothing_but_the_port_is_left_out(tmp_path: Path, data: bytes, rest: bytes) -> None:
    """Whole blocks where they have nothing else; nothing of the rest listens there any more."""
    found = cutting.cuts(data, blocks(tmp_path, data), 80)
    assert not isinstance(found, Impossible)
    assert without(data, found) == rest
    assert all(listen.port != 80 for block in blocks(tmp_path, rest) for listen in block.listens)


REFUSED = {
    "more than one server block": b"server { listen 80; } server { listen 443 ssl; }\n",
    "names several ports": b"server {\n  listen 127.0.0.1:80-81;\n}\n",
    "a block is not closed": b"server { listen 80; \n",
}


@pytest.mark.parametrize(("reason", "data"), REFUSED.items())
def test_what_cannot_be_told_apart_is_said(tmp_path: Path, reason: str, data: bytes) -> None:
    """With the line, for a person to do it."""
    readable = data if data.count(b"{") == data.count(b"}") else data + b"}"
    found = cutting.cuts(data, blocks(tmp_path, readable), 80)
    assert isinstance(found, Impossible)
    assert reason in found.reason


def test_a_listen_in_a_file_that_is_included_stays_a_persons(tmp_path: Path) -> None:
    """It may be of other sites too."""
    (tmp_path / "common.conf").write_text("listen 80;\n")
    data = b"server {\n  include common.conf;\n  listen 443 ssl;\n}\n"
    found = cutting.cuts(data, blocks(tmp_path, data), 80)
    assert isinstance(found, Impossible)
    assert "stands elsewhere" in found.reason
