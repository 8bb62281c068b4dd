"""A guest in the sites of a real Caddy: what answers, what stays as it was, and what is said against it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.operations.lines import AddedLine, directive
from palpo_installer.probe import Question, ask
from palpo_installer.proxies.answering import By
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.caddy.reading import parse
from palpo_installer.proxies.caddy.tree import load
from palpo_installer.proxies.caddy.virtual_hosts import CaddyVirtualHosts
from palpo_installer.proxies.who_answers import answering
from palpo_installer.site import (
    CHALLENGE_PATH,
    MARKER_PATH,
    Challenge,
    FixedJson,
    Guest,
    Marker,
)
from tests.lab.guest_trials import (
    CLOSED,
    DOCUMENT,
    NAME,
    Trial,
    answers_beside,
    no_document_answers,
    routes,
    write_pages,
)
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running
from tests.lab.running import require_programs
from tests.ports import free_ports

BODY = r'{"m.homeserver":{"base_url":"https://matrix.example.com"},"note":"a\u00e9 \"b\" 100% {x}"}'

GLOBAL = "{\n\tadmin off\n\tauto_https off\n}\n"
FILES = "root * ROOT/www\nfile_server"
BACKEND = "127.0.0.1:9"

SITES = {
    "files": FILES,
    "everything is passed on": f"reverse_proxy {BACKEND}",
    "everything is answered": 'respond "hello"',
    "one page is redirected": f"redir /old /new\n{FILES}",
    "handled": 'handle {\n\trespond "h"\n}',
    "handled below the same path": 'handle /.well-known/* {\n\trespond "h"\n}',
    "handled at the same path": f'handle {DOCUMENT} {{\n\trespond "theirs"\n}}',
    "handled by name": '@host host example.com\nhandle @host {\n\trespond "h"\n}',
    "a route": "route {\n\tredir https://elsewhere.example/\n}",
    "one page for all": "root * ROOT/www\ntry_files {path} /index.html\nfile_server",
    "rewritten": f"rewrite * /index.html\n{FILES}",
    "stripped": 'uri strip_prefix /.well-known\nrespond "{path}"',
    "its own header": "header Access-Control-Allow-Origin *\nheader +Access-Control-Allow-Origin https://a\nrespond x",
    "refused": "error 403",
    "a script": f"root * ROOT/www\nphp_fastcgi {BACKEND}\nfile_server",
    "compressed": 'encode gzip\nrespond "x"',
    "a password for one part": f"basicauth /private/* {{\n\tu JDJhJDE0JDB4\n}}\n{FILES}",
}
"""Sites where every path of ours answers, and nothing certain is said against it."""

KEPT_OUT = {
    "everything is redirected": "redir https://elsewhere.example{uri} permanent",
    "redirected by path": "redir /.well-known/* https://elsewhere.example{uri}",
    "a password": "basicauth {\n\tu JDJhJDE0JDB4\n}\nrespond x",
    "another place decides": f"forward_auth {BACKEND} {{\n\turi /x\n}}\nrespond x",
}
"""Sites where no document of ours answers."""


def trials(root: Path, sites: Mapping[str, str]) -> dict[str, Trial]:
    """Write a Caddy with these sites, each on a port of its own, and read it as we do."""
    require_programs("caddy")
    write_pages(root)
    ports = dict(zip(sites, free_ports(len(sites)), strict=True))
    text = GLOBAL
    for label, port in ports.items():
        inside = "".join(f"\t{line}\n" for line in sites[label].replace("ROOT", str(root)).splitlines())
        text += f"\nhttp://{NAME}:{port}, http://www.{NAME}:{port} {{\n{inside}}}\n"
    (root / "Caddyfile").write_text(text)
    there = CaddyVirtualHosts(caddy(root), Host())
    blocks = {block.listens[0].port: block for block in there.proxy.servers}
    answers = routes(BODY, root / "webroot")
    return {
        label: Trial(there, blocks[port], port, there.leaflet(Guest(NAME, port, False, answers)), BODY)
        for label, port in ports.items()
    }


def caddy(root: Path) -> Caddy:
    """Return a Caddy as it is read."""
    tree = load(Host(), root / "Caddyfile", {})
    said = parse(tree)
    return Caddy(
        binary=Path("/usr/bin/caddy"), version=(2, 6, 2), configuration=root / "Caddyfile", files=tree.files,
        servers=said.servers, streams=(), problems=tree.problems, user="", error_log="", pid_file="", pid=None, unit="",
        unit_enabled=None, options=said.options, imports=said.imports,
    )  # fmt: skip


@contextmanager
def served(root: Path, port: int) -> Iterator[None]:
    """Run the Caddy of some trials."""
    program = shutil.which("caddy") or "/usr/bin/caddy"
    argv = (program, "run", "--config", str(root / "Caddyfile"), "--adapter", "caddyfile")
    with running(argv, {"HOME": str(root), "XDG_DATA_HOME": str(root), "XDG_CONFIG_HOME": str(root)}, port):
        yield


def test_beside_such_directives_our_paths_answer_and_theirs_as_before(tmp_path: Path) -> None:
    """Documents with one header of each kind, the marker under its name alone; also where a file of ours is gone."""
    found = trials(tmp_path, SITES)
    port = found["files"].port
    before = answers_beside(found, lambda: served(tmp_path, port))
    with_line = CaddyVirtualHosts(caddy(tmp_path), Host())
    for each in found.values():
        block = next(one for one in with_line.proxy.servers if one.listens[0].port == each.port)
        (there,) = with_line.inclusions(each.leaflet, block)
        assert with_line.leads_to(directive(each.leaflet.line), each.leaflet.file.path)
        assert there.line == block.line + 1
        assert not [one for one in with_line.conflicts(each.leaflet, block) if one.certain]
        each.leaflet.file.path.unlink()
    with served(tmp_path, port):
        assert {label: each.theirs() for label, each in found.items()} == before


def test_what_answers_first_is_foreseen(tmp_path: Path) -> None:
    """Each with its line, and none of our documents answers there."""
    found = trials(tmp_path, KEPT_OUT)
    for label, each in found.items():
        (said,) = each.said
        assert said.where == f"{each.block.file}:{each.block.line + 1}", label
        assert {MARKER_PATH, DOCUMENT, CLOSED, f"{CHALLENGE_PATH}/"} == set(said.paths)
    no_document_answers(found, lambda: served(tmp_path, next(iter(found.values())).port))


@pytest.mark.parametrize(
    "site",
    [
        "@some path_regexp x\nredir @some https://elsewhere.example/",
        "header {\n\tAccess-Control-Allow-Origin https://a\n\tdefer\n}",
        "rate_limit 1r/s",
    ],
)
def test_what_may_come_before_us_is_told(tmp_path: Path, site: str) -> None:
    """Matchers with a name, headers that are put off, directives of plugins: each with its line."""
    (found,) = trials(tmp_path, {"site": site}).values()
    (said,) = found.sites.conflicts(found.leaflet, found.block)
    assert not said.certain
    assert said.where.startswith(f"{found.block.file}:")


def test_where_caddy_redirects_by_itself_no_line_helps(tmp_path: Path) -> None:
    """The site's own block answers on another port, so that is said with the way out."""
    (tmp_path / "Caddyfile").write_text(f"{NAME} {{\n\trespond x\n}}\n")
    there = CaddyVirtualHosts(caddy(tmp_path), Host())
    (answer,) = answering(there.proxy, NAME, 80)
    leaflet = there.leaflet(Guest(NAME, 80, False, (Marker(), Challenge(Path("/var/lib/proofs")))))
    (said,) = (each for each in there.conflicts(leaflet, answer.block) if each.certain)
    assert "certificates.base_domain = site" in said.next
    secure = there.leaflet(Guest(NAME, 443, True, (Marker(), FixedJson(DOCUMENT, BODY, 60))))
    assert there.conflicts(secure, answer.block) == ()


HOSTS = (
    ("a.example.com", "aaaaaaaaaaaaaaaaaaaaaaaaaa.example.org"),
    ("*.example.com", "bbbbbbbbbbbbbb.example.org"),
    ("c.example.com",),
    ("*.c.example.com",),
    (),
)
ASKED = (
    "a.example.com", "b.example.com", "C.example.com", "x.c.example.com", "x.y.c.example.com", "unknown.example",
)  # fmt: skip


def test_who_answers_is_who_answers(tmp_path: Path) -> None:
    """The site with the longest name first, one label for a wildcard, then the one for all: as the real one does."""
    require_programs("caddy")
    (port,) = free_ports(1)
    text = GLOBAL
    for number, names in enumerate(HOSTS):
        text += f"{', '.join(f'http://{name}:{port}' for name in names or ('',))} {{\n\trespond site-{number}\n}}\n"
    (tmp_path / "Caddyfile").write_text(text)
    found = caddy(tmp_path)
    with served(tmp_path, port):
        for name in ASKED:
            blocks = {answer.block for answer in answering(found, name, port)}
            lines = {block.line for block in blocks}
            answer = ask(Question(LOOPBACK, port, tls=False, host=f"{name}:{port}"))
            told = {number for number in range(len(HOSTS)) if 5 + 3 * number in lines}
            assert {f"site-{number}".encode() for number in told} == {answer.body}, name
    reasons = [answering(found, name, port)[0].by for name in ("a.example.com", "x.c.example.com", "unknown.example")]
    assert reasons == [By.NAME, By.WILDCARD, By.DEFAULT]


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        ("example.com {\n  respond x\n}\n", 1, AddedLine("  LINE", 2)),
        ("# x\na.example,\nb.example {\n}\n", 2, AddedLine("\tLINE", 4)),
        ("example.com\n\nrespond x\n", 1, AddedLine("LINE", 2)),
        ("a.example {\n\t# here\n\n\t\trespond x\n}\nb.example {\n}\n", 1, AddedLine("\t\tLINE", 2)),
    ],
)
def test_the_line_is_the_first_in_the_site(tmp_path: Path, text: str, number: int, expected: AddedLine) -> None:
    """Below the brace, or the address where there are none; indented as what follows."""
    (tmp_path / "Caddyfile").write_text(text)
    there = CaddyVirtualHosts(caddy(tmp_path), Host())
    leaflet = there.leaflet(Guest(NAME, 443, True, (Marker(),)))
    block = next(each for each in there.proxy.servers if each.line == number)
    found = there.place(leaflet, block)
    assert isinstance(found, AddedLine)
    assert (found.text.replace(leaflet.line, "LINE"), found.before) == (expected.text, expected.before)
