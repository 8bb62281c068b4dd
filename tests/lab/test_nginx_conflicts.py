"""What in a site keeps our locations out, or from answering: the real nginx, and what we say of the same file."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from palpo_installer.host import Host
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.conflicts import Conflict, conflicts
from palpo_installer.proxies.nginx.insertion import Insertion, insert, place
from palpo_installer.proxies.nginx.reading import parse
from palpo_installer.proxies.nginx.tree import load
from palpo_installer.site import CHALLENGE_PATH, MARKER_PATH, Challenge, FixedJson, Guest, Marker
from tests.lab.nginx_with_neighbours import LOOPBACK, free_ports
from tests.lab.running import require_programs, until

NAME = "example.com"
DOCUMENT = "/.well-known/matrix/server"
TOKEN = f"{CHALLENGE_PATH}/token"
BUILD = Build((1, 22, 1), (), Path("/usr"), Path("/x"), "x", "stderr", "nobody")

OURS = """\
location = {marker} {{ add_header Palpo-Installer ours always; return 204; }}
location = {document} {{ default_type application/json; return 200 '{{}}'; }}
location ^~ {challenge}/ {{ {lifted} default_type text/plain; root {root}/proofs; }}
"""
LIFTED = "allow all; auth_basic off; auth_request off;"

ANSWERING = {
    "a site of its own": "location / { return 418; }",
    "a redirect in a location": "location / { return 301 https://example.com$request_uri; }",
    "the exact path as a prefix": f"location {DOCUMENT} {{ return 418; }}",
    "the prefix without its slash": f"location ^~ {CHALLENGE_PATH} {{ return 418; }}",
    "the prefix as an exact path": f"location = {CHALLENGE_PATH}/ {{ return 418; }}",
    "a wider prefix": "location ^~ /.well-known/ { return 418; }",
    "the same inside another": f"location /.well-known/ {{ location = {DOCUMENT} {{ return 418; }} "
    f"location ^~ {CHALLENGE_PATH}/ {{ return 418; }} }}",
    "patterns": "location ~ /\\.well-known { return 418; } location ~ /\\. { deny all; }",
    "everything denied": "deny all;",
    "everybody must log in": 'auth_basic "closed"; auth_basic_user_file /dev/null;',
    "another place decides": "auth_request /decide; location = /decide { internal; return 403; }",
    "one of two must be": 'satisfy any; deny all; auth_basic "x"; auth_basic_user_file /dev/null;',
    "another name is redirected": "if ($host = www.example.com) { return 301 https://example.com$request_uri; }",
    "another scheme is redirected": "if ($scheme = https) { return 301 http://$host$request_uri; }",
    "a method is refused": "if ($request_method !~ ^(GET|HEAD|POST)$) { return 405; }",
    "a name by pattern": 'if ($host ~* "^www\\.(.+)$") { return 301 https://$1$request_uri; }',
    "a variable that stays off": 'set $go ""; if ($host = a.b) { set $go 1; } if ($go) { return 301 /x; }',
    "an end before the redirect": "if ($uri ~ ^/\\.well-known/) { break; } return 301 https://$host$request_uri;",
    "other paths are rewritten": "rewrite ^/old/(.*)$ /new/$1 permanent; rewrite ^/([a-z]+)$ /index.php?q=$1 last;",
    "a rewrite to the same path": "rewrite ^(.*)$ $1 break; return 403;",
    "a host in two parts": "if ($server_name = other) { return 403; } if ($http_host != example.com:PORT) { return 403; }",
}
"""Sites where every path of ours answers, and nothing certain is said against it."""

KEPT_OUT = {
    "the same exact path": f"location = {DOCUMENT} {{ return 418; }}",
    "the same exact path in one word": f'location "={DOCUMENT}" {{ return 418; }}',
    "the same prefix": f"location {CHALLENGE_PATH}/ {{ return 418; }}",
    "the same prefix, preferred": f"location ^~ {CHALLENGE_PATH}/ {{ return 418; }}",
    "the marker": f"location = {MARKER_PATH} {{ return 418; }}",
}
"""Sites with which nginx does not load the included file."""

SILENT = {
    "a redirect": "return 301 https://$host$request_uri;",
    "an answer": 'return 200 "gone";',
    "an address": "return https://elsewhere.example/;",
    "certbot's redirect": "if ($host = example.com) { return 301 https://$host$request_uri; } return 404;",
    "the scheme": 'if ($scheme = "http") { return 301 https://example.com$request_uri; }',
    "the scheme by https": 'if ($https = "") { return 301 https://example.com$request_uri; }',
    "not https": "if ($scheme != https) { rewrite ^ https://example.com$request_uri? permanent; }",
    "every path": "rewrite ^(.*)$ https://example.com$1 permanent;",
    "every path to a script": "rewrite ^ /index.php last; location / { return 418; }",
    "every path with a query": "rewrite ^/(.*)$ /index.php?q=$1 last; location / { return 418; }",
    "a variable": "set $go 0; if ($host ~ ^example) { set $go 1; } if ($go = 1) { return 301 /x; }",
    "two conditions in one": 'set $t ""; if ($scheme = http) { set $t "${t}A"; } if ($uri ~ ^/) { set $t "${t}B"; } '
    "if ($t = AB) { return 302 /x; }",
    "hidden files": "if ($request_uri ~ /\\.) { return 404; }",
}
"""Sites where none of our paths answers."""


@dataclass(frozen=True)
class Tried:
    """What became of a site with our line: nginx's complaint, its answers by path, what we say."""

    complaint: str
    answers: dict[str, Answer]
    said: tuple[Conflict, ...]

    def ours(self, path: str) -> bool:
        """Whether a path got our answer."""
        answer = self.answers[path]
        if path == MARKER_PATH:
            return answer.header("Palpo-Installer") == "ours"
        return (answer.status, answer.body) == (200, b"{}" if path == DOCUMENT else b"proof")


@contextmanager
def tried(root: Path, site: str, lifted: str = LIFTED, http: str = "") -> Iterator[Tried]:
    """Put our line into a site as we do, start nginx with it, and ask."""
    require_programs("nginx")
    (port,) = free_ports(1)
    root.chmod(0o755)
    (root / "proofs").mkdir()
    proof = root / "proofs" / TOKEN.lstrip("/")
    proof.parent.mkdir(parents=True)
    proof.write_text("proof")
    ours = root / "ours.inc"
    ours.write_text(
        OURS.format(marker=MARKER_PATH, document=DOCUMENT, challenge=CHALLENGE_PATH, root=root, lifted=lifted)
    )
    file, main = root / "site.conf", root / "nginx.conf"
    file.write_text(
        f"server {{\n    listen {LOOPBACK}:{port};\n    server_name {NAME};\n    {site.replace('PORT', str(port))}\n}}\n"
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {root}/{kind};" for kind in kinds)
    main.write_text(
        f"user root; worker_processes 1; pid {root}/pid; error_log {root}/log; events {{}}\n"
        f"http {{ access_log off; {temporary} {http} include {file}; }}\n"
    )
    guest = Guest(NAME, port, False, (Marker(), FixedJson(DOCUMENT, "{}", 60), Challenge(root)))
    (block,) = parse(load(Host(), main).top, BUILD, lambda _: ()).servers
    said = conflicts(guest, block)
    where = place(file.read_bytes(), 1)
    assert isinstance(where, Insertion)
    file.write_bytes(insert(file.read_bytes(), where, ours))
    started = subprocess.run(["/usr/sbin/nginx", "-c", main], check=False, capture_output=True, text=True, timeout=20)
    if started.returncode != 0:
        yield Tried(started.stderr, {}, said)
        return
    try:
        until(lambda: (root / "pid").exists() and bool((root / "pid").read_text()), "nginx's start")
        paths = (MARKER_PATH, DOCUMENT, TOKEN)
        answers = {
            path: ask(Question(LOOPBACK, port, tls=False, host=f"{NAME}:{port}", sni="", target=path)) for path in paths
        }
        yield Tried("", answers, said)
    finally:
        master = psutil.Process(int((root / "pid").read_text()))
        family = [master, *master.children()]
        master.terminate()
        psutil.wait_procs(family, timeout=20)


@pytest.mark.parametrize("site", ANSWERING.values(), ids=ANSWERING.keys())
def test_beside_such_a_site_our_paths_answer(tmp_path: Path, site: str) -> None:
    """nginx gives our answers, and we say nothing certain against them."""
    with tried(tmp_path, site) as result:
        assert result.complaint == ""
        assert {path: result.ours(path) for path in result.answers} == dict.fromkeys(result.answers, True)
        assert result.said == ()


@pytest.mark.parametrize("site", KEPT_OUT.values(), ids=KEPT_OUT.keys())
def test_a_second_location_for_a_path_is_foreseen(tmp_path: Path, site: str) -> None:
    """nginx does not load the file, and we name the location that is there with its line."""
    with tried(tmp_path, site) as result:
        assert "duplicate location" in result.complaint
        (conflict,) = result.said
        assert (conflict.where, conflict.certain) == (f"{tmp_path}/site.conf:4", True)
        assert conflict.paths[0] in site


@pytest.mark.parametrize("site", SILENT.values(), ids=SILENT.keys())
def test_what_answers_before_any_location_is_foreseen(tmp_path: Path, site: str) -> None:
    """None of our paths gets our answer, and we name the line for each of them."""
    with tried(tmp_path, site) as result:
        assert {path: result.ours(path) for path in result.answers} == dict.fromkeys(result.answers, False)
        assert {path for each in result.said for path in each.paths} == {MARKER_PATH, DOCUMENT, f"{CHALLENGE_PATH}/"}
        assert all(each.certain and each.where == f"{tmp_path}/site.conf:4" for each in result.said)


ACCESS = ["deny all;", 'auth_basic "x"; auth_basic_user_file /dev/null;', "allow 192.0.2.1; deny all;"]


@pytest.mark.parametrize("inherited", [False, True], ids=["server", "http"])
@pytest.mark.parametrize("rule", ACCESS)
def test_access_rules_forbid_files_only_and_a_location_lifts_them(tmp_path: Path, rule: str, inherited: bool) -> None:
    """Without "allow all; auth_basic off;" the challenge is forbidden and what returns is not."""
    http, site = (rule, "") if inherited else ("", rule)
    with tried(tmp_path, site, lifted="", http=http) as result:
        assert [result.ours(path) for path in result.answers] == [True, True, False]
