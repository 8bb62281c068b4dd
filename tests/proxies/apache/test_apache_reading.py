"""Virtual hosts, sockets and names of Apache's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.proxies.apache.reading import Configuration, name_of, parse
from palpo_installer.proxies.apache.tree import Surroundings, load

NAMES = {"www.example.org": ("192.0.2.1", "2001:db8::1")}


def said(root: Path, text: str, *, ipv6: bool = True) -> Configuration:
    """Return what a main file says."""
    main = root / "apache2.conf"
    main.write_text(text)
    tree = load(Host(), main, Surroundings(root, (2, 4, 71)))
    return parse(tree, ipv6=ipv6, resolve=lambda name: NAMES.get(name, ()))


def sockets(configuration: Configuration) -> list[tuple[str, int, tuple[str, ...], int]]:
    """Return each socket of each server with its options and the server's line."""
    return [
        (each.address, each.port, each.options, server.line)
        for server in configuration.servers
        for each in server.listens
    ]


@pytest.mark.parametrize(
    ("word", "ipv6", "address", "options"),
    [
        ("80", True, "::", ("ipv6only=off",)),
        ("80", False, "0.0.0.0", ()),
        ("[::]:80", True, "::", ("ipv6only=off",)),
        ("0.0.0.0:80", True, "0.0.0.0", ()),
        ("192.0.2.1:80", True, "192.0.2.1", ()),
        ("[2001:db8::1]:80 https", True, "2001:db8::1", ("https",)),
    ],
)
def test_sockets(tmp_path: Path, word: str, ipv6: bool, address: str, options: tuple[str, ...]) -> None:
    """Without an address, for both families where there are two."""
    (listen,) = said(tmp_path, f"Listen {word}", ipv6=ipv6).listens
    assert (listen.address, listen.port, listen.options, listen.line) == (address, 80, options, 1)


def test_a_specific_address_takes_requests_from_any(tmp_path: Path) -> None:
    """Also at a socket of its own, where ``*`` then never answers."""
    text = (
        "Listen 80\nListen 192.0.2.2:81\n<VirtualHost *:80>\n</VirtualHost>\n<VirtualHost 192.0.2.1:80>\n</VirtualHost>"
    )
    text += "\n<VirtualHost 192.0.2.2>\n</VirtualHost>\n<VirtualHost _default_:*>\n</VirtualHost>"
    both = ("ipv6only=off",)
    assert sockets(said(tmp_path, text)) == [
        ("::", 80, both, 3),
        ("192.0.2.1", 80, ("by_address",), 5),
        ("192.0.2.2", 80, ("by_address", "any_port"), 7),
        ("192.0.2.2", 81, ("by_address", "any_port"), 7),
        ("::", 80, (*both, "any_port"), 9),
    ]


def test_the_main_server_answers_where_no_virtual_host_does(tmp_path: Path) -> None:
    """As the last, without a name, at the first line of the main file."""
    text = "ServerName main.example.org\nListen 80\nListen 81\n<VirtualHost *:81>\nServerName a\n</VirtualHost>"
    found = said(tmp_path, text)
    assert [(each.names, each.line, [listen.port for listen in each.listens]) for each in found.servers] == [
        (("a",), 4, [81]),
        ((), 1, [80]),
    ]


def test_names_certificates_and_tls(tmp_path: Path) -> None:
    """Of the virtual host, else of the main server; paths from the server's root."""
    text = """Listen 443
Protocols h2 http/1.1
SSLCertificateKeyFile /keys/all.key
<VirtualHost www.example.org:443 *:443>
    ServerName https://a.example.org:443
    ServerAlias b.example.org *.c.example.org
    ServerAlias d.example.org
    SSLEngine On
    SSLCertificateFile ssl/a.pem
</VirtualHost>
"""
    (block, *_) = said(tmp_path, text).servers
    assert block.names == ("a.example.org", "b.example.org", "*.c.example.org", "d.example.org")
    assert (block.certificates, block.keys) == ((str(tmp_path / "ssl/a.pem"),), ("/keys/all.key",))
    assert [(each.address, each.options) for each in block.listens] == [
        ("192.0.2.1", ("ssl", "http2", "by_address")),
        ("2001:db8::1", ("ssl", "http2", "by_address")),
        ("::", ("ssl", "http2", "ipv6only=off")),
    ]


def test_a_virtual_host_with_an_unknown_name_is_a_problem(tmp_path: Path) -> None:
    """With its place: where it answers is not known."""
    (problem,) = said(tmp_path, "Listen 80\n<VirtualHost gone.example:80>\n</VirtualHost>").problems
    assert (problem.line, "gone.example:80" in problem.message) == (2, True)


@pytest.mark.parametrize(
    ("written", "log"),
    [
        ("/var/log/e.log", "/var/log/e.log"),
        ("logs/e.log", "{root}/logs/e.log"),
        ('"|/bin/rotate x"', ""),
        ("syslog:local1", ""),
        ("syslog", ""),
    ],
)
def test_the_error_log(tmp_path: Path, written: str, log: str) -> None:
    """A file, or none."""
    assert said(tmp_path, f"ErrorLog {written}").error_log == log.format(root=tmp_path)


def test_directories_of_files(tmp_path: Path) -> None:
    """Those that are included by a pattern, with the place."""
    text = "IncludeOptional conf.d/*.conf\nInclude a/*/b.conf\nIncludeOptional vhosts.d/*\n"
    found = [(each.directory.name, each.pattern, each.line) for each in said(tmp_path, text).includes]
    assert found == [("conf.d", "*.conf", 1), ("vhosts.d", "*", 3)]


@pytest.mark.parametrize("written", ["a.example", "a.example:80", "http://a.example", "https://a.example:8443"])
def test_a_server_name_may_have_a_scheme_and_a_port(written: str) -> None:
    """Neither is part of the name."""
    assert name_of(written) == "a.example"


@pytest.mark.parametrize(
    ("line", "is_ahead"),
    [
        ("ProxyPass / http://127.0.0.1:3000/", True),
        ("ProxyPass /_matrix http://127.0.0.1:8008/_matrix nocanon", True),
        ('ProxyPassMatch "^/(.*)$" http://127.0.0.1:3000/$1', True),
        ("Redirect permanent / https://www.example.org/", True),
        ("RedirectMatch 301 ^/[.]well-known/(.*) https://www.example.org/$1", True),
        ("ProxyPass /app http://127.0.0.1:3000/", False),
        ("ProxyPass /_matrixfoo http://127.0.0.1:3000/", False),
        ("RedirectMatch ^/old$ /new", False),
        ("RedirectMatch ^/(old /new", False),
        ("<VirtualHost *:80>\nProxyPass / http://127.0.0.1:3000/\n</VirtualHost>", False),
    ],
)
def test_lines_for_the_whole_server_that_take_paths_of_ours(tmp_path: Path, line: str, is_ahead: bool) -> None:
    """With their place; those of a virtual host are its own affair."""
    found = said(tmp_path, f"Listen 80\n{line}\n").ahead
    assert [(each.file.name, each.line) for each in found] == [("apache2.conf", 2)] * is_ahead
