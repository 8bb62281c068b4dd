from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.operations.lines import edited
from palpo_installer.proxies.nginx.insertion import (
    Insertion,
    line_of,
    place,
    refuse_misreading,
)
from palpo_installer.proxies.nginx.tree import load
from palpo_installer.proxies.virtual_hosts import Impossible
from tests.proxies.nginx.corpus import LUA, SHAPES

OURS = Path("/etc/nginx/palpo-installer/example.com.conf")
CROWDED = "one-liners"
"""The one whose blocks have no line to themselves."""

MAIN = "events {}\nhttp { include site.conf; }\n"


def servers(root: Path, data: bytes) -> list[tuple[int, list[str]]]:
    """Return each server block of a site as crossplane reads it: its line, and the paths it includes."""
    for name, text in (("nginx.conf", MAIN.encode()), ("site.conf", data)):
        (root / name).write_bytes(text)
    tree = load(Host(), root / "nginx.conf")
    site = [each for http in tree.top.all("http") for each in http.all("server")]
    return [(each.line, [include.arguments[0] for include in each.all("include")]) for each in site]


def put(data: bytes, line: int = 1) -> bytes:
    """Return a file with our line in the server block of a line."""
    where = place(data, line)
    assert isinstance(where, Insertion), where
    return added(data, where)


def added(data: bytes, where: Insertion) -> bytes:
    """Return a file with our line at a place, as a run adds it."""
    refuse_misreading(data, where, OURS)
    after = edited(data, {where.line: (where.indent + line_of(OURS).encode()).decode()}, ())
    assert after.index(line_of(OURS).encode()) == where.offset + len(where.indent)
    return after


def removed(data: bytes) -> bytes:
    """Return a file without our line, as a run takes it out."""
    return edited(data, {}, (line_of(OURS),))


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.startswith((LUA, CROWDED))])
def test_one_line_goes_in_and_out_of_every_block_and_the_file_is_the_same(name: str, tmp_path: Path) -> None:
    """Another parser sees it in exactly the one block, on the line that was said; then not a byte is different."""
    data = SHAPES[name]
    before = servers(tmp_path, data)
    assert before
    for number, (line, _) in enumerate(before):
        where = place(data, line)
        assert isinstance(where, Insertion), where
        after = added(data, where)
        expected = [[*inside, *([str(OURS)] if n == number else [])] for n, (_, inside) in enumerate(before)]
        assert [sorted(inside) for _, inside in servers(tmp_path, after)] == [sorted(each) for each in expected]
        assert after.split(b"\n")[where.line - 1].lstrip().startswith(line_of(OURS).encode())
        assert after.count(b"\r\n") - data.count(b"\r\n") == (b"\r\n" in data)
        assert removed(after) == data
        if len(before) > 20:
            break


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server {\n\tserver_name a;\n\troot /x;\n}\n", "server {\n\tserver_name a;\n\tI\n\troot /x;\n}\n"),
        ("server {\n  location / {\n    root /x;\n  }\n}", "server {\n  I\n  location / {\n    root /x;\n  }\n}"),
        ("server\n{\n}\n", "server\n{\n    I\n}\n"),
        ("server { listen 80;\n  root /x; }", "server { listen 80;\n  I\n  root /x; }"),
        ("server {\n server_name a\n  b; # c\n}\n", "server {\n server_name a\n  b; # c\n I\n}\n"),
        ("server { # { ;\n server_name a; root /x;\n}", "server { # { ;\n I\n server_name a; root /x;\n}"),
    ],
)  # fmt: skip
def test_the_line_stands_below_the_name_or_else_first(text: str, expected: str) -> None:
    """With the indentation of the block's other lines, and never inside a directive that goes over lines."""
    assert put(text.encode()).decode() == expected.replace("I", line_of(OURS))


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"server { listen 80; }\n", 1, "line 1: no line ends between two directives of this server block"),
        (b"server {}", 1, "line 1: no line ends between two directives of this server block"),
        (b"server { location / {\n root /x;\n} }", 1, "line 1: no line ends between two directives"),
        (b"server { listen 1; } server { listen\n2; }", 1, "line 1: more than one server block begins here"),
        (b"upstream a {\n server b;\n}\n", 2, "line 2: no server block begins here"),
        (b"map $a $b {\n server {\n}\n}\n", 1, "line 1: no server block begins here"),
        (b"\xef\xbb\xbfserver {\n}\n", 1, "the file begins with a byte order mark"),
        (b"server {\r listen 80;\r}\r", 1, "line 1: no line ends between two directives of this server block"),
        (b"server {\n", 1, "a block is not closed at the end of the file"),
        (SHAPES[LUA], 1, "line 5: Lua code stands in this file"),
    ],
)  # fmt: skip
def test_where_there_is_no_place_the_reason_is_said(data: bytes, line: int, reason: str) -> None:
    """The person then adds the line by hand."""
    where = place(data, line)
    assert isinstance(where, Impossible)
    assert where.reason.startswith(reason)


def test_what_others_change_meanwhile_stays() -> None:
    """Only our line goes, also when it was moved, indented anew, or got another comment."""
    data = put(b"server {\n listen 80;\n}\n")
    line = line_of(OURS).encode()
    assert removed(data.replace(b"80", b"8080") + b"# more\n") == b"server {\n listen 8080;\n}\n# more\n"
    assert removed(b"server {\r\n\t\t" + line + b"  # ours\r\n}\r\n") == b"server {\r\n}\r\n"
    commented = b"server {\n # " + line + b"\n set $a '" + line + b"';\n}"
    assert removed(commented) == commented


def test_a_line_can_name_files_that_are_not_there_yet() -> None:
    """Nginx loads an include by pattern that nothing fits (ngx_conf_include)."""
    assert line_of(Path("/etc/nginx/palpo-installer/example.com-tls*")) == (
        "include /etc/nginx/palpo-installer/example.com-tls*;"
    )


def test_a_path_that_nginx_would_read_otherwise_is_refused() -> None:
    """A space or a variable would make another directive of it."""
    where = place(b"server {\n}\n", 1)
    assert isinstance(where, Insertion)
    for path in ("/etc/a b.conf", "/etc/$a.conf", "/etc/a;b"):
        with pytest.raises(RefusedPlan):
            refuse_misreading(b"server {\n}\n", where, Path(path))


def test_a_place_that_would_change_something_else_is_refused() -> None:
    """What was read before is compared with what is read after."""
    data = b"server {\n listen 80;\n set $a 'x\n y';\n}\n"
    for offset in (0, len(data), data.index(b"80"), data.index(b" y")):
        with pytest.raises(RefusedPlan):
            refuse_misreading(data, Insertion(offset, 1, b"", b"\n"), OURS)


PIECES = ["listen 80;", "server_name a b;", "location / {", "}", "if ($a = '}') {", "return 204;", "# c {;", "é"]
PIECES += ["set $a ${b};", "root /x\\;y;", " ", "\t", "\n", "\n", "\r\n", "'q;' \"r\";", "server {"]


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.sampled_from(["", "\n", "\r\n", " # x\n"]))
def test_whatever_a_block_holds_the_line_comes_out_again(pieces: list[str], opening: str) -> None:
    """For any block that has a place at all."""
    data = f"upstream u {{ server x; }}\nserver {{{opening}{''.join(pieces)}}}".encode()
    where = place(data, 2)
    assume(isinstance(where, Insertion))
    assert isinstance(where, Insertion)
    after = added(data, where)
    assert removed(after) == data
    assert after.replace(after.split(b"\n")[where.line - 1] + b"\n", b"", 1) == data
