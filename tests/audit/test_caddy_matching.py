"""Which requests matchers of Caddy fit, and which directive answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.audit.caddy_matching import fits_path, request
from palpo_installer.audit.caddy_passages import site
from palpo_installer.audit.caddy_values import bytes_of, seconds_of
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.caddy import tree
from tests.audit.made_proxies import CADDY
from tests.audit.test_passing_rules import findings


def answered(root: Path, body: str, target: str) -> tuple[str, bool] | None:
    """Return the first words of what answers in a site, and whether that is sure."""
    (root / "Caddyfile").write_text(f"a.example {{\n{body}\n}}\n")
    (segment,) = tree.load(Host(Layout(root)), root / "Caddyfile", {}).segments
    found = site(segment, ("a.example",)).answer(target)
    return (" ".join(found.by.words), found.sure) if found is not None else None


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/_matrix/*", "/_matrix/x", True),
        ("/_matrix/*", "/_MATRIX/x", True),
        ("/_matrix/*", "/_matrix", False),
        ("/_matrix*", "/_matrixfoo", True),
        ("/_matrix", "/_matrix/x", False),
        ("*.php", "/a.php", True),
        ("*admin*", "/x/admin/y", True),
        ("/_matrix/*/login", "/_matrix/client/login", True),
        ("/_matrix/*/login", "/_matrix/client/v3/login", False),
        ("*", "/", True),
    ],
)
def test_patterns_of_paths(pattern: str, path: str, expected: bool) -> None:
    """As caddyserver.com has them."""
    assert fits_path(pattern, path) is expected


def test_paths_are_compared_decoded_and_cleaned() -> None:
    """With the slash at the end kept."""
    assert [request(each).path for each in ("/a/%2e%2e/b", "//a//b/", "/a%2f..%2fb?x=/..", "/")] == [
        "/b",
        "/a/b/",
        "/b",
        "/",
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("reverse_proxy /_matrix/* a\nrespond 404", ("respond 404", True)),
        ("route {\nreverse_proxy /_matrix/* a\nrespond 404\n}", ("reverse_proxy /_matrix/* a", True)),
        ("handle {\nrespond 404\n}\nhandle /_matrix/* {\nreverse_proxy a\n}", ("reverse_proxy a", True)),
        ("handle /_matrix/* {\nrespond one\n}\nhandle /_matrix/x/* {\nrespond two\n}", ("respond two", True)),
        ("handle /_matrix/* {\nencode gzip\n}\nhandle {\nrespond 404\n}", None),
        ("redir https://b.example{uri}\nreverse_proxy a", ("redir https://b.example{uri}", True)),
        ("handle_path /_matrix/* {\nreverse_proxy /x/* a\n}", ("reverse_proxy /x/* a", True)),
        ("@o method OPTIONS\nrespond @o 204\nreverse_proxy a", ("reverse_proxy a", True)),
        ("@n not path /_matrix/*\nrespond @n 404\nreverse_proxy a", ("reverse_proxy a", True)),
        ("@l {\nremote_ip 10.0.0.0/8\npath /_matrix/*\n}\nreverse_proxy @l a", None),
        ("@h header Connection *Upgrade*\nrespond @h 400\nreverse_proxy a", ("reverse_proxy a", True)),
        ("@r path_regexp ^/_matrix/(x|y)/\nreverse_proxy @r a", ("reverse_proxy @r a", True)),
        ("@b host b.example\nrespond @b 404\nreverse_proxy a", ("reverse_proxy a", True)),
        ('@e expression `{uri}.matches("^/_mat") && !{uri}.matches("x=1")`\nreverse_proxy @e a', None),
        ("@u expression {env.X} == 1\nreverse_proxy @u a", ("reverse_proxy @u a", False)),
        ("@none path_regexp (\nreverse_proxy @none a", ("reverse_proxy @none a", False)),
        ("abort @unknown", ("abort @unknown", False)),
    ],
)
def test_what_answers(tmp_path: Path, body: str, expected: tuple[str, bool] | None) -> None:
    """In Caddy's order, not that of the file, but in a route; what cannot be told is said to be unsure."""
    assert answered(tmp_path, body, "/_matrix/x/y?x=1") == expected


@pytest.mark.parametrize(
    ("text", "size"), [("16MiB", 16 << 20), ("10MB", 10_000_000), ("50", 50), ("1.5k", 1500), ("x", None)]
)
def test_sizes(text: str, size: int | None) -> None:
    """Decimal and binary."""
    assert bytes_of(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("1m30s", 90.0), ("2d", 172800.0), ("500ms", 0.5), ("30", None)])
def test_times(text: str, seconds: float | None) -> None:
    """As Go writes them, and days."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(("body", "named"), [("hello", False), ('`{"hello": true}`', True)])
def test_a_page_for_whatever_is_asked_is_no_document(tmp_path: Path, body: str, named: bool) -> None:
    """A website that answers everything with a text says nothing of Matrix; with JSON it seems to."""
    site = f"{CADDY}\nhttps://other.example {{\n\ttls /c /k\n\trespond {body}\n}}\n"
    assert ("well-known-invalid" in [rule for rule, _ in findings(tmp_path, "caddy", site)]) is named


def test_what_is_refused_by_a_matcher_is_meant(tmp_path: Path) -> None:
    """A server that is closed to others misses nothing."""
    closed = CADDY.replace(
        "\thandle @matrix {",
        "\thandle /_matrix/federation/* {\n\t\trespond 403\n\t}\n\thandle /_matrix/key/* {\n\t\trespond 403\n\t}\n"
        "\thandle @matrix {",
    )
    assert findings(tmp_path, "caddy", closed) == []


def test_the_port_for_other_servers_needs_a_site_of_the_server_name(tmp_path: Path) -> None:
    """Caddy orders a certificate for each name that it serves there, and for no other."""
    toml = 'server_name = "example.com"\n'
    address = "matrix.example.com, matrix.example.com:8448 {"
    managed = "\n".join(line for line in CADDY.splitlines() if not line.startswith("\ttls ")) + "\n"
    alone = managed.replace("matrix.example.com {", address)
    assert "federation-certificate" in [rule for rule, _ in findings(tmp_path / "alone", "caddy", alone, toml)]
    both = managed.replace("matrix.example.com {", f"example.com:8448, {address}")
    assert "federation-certificate" not in [rule for rule, _ in findings(tmp_path / "both", "caddy", both, toml)]
