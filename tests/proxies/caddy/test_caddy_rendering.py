"""What becomes of a site for Caddy, and which Caddy is left alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import CertificateFiles
from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.caddy import insertion, keys, words
from palpo_installer.proxies.caddy.adapter import CaddyAdapter
from palpo_installer.proxies.caddy.configuration import Caddy, Options
from palpo_installer.proxies.found import IncludeDirectory, Listen, ServerBlock
from palpo_installer.site import Match, Scope
from tests.proxies.nginx.sites import ANSWERS, HOST

FILE = Path("/etc/caddy/Caddyfile")
CADDY = Caddy(
    binary=Path("/usr/bin/caddy"),
    version=(2, 6, 2),
    configuration=FILE,
    files=(),
    servers=(),
    streams=(),
    problems=(),
    user="root",
    error_log="",
    pid_file="/run/caddy.pid",
    pid=7,
    unit="",
    unit_enabled=None,
    room=1,
)


def rendered(caddy: Caddy = CADDY) -> Rendering:
    """Return the usual site for a Caddy."""
    site = build(ANSWERS, Layout())
    files = {name: CertificateFiles(Path(f"/c/{name}.pem"), Path(f"/c/{name}.key")) for name in site.certificates}
    return CaddyAdapter(caddy).render(site, HOST, Layout(), files)


def site_of(name: str, port: int, address: str, *options: str) -> ServerBlock:
    """Return a site of somebody else's."""
    return ServerBlock((name,), (Listen(address, port, options, FILE, 3),), (), FILE, 3)


def test_files_beside_the_caddyfile_and_one_line_in_it() -> None:
    """The line comes with the first half; every address is asked for every name."""
    found = rendered()
    assert [file.path.name for part in (found.plain, found.secure) for file in part.files] == [
        "palpo-installer-http.caddy",
        "palpo-installer-tls.caddy",
    ]
    (lines,) = found.plain.lines
    assert [(line.text, line.before) for line in lines.add] == [
        ("import palpo-installer/*.caddy # added by palpo-installer", 1)
    ]
    assert found.secure.lines == ()
    assert {(e.name, e.port, e.address) for e in found.secure.expectations} >= {("example.com", 443, "203.0.113.5")}
    assert any("count the logins" in each for each in found.findings)


def test_a_directory_that_is_imported_already_is_used() -> None:
    """Named as its pattern wants it, and without a line."""
    imported = IncludeDirectory(Path("/etc/caddy/Caddyfile.d"), "*.caddyfile", FILE, 9)
    found = rendered(replace(CADDY, imports=(imported,), room=0))
    assert (found.plain.files[0].path, found.plain.lines) == (
        Path("/etc/caddy/Caddyfile.d/palpo-installer-http.caddyfile"),
        (),
    )
    adapter = CaddyAdapter(replace(CADDY, imports=(imported,)))
    assert adapter.owns(found.secure.files[0].path)
    assert adapter.does_without(found.secure.files[0].path)


def test_an_imported_site_without_braces_takes_nothing_of_ours() -> None:
    """It has all that is imported behind it: ours come in front of it, and stay there on a second run."""
    theirs = IncludeDirectory(Path("/etc/caddy/sites"), "*.caddy", FILE, 2)
    first = rendered(replace(CADDY, imports=(theirs,), braceless=True))
    assert [line.before for lines in first.plain.lines for line in lines.add] == [1]
    ours = IncludeDirectory(Path("/etc/caddy/palpo-installer"), "*.caddy", FILE, 1)
    again = rendered(replace(CADDY, imports=(ours, theirs), braceless=True))
    assert (again.plain.files, again.plain.lines) == (first.plain.files, ())


@pytest.mark.parametrize(
    ("caddy", "why"),
    [
        (replace(CADDY, elsewhere="it was started with --resume"), "--resume"),
        (replace(CADDY, options=Options(admin="")), "admin off"),
        (replace(CADDY, variables=True), "environment"),
        (replace(CADDY, user="caddy"), "runs as caddy"),
        (replace(CADDY, uneditable="Ansible writes it"), "Ansible"),
        (replace(CADDY, room=0), "no line"),
        (replace(CADDY, servers=(site_of("example.com", 443, "::", "ssl"),)), "already has a site"),
        (replace(CADDY, servers=(site_of("x.example", 443, "::"),)), "plain HTTP"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_a_cure(caddy: Caddy, why: str) -> None:
    """Never overwritten: the reason, and what to do."""
    with pytest.raises(RefusedPlan) as caught:
        rendered(caddy)
    assert why in caught.value.what
    assert caught.value.next


def test_a_port_is_bound_as_its_other_sites_bind_it() -> None:
    """A wildcard beside one address would never be reached there."""
    found = rendered(replace(CADDY, servers=(site_of("x.example", 443, "203.0.113.5", "ssl"),)))
    assert found.secure.files[0].text.count("\tbind 203.0.113.5\n") == 2
    assert {e.address for e in found.secure.expectations} == {"203.0.113.5"}
    assert "bind" not in rendered().secure.files[0].text


def test_a_document_keeps_its_meaning_and_holds_nothing_that_caddy_replaces() -> None:
    """Braces and backticks in its texts are escaped as JSON has it."""
    body = json.dumps({"a": "{http.request.host} {$HOME} `x` \\ é", "b": [1, None, True]})
    word = words.document(body)
    assert json.loads(word[1:-1]) == json.loads(body)
    assert word.count("`") == 2
    assert "{http" not in word
    assert "{$" not in word


@pytest.mark.parametrize(
    ("match", "fits", "others"),
    [
        (
            Match("/_palpo/admin"),
            ("/_palpo/admin", "//%5fpalpo/%61dmin/x", "/_palpo%2fadmin?a"),
            ("/_palpo/administrator", "/x?/_palpo/admin"),
        ),
        (
            Match("/_matrix/client/*/login", Scope.EXACT),
            ("/_matrix/client/v3/login", "/_matrix//client/r0/%6Cogin/?x"),
            ("/_matrix/client/v3/login/sso", "/_matrix/client/login"),
        ),
    ],
)
def test_a_condition_holds_for_every_spelling(match: Match, fits: tuple[str, ...], others: tuple[str, ...]) -> None:
    """Each letter plain or as its escape, more slashes than one; the query does not count."""
    (line,) = words.condition(match)
    pattern = line.partition("`")[2].removesuffix("`")
    assert all(re.search(pattern, target) for target in fits)
    assert not any(re.search(pattern, target) for target in others)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# mine\na.example {\n}\n", 1),
        ("# mine\n{\n\tadmin x {\n\t}\n}\n\na.example {\n}\n", 6),
        ("(mine) {\n\theader X y\n}\n{\n\temail a@b\n}\na.example\nrespond hi", 7),
        ("# mine\nexample.com\nhandle {\n}\n", 1),
        ("example.com", 1),
        ("\ufeff# mine\r\nexample.com\r\n", 2),
        ("\ufeffexample.com\n", 0),
        ("{\n\temail a@b\n}\n", 0),
        ("", 0),
        ('a.example {\n\trespond "\n', 0),
    ],
)
def test_our_line_comes_behind_the_global_options(text: str, line: int) -> None:
    """They have to be the first block; where no line follows them, there is no place."""
    assert insertion.room(text) == line


def test_keys_that_the_account_of_caddy_may_not_read_are_refused_with_what_is_in_the_way(tmp_path: Path) -> None:
    """A directory for root alone keeps it out, and a file that everybody may read does not."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "key.pem").touch(mode=0o644)
    assert keys.barrier(closed / "key.pem", "nobody") in {*tmp_path.resolve().parents, tmp_path.resolve(), closed}
    assert keys.barrier(Path("/etc/passwd"), "nobody") is None
    with pytest.raises(RefusedPlan, match="runs as nobody"):
        keys.refuse_unreadable(CertificateFiles(Path("/etc/passwd"), closed / "key.pem"), "nobody")
