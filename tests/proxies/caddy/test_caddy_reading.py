"""Caddyfiles: words, segments, sites, options."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.caddy import addresses, reading, tokens, tree
from palpo_installer.proxies.caddy.addresses import Address, Ports
from palpo_installer.proxies.caddy.discovery import Started, is_server, parse_command, parse_version
from palpo_installer.proxies.caddy.reading import Configuration


def parsed(root: Path, text: str) -> tuple[tree.Tree, Configuration]:
    """Return what a Caddyfile says."""
    (root / "Caddyfile").write_text(text)
    read = tree.load(Host(Layout(root)), root / "Caddyfile", {"NAME": "from.example"})
    return read, reading.parse(read)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b # c\n# d\ne", [["a", "b"], ["e"]]),
        ('respond "a \\" {\nb" `c " d`\nx', [["respond", 'a " {\nb', 'c " d'], ["x"]]),
        ("a \\\n  b\nc", [["a", "b"], ["c"]]),
        ("a#b", [["a#b"]]),
        ("respond <<END\n  {\n  END 200\nx", [["respond", "  {\n", "200"], ["x"]]),
    ],
)
def test_words(text: str, words: list[list[str]]) -> None:
    """Quotes, backticks, comments, escaped ends of lines and texts of several lines, as Caddy's lexer has them."""
    assert [[token.text for token in line] for line in tokens.lines(text)] == words


def test_lines_are_those_of_the_file() -> None:
    """A quoted text of several lines does not shift what follows."""
    found = tokens.lines('a "b\nc"\nd \\\n e\nf')
    assert [line[0].line for line in found] == [1, 3, 5]


@pytest.mark.parametrize(
    ("text", "line"), [('a {\n b "x\n', 2), ("a {\n b {\n }\n", 1), ("a {\n}\n}\n", 3), ("import none\n", 1)]
)
def test_what_caddy_refuses_is_a_problem_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    """Quotes and braces that do not match, and imports of files that are not there."""
    read, _ = parsed(tmp_path, text)
    assert [each.line for each in read.problems] == [line]


def test_imports_snippets_arguments_and_variables(tmp_path: Path) -> None:
    """What is imported stands in place, with the file and line where it was written."""
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "one.caddy").write_text("\none.example {\n\tabort\n}\n")
    text = "(named) {\n\tbind {args.0}\n}\n{$NAME} {\n\timport named 127.0.0.1\n}\nimport sites/*.caddy\n"
    read, found = parsed(tmp_path, text)
    assert read.problems == ()
    assert read.variables
    secure = [each for each in found.servers if each.listens[0].port == 443]
    assert [(each.names, each.file.name, each.line) for each in secure] == [
        (("from.example",), "Caddyfile", 4),
        (("one.example",), "one.caddy", 2),
    ]
    assert [listen.address for listen in secure[0].listens] == ["127.0.0.1"]
    assert [(each.directory, each.pattern, each.line) for each in found.imports] == [(tmp_path / "sites", "*.caddy", 7)]
    assert read.globbed == ()


@pytest.mark.parametrize("pattern", ["sites/*", "*/*", "sites/.*"])
def test_a_pattern_for_every_name_fits_dot_names_too(tmp_path: Path, pattern: str) -> None:
    """Before Caddy 2.7, also within a site: so what a run lays aside must lie elsewhere."""
    (tmp_path / "sites").mkdir()
    read, _ = parsed(tmp_path, f"http://one.example {{\n\timport {pattern}\n}}\n")
    assert [(each.directory, each.pattern) for each in read.globbed] == [(tmp_path / "sites", Path(pattern).name)]


def test_sites_with_names_sockets_certificates_and_redirects(tmp_path: Path) -> None:
    """A site has a block for each port; Caddy's own redirect is one more, and certificates are kept."""
    text = (
        "{\n\tadmin unix//run/x\n}\na.example, http://b.example,\na.example:8448 {\n\ttls /c /k\n}\n:80 {\n\tabort\n}\n"
    )
    read, found = parsed(tmp_path, text)
    assert (read.braceless, read.last_line, found.options.admin) == (False, 10, "unix//run/x")
    assert [(each.names, each.listens[0].port, each.certificates, each.keys) for each in found.servers] == [
        (("a.example",), 443, ("/c",), ("/k",)),
        (("b.example",), 80, (), ()),
        (("a.example",), 8448, ("/c",), ("/k",)),
        ((), 80, (), ()),
        (("a.example",), 80, (), ()),
        (("a.example",), 80, (), ()),
    ]
    assert found.servers[0].listens[0].options == ("ssl", "http2")
    assert [each.implied for each in found.servers] == [False, False, False, False, True, True]


def test_a_site_without_braces_has_all_that_follows_it(tmp_path: Path) -> None:
    """In the main file, with a byte order mark in front; one in an imported file would take what is imported behind."""
    read, found = parsed(tmp_path, "\ufeffexample.com\nbind 127.0.0.1\nrespond hi\n")
    assert (read.braceless, read.problems) == (False, ())
    assert [(each.names, each.line) for each in found.servers if each.listens[0].port == 443] == [(("example.com",), 1)]
    (tmp_path / "one.caddy").write_text("example.com\nrespond hi\n")
    assert parsed(tmp_path, "import *.caddy\n")[0].braceless


def test_where_the_global_options_come_from(tmp_path: Path) -> None:
    """The line of the main file that leads to them, through imports of imports; none where it has them itself."""
    (tmp_path / "options").write_text("{\n\temail a@b\n}\n")
    (tmp_path / "first").write_text("import options\n")
    assert parsed(tmp_path, "# mine\nimport first\nexample.com\n")[0].options_imported == 2
    assert parsed(tmp_path, "{\n\temail a@b\n}\nexample.com\n")[0].options_imported == 0


@pytest.mark.parametrize(
    ("word", "address"),
    [
        ("example.com", Address("", "example.com", 443)),
        ("http://Example.com/x", Address("http", "example.com", 80)),
        ("https://[2001:db8::1]:8448", Address("https", "2001:db8::1", 8448)),
        (":8080", Address("", "", 8080)),
        ("localhost:8000-8010", None),
    ],
)
def test_addresses(word: str, address: Address | None) -> None:
    """Scheme, name and port, with Caddy's defaults."""
    assert addresses.parse(word, Ports()) == address


def test_how_caddy_was_started() -> None:
    """The command line tells what it runs with, and a reload is no server."""
    words = ["/usr/bin/caddy", "run", "--environ", "--config=/etc/caddy/x.json", "--resume", "--pidfile", "/run/c.pid"]
    assert parse_command(words) == Started("run", "/etc/caddy/x.json", resume=True, pid_file="/run/c.pid")
    assert is_server("caddy", words)
    assert not is_server("caddy", ["caddy", "reload"])
    modules = "go\tgo1.26\nmod\tgithub.com/caddyserver/caddy/v2\tv2.10.2\th1:x\ndep\tcel.dev/expr\tv0.24.0\n"
    versions = [parse_version(each) for each in ("v2.10.0 h1:abc=", "2.6.2", "unknown", modules)]
    assert versions == [(2, 10, 0), (2, 6, 2), None, (2, 10, 2)]
