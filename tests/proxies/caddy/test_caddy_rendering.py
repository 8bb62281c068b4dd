"""What becomes of a site for Caddy, and which Caddy is left alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import CertificateFiles, Method
from palpo_installer.certificates import store
from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.caddy import insertion, keys, storage, tree, words
from palpo_installer.proxies.caddy.adapter import CaddyAdapter
from palpo_installer.proxies.caddy.configuration import Caddy, Options
from palpo_installer.proxies.found import IncludeDirectory, Listen, ServerBlock
from palpo_installer.site import Issuer, Match, Scope
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


ORDERING = replace(CADDY, storage="/var/lib/caddy/.local/share/caddy")
ISSUER = Issuer("https://acme-v02.api.letsencrypt.org/directory")


def rendered(caddy: Caddy = CADDY) -> Rendering:
    """Return the usual site for a Caddy."""
    site = build(ANSWERS, Layout())
    files = {name: CertificateFiles(Path(f"/c/{name}.pem"), Path(f"/c/{name}.key")) for name in site.certificates}
    return CaddyAdapter(caddy).render(Assignment(site, HOST, Layout(), files))


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


def test_what_is_announced_as_far_too_large_is_refused_before_it_is_sent() -> None:
    """With the error of which the site makes its 413; it takes no short way, and the rest is counted as it comes."""
    (file,) = rendered().secure.files
    refusals = re.findall(
        r"@large header_regexp Content-Length `(.+)`\n\t+error @large \"body too large\" 413\n", file.text
    )
    short = re.findall(r"not header_regexp Content-Length `(.+)`\n\t}\n\thandle @palpo_usual", file.text)
    assert len(refusals) + len(short) == file.text.count("max_size ")
    assert len(short) == file.text.count("handle @palpo_usual") > 0
    assert {bool(re.search(pattern, "100000000")) for pattern in (*refusals, *short)} == {True}


@pytest.mark.parametrize("limit", [1, 10**6, 16 * 2**20, 30 * 2**20, 98 * 10**6, 10**9 - 2**20, 95 * 10**8])
def test_what_is_far_above_a_limit_is_known_by_its_length(limit: int) -> None:
    """From the next round number on, of any length; nothing that is only a little too large."""
    pattern = re.compile(words.far_above(limit))
    assert not any(pattern.search(str(size)) for size in (0, limit, limit + 1, limit + words.SLACK - 1, ""))
    least = next(size for size in range(limit, 3 * limit + 2 * words.SLACK, 10**5) if pattern.search(str(size)))
    assert least <= 1.2 * (limit + words.SLACK) + 10**5
    larger = [least * factor + more for factor in (1, 2, 3, 7, 9, 10, 11, 99, 100) for more in (0, 10**5, 12345678)]
    assert all(pattern.search(str(size)) for size in larger)
    assert all(pattern.search(f"00{size}") for size in larger)


def test_a_redirect_that_caddy_makes_by_itself_gives_way() -> None:
    """Caddy leaves it out where a site has that name on port 80; one that is written stays in the way."""
    redirect = site_of("example.com", 80, "::")
    assert rendered(replace(CADDY, servers=(replace(redirect, implied=True),))).plain.files
    with pytest.raises(RefusedPlan, match="already has a site on port 80"):
        rendered(replace(CADDY, servers=(redirect,)))


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
    """A directory for root alone keeps it out; those that are ours the plan opens to it."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "key.pem").touch(mode=0o644)
    with pytest.raises(RefusedPlan, match="runs as nobody"):
        keys.refuse_unreadable(CertificateFiles(Path("/etc/passwd"), closed / "key.pem"), "nobody", Layout())
    keys.refuse_unreadable(store.ordered(Layout(), "example.com"), "nobody", Layout())
    with pytest.raises(RefusedPlan, match="runs as nobody"):
        keys.refuse_unreadable(store.ordered(Layout(closed), "example.com"), "nobody", Layout(closed))


@pytest.mark.parametrize(
    ("caddy", "issuer", "why"),
    [
        (replace(ORDERING, options=Options(auto_https="off")), ISSUER, "told to order no certificates"),
        (replace(ORDERING, storage=""), ISSUER, "in no files"),
        (replace(ORDERING, servers=(site_of("*.com", 443, "::", "ssl"),)), ISSUER, r"certificate for \*\.com"),
        (
            replace(ORDERING, user="nobody"),
            replace(ISSUER, ca_file=Path("/root/none.pem")),
            "may not read the authority",
        ),
    ],
)
def test_a_caddy_that_cannot_order_is_refused_by_name(caddy: Caddy, issuer: Issuer, why: str) -> None:
    """By its options, its storage, the authority to trust, or what it shows instead; with the cure."""
    with pytest.raises(RefusedPlan, match=why) as refused:
        CaddyAdapter(caddy).kept("example.com", issuer)
    assert "http-01" in refused.value.next


def test_a_certificate_of_caddys_own_names_its_authority_and_no_files() -> None:
    """The site says from whom; what must be shown is what lies in Caddy's storage by authority and name."""
    certificates = replace(ANSWERS.certificates, method=Method.PROXY, directory=ISSUER.directory, email="a@example.com")
    site = build(replace(ANSWERS, certificates=certificates), Layout())
    assert site.issuer is not None
    adapter = CaddyAdapter(ORDERING)
    files = {name: adapter.kept(name, site.issuer) for name in site.certificates}
    found = adapter.render(Assignment(site, HOST, Layout(), files))
    text = found.secure.files[0].text
    assert text.count("issuer acme {") == len({(host.name, host.port) for host in site.virtual_hosts if host.tls})
    assert f"dir `{ISSUER.directory}`\n\t\t\temail `a@example.com`" in text
    assert "fullchain.pem" not in text
    shown = {str(each.certificate) for each in found.secure.expectations}
    place = "/var/lib/caddy/.local/share/caddy/certificates/acme-v02.api.letsencrypt.org-directory"
    assert f"{place}/example.com/example.com.crt" in shown


@pytest.mark.parametrize(
    ("options", "environment", "directory"),
    [
        ("", {"HOME": "/srv/caddy"}, "/srv/caddy/.local/share/caddy"),
        ("", {"HOME": "/srv/caddy", "XDG_DATA_HOME": "/data"}, "/data/caddy"),
        ("{\n\tstorage file_system /keep\n}\n", {}, "/keep"),
        ("{\n\tstorage file_system {\n\t\troot /keep\n\t}\n}\n", {}, "/keep"),
        ("{\n\tstorage redis {\n\t\thost x\n\t}\n}\n", {"HOME": "/srv"}, ""),
        ("", {}, "/root/.local/share/caddy"),
    ],
)
def test_where_caddy_keeps_certificates(
    tmp_path: Path, options: str, environment: dict[str, str], directory: str
) -> None:
    """By its options, its environment, or the home of its account; nowhere where it keeps them in a database."""
    (tmp_path / "Caddyfile").write_text(options)
    written = tree.load(Host(), tmp_path / "Caddyfile", {})
    top = next((each for each in written.segments if not each.words), None)
    assert storage.directory_of(top, environment, "root") == directory
