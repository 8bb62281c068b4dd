"""Where a request of this host's own needs a PROXY line, by what a Caddyfile says and by the version of Caddy."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.caddy import balancing, reading, tree

OLD, NEW = (2, 7, 6), (2, 10, 2)
PROTOCOL = "\tlistener_wrappers {\n\t\tproxy_protocol {\n\t\t\tWORDS\n\t\t}\n\t\ttls\n\t}\n"


def read(root: Path, *blocks: tuple[str, str], version: balancing.Version) -> reading.Configuration:
    """Return what a Caddyfile with such blocks of ``servers`` says: their listener, and words about PROXY lines."""
    said = "".join(
        f"servers {listener} {{\n{PROTOCOL.replace('WORDS', words) if words != 'none' else ''}\tprotocols h1\n}}\n"
        for listener, words in blocks
    )
    (root / "Caddyfile").write_text(
        f"{{\n{said}}}\nhttp://a.example {{\n\tabort\n}}\nhttps://a.example {{\n\tabort\n}}\n"
    )
    return reading.parse(tree.load(Host(Layout(root)), root / "Caddyfile", {}), version)


@pytest.mark.parametrize(
    ("words", "version", "local", "elsewhere"),
    [
        ("", OLD, True, True),
        ("allow 127.0.0.0/8 nonsense", OLD, True, False),
        ("allow 10.0.0.0/8", OLD, False, False),
        ("allow 127.0.0.0/8", NEW, False, False),
        ("fallback_policy REQUIRE", NEW, True, True),
        ("none", OLD, False, False),
    ],
)
def test_who_needs_a_line(tmp_path: Path, words: str, version: balancing.Version, local: bool, elsewhere: bool) -> None:
    """With 2.7 who may send one has to; since then only where it is required."""
    said = read(tmp_path, ("", words), version=version)
    blocks = said.options.balancing
    assert balancing.expects(blocks, "127.0.0.1", 443, version) is local
    assert balancing.expects(blocks, "198.18.0.10", 443, version) is elsewhere
    assert {"proxy_protocol" in each.options for block in said.servers for each in block.listens} >= {local}


def test_a_block_for_one_socket_is_for_that_alone(tmp_path: Path) -> None:
    """The one without a socket is for all others."""
    said = read(tmp_path, (":443", ""), ("", "none"), version=OLD)
    assert {("proxy_protocol" in each.options, each.port) for block in said.servers for each in block.listens} == {
        (True, 443),
        (False, 80),
    }
    turned = read(tmp_path, (":443", "none"), ("", ""), version=OLD).options.balancing
    assert [balancing.expects(turned, "::1", port, OLD) for port in (443, 8448)] == [False, True]
