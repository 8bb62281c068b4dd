"""A guest in the virtual hosts of a real Apache: what answers, what stays as it was, and what is said against it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.probe import Question, ask
from palpo_installer.proxies.answering import By
from palpo_installer.proxies.apache.configuration import Apache, Awake
from palpo_installer.proxies.apache.reading import parse
from palpo_installer.proxies.apache.tree import Surroundings, load
from palpo_installer.proxies.apache.virtual_hosts import ApacheVirtualHosts
from palpo_installer.proxies.who_answers import answering
from palpo_installer.site import (
    CHALLENGE_PATH,
    MARKER_PATH,
    Guest,
)
from tests.lab.guest_trials import (
    CLOSED,
    DOCUMENT,
    NAME,
    Trial,
    answers_beside,
    no_document_answers,
    put_in,
    routes,
    write_pages,
)
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running
from tests.lab.running import require_programs
from tests.ports import free_ports

BODY = r'{"m.homeserver":{"base_url":"https://matrix.example.com"},"note":"a\\u00e9 \"b\" 100%"}'

MODULES = (
    "mpm_event authz_core authz_host access_compat authn_core authn_file authz_user auth_basic alias dir mime headers "
    "proxy proxy_http setenvif"
)
MAIN = """\
ServerRoot /usr/lib/apache2
PidFile {root}/pid
DefaultRuntimeDir {root}
ErrorLog {root}/log
ServerName localhost
User www-data
Group www-data
TypesConfig /etc/mime.types
{modules}
<Directory />
Require all denied
AllowOverride None
</Directory>
<Directory {root}/www>
Require all granted
AllowOverride All
</Directory>
"""

BACKEND = "http://127.0.0.1:9/"

SITES = {
    "files": "",
    "everything is passed on": f"ProxyPass / {BACKEND}\nProxyPassReverse / {BACKEND}",
    "everything is redirected": "Redirect permanent / https://elsewhere.example/",
    "everything is denied": "<Location />\nRequire all denied\n</Location>",
    "denied as in 2.2": "<Location />\nOrder deny,allow\nDeny from all\n</Location>",
    "a password": "<Location />\nAuthType Basic\nAuthName x\nAuthUserFile /dev/null\nRequire valid-user\n</Location>",
    "its own header": 'Header always add Access-Control-Allow-Origin "*"\nHeader set Access-Control-Allow-Origin "*"',
    "the same path elsewhere": "Alias /.well-known/matrix ROOT/www",
}
"""Sites where every path of ours answers, with mod_rewrite or without, and nothing certain is said against it."""

REWRITING = {
    "a redirect by rule": "RewriteEngine On\nRewriteRule ^ https://elsewhere.example%{REQUEST_URI} [R=301,L]",
    "passed on by rule": f"RewriteEngine On\nRewriteRule ^/(.*) {BACKEND}$1 [P]",
    "passed on by location": f"<Location />\nProxyPass {BACKEND}\n</Location>",
}
"""Sites where they do with mod_rewrite."""

KEPT_OUT = {
    "passed on by location": f"<Location />\nProxyPass {BACKEND}\n</Location>",
    "redirected by location": "<Location />\nRedirect 301 https://elsewhere.example/\n</Location>",
}
"""Sites where without mod_rewrite no document of ours answers."""


def trials(root: Path, sites: Mapping[str, str], *, rewrite: bool) -> dict[str, Trial]:
    """Write an Apache with these sites, each on a port of its own, and read it as we do."""
    require_programs("apache2")
    for each in (root, *(parent for parent in root.parents if "pytest" in str(parent))):
        # The workers are of another account.
        each.chmod(0o755)
    write_pages(root)
    names = [*MODULES.split(), *(["rewrite"] if rewrite else [])]
    loaded = "\n".join(f"LoadModule {name}_module modules/mod_{name}.so" for name in names)
    text = MAIN.format(root=root, modules=loaded)
    ports = dict(zip(sites, free_ports(len(sites)), strict=True))
    for label, port in ports.items():
        site = sites[label].replace("ROOT", str(root))
        (root / f"{port}.conf").write_text(
            f"<VirtualHost {LOOPBACK}:{port}>\n\tServerName {NAME}\n\tServerAlias www.{NAME}\n"
            f"\tDocumentRoot {root}/www\n{site}\n</VirtualHost>\n"
        )
        text += f"Listen {LOOPBACK}:{port}\nInclude {root}/{port}.conf\n"
    (root / "main.conf").write_text(text)
    there = ApacheVirtualHosts(apache(root), Host())
    blocks = {block.listens[0].port: block for block in there.proxy.servers}
    answers = routes(BODY, root / "webroot")
    return {
        label: Trial(there, blocks[port], port, there.leaflet(Guest(NAME, port, False, answers)), BODY)
        for label, port in ports.items()
    }


def apache(root: Path) -> Apache:
    """Return an Apache as it is read."""
    server_root = Path("/usr/lib/apache2")
    tree = load(Host(), root / "main.conf", Surroundings(server_root, (2, 4, 71)))
    said = parse(tree, ipv6=False, resolve=lambda _: ())
    modules = tuple(each for each, _ in tree.loads)
    return Apache(
        binary=Path("/usr/sbin/apache2"), version=(2, 4, 71), configuration=root / "main.conf", files=tree.files,
        servers=said.servers, streams=(), problems=tree.problems, user="www-data", error_log="", pid_file="", pid=None,
        unit="", unit_enabled=None, arrangement="httpd", modules=modules, available=(), mpm="event",
        unaided=modules, enabled=(), listens=said.listens, includes=said.includes, server_root=server_root,
        header_limits=(0, 0), awake=Awake((), ()),
    )  # fmt: skip


@contextmanager
def served(root: Path, port: int) -> Iterator[None]:
    """Run the Apache of some trials."""
    argv = (shutil.which("apache2") or "/usr/sbin/apache2", "-DFOREGROUND", "-f", str(root / "main.conf"))
    with running(argv, {}, port):
        yield


def test_beside_such_sites_our_paths_answer_and_theirs_as_before(tmp_path: Path) -> None:
    """Documents with one header of each kind, the marker under its name alone; also where a file of ours is gone."""
    found = trials(tmp_path, SITES | REWRITING, rewrite=True)
    port = found["files"].port
    before = answers_beside(found, lambda: served(tmp_path, port))
    for each in found.values():
        each.leaflet.file.path.unlink()
    with served(tmp_path, port):
        assert {label: each.theirs() for label, each in found.items()} == before


def test_without_mod_rewrite_only_proofs_are_refused(tmp_path: Path) -> None:
    """Documents answer as well; that the site's own proofs would be lost is said before."""
    found = trials(tmp_path, SITES, rewrite=False)
    assert all("without mod_rewrite" in each.said[0].what for each in found.values())
    assert {each.said[0].paths for each in found.values()} == {(f"{CHALLENGE_PATH}/",)}
    put_in(found)
    with served(tmp_path, found["files"].port):
        assert {label: set(each.ours()) - {"proof"} for label, each in found.items()} == {key: set() for key in found}


def test_what_answers_first_without_mod_rewrite_is_foreseen(tmp_path: Path) -> None:
    """Each with its line, and none of our documents answers there."""
    found = trials(tmp_path, KEPT_OUT, rewrite=False)
    for label, each in found.items():
        said = next(one for one in each.said if DOCUMENT in one.paths)
        assert (said.where, set(said.paths)) == (f"{each.block.file}:6", {MARKER_PATH, DOCUMENT, CLOSED}), label
    no_document_answers(found, lambda: served(tmp_path, next(iter(found.values())).port))


@pytest.mark.parametrize(
    ("site", "certain"),
    [
        ("RewriteRule ^/old /new", True),
        ("RewriteEngine On\nRewriteOptions InheritBefore", False),
        ("<Location />\nRedirect 301 https://elsewhere.example/\n</Location>", True),
    ],
)
def test_what_else_decides_beside_mod_rewrite_is_told(tmp_path: Path, site: str, certain: bool) -> None:
    """Rules that nothing switches on, rules of the main server in front, and what takes proofs away."""
    (found,) = trials(tmp_path, {"site": site}, rewrite=True).values()
    (said,) = found.sites.conflicts(found.leaflet, found.block)
    assert (said.certain, said.where.partition(":")[0]) == (certain, str(found.block.file))


HOSTS = """\
<VirtualHost {any}:{port}>
ServerName first.example.com
ServerAlias *.wild.example.com w?w.example.org
Redirect 302 / https://first.invalid/
</VirtualHost>
<VirtualHost {any}:{port}>
ServerName http://Second.example.com:99
ServerAlias later.wild.example.com *
Redirect 302 / https://second.invalid/
</VirtualHost>
<VirtualHost {any}:{port}>
ServerName third.example.com
Redirect 302 / https://third.invalid/
</VirtualHost>
<VirtualHost 127.0.0.2:{port}>
ServerName alone.example.com
Redirect 302 / https://alone.invalid/
</VirtualHost>
"""
ASKED = (
    "first.example.com", "SECOND.example.com", "third.example.com", "later.wild.example.com", "a.b.wild.example.com",
    "wow.example.org", "woow.example.org", "unknown.example", "alone.example.com",
)  # fmt: skip


def test_who_answers_is_who_answers(tmp_path: Path) -> None:
    """The first that fits, wildcards as good as names, and a specific address by itself: as the real one does."""
    trials(tmp_path, {}, rewrite=False)
    (port,) = free_ports(1)
    text = HOSTS.format(any="*", port=port)
    (tmp_path / "main.conf").write_text(f"{(tmp_path / 'main.conf').read_text()}Listen {port}\n{text}")
    found = apache(tmp_path)
    with served(tmp_path, port):
        for address, name in itertools.product((LOOPBACK, "127.0.0.2"), ASKED):
            there = {answer.block: answer for answer in answering(found, name, port)}
            (told,) = [
                block.names[0].split(".")[0].lower()
                for block, answer in there.items()
                if (address == "127.0.0.2") == (("127.0.0.2", port) in answer.sockets)
            ]
            answer = ask(Question(address, port, tls=False, host=name))
            assert answer.header("location") == f"https://{told}.invalid/", (address, name)


def test_how_it_answers_is_told_with_the_reason(tmp_path: Path) -> None:
    """By its name, by a wildcard, or only as the first one there."""
    (tmp_path / "main.conf").write_text(f"Listen 8080\n{HOSTS.format(any='*', port=8080)}".replace(" *\n", "\n"))
    found = apache(tmp_path)
    reasons = {name: answering(found, name, 8080)[0].by for name in (*ASKED[1:2], *ASKED[4:5], *ASKED[7:8])}
    assert list(reasons.values()) == [By.NAME, By.WILDCARD, By.DEFAULT]
