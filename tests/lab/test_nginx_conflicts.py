"""What in a site keeps our locations out, or from answering: the real nginx, and what we say of the same file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.operations.lines import edited
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.conflicts import conflicts
from palpo_installer.proxies.nginx.insertion import Insertion, line_of, place
from palpo_installer.proxies.nginx.reading import parse
from palpo_installer.proxies.nginx.tree import load
from palpo_installer.proxies.virtual_hosts import Conflict
from palpo_installer.site import CHALLENGE_PATH, MARKER_PATH, Challenge, FixedJson, Guest, Marker
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running, web_certificate
from tests.lab.running import require_programs
from tests.ports import free_ports

NAME = "example.com"
DOCUMENT = "/.well-known/matrix/server"
TOKEN = f"{CHALLENGE_PATH}/token"
PROOFS = Path("/var/lib/proofs")
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
    "the site's name": "if ($server_name = other) { return 403; }",
    "a name with its port": "if ($http_host != example.com:PORT) { return 403; }",
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


ACCESS = {
    "everything": "deny all;",
    "a password": 'auth_basic "x"; auth_basic_user_file /dev/null;',
    "addresses": "allow 192.0.2.1; deny all;",
    "another place decides": "auth_request /decide; location = /decide { internal; return 403; }",
}
"""Sites that forbid files to everybody, but not what a location returns."""

REMARKS = {
    "a map": "if ($mapped) { return 403; }",
    "the client": "if ($http_user_agent ~ bot) { return 403; }",
    "a file": "if (-f /nowhere) { return 503; }",
    "a limit": "limit_req zone=all burst=100;",
    "a pattern of PCRE alone": "rewrite ^/(?|(a)|(b))$ /x last;",
    "what a map says": "rewrite ^ $mapped last;",
}
"""Sites of which a file cannot say whether our paths answer."""


@dataclass(frozen=True)
class Trial:
    """A site with our line in it, as nginx's files say it before."""

    file: Path
    port: int
    block: ServerBlock

    @property
    def said(self) -> tuple[Conflict, ...]:
        """What we say of the site."""
        return conflicts(Guest(NAME, self.port, False, (Marker(), FixedJson(DOCUMENT, "{}", 60), Challenge(PROOFS))),
                         self.block)  # fmt: skip

    def ours(self, path: str) -> bool:
        """Ask for a path; return whether the answer is ours."""
        host = f"{NAME}:{self.port}"
        answer = ask(Question(LOOPBACK, self.port, tls=False, host=host, sni="", target=path))
        if path == MARKER_PATH:
            return answer.header("Palpo-Installer") == "ours"
        return (answer.status, answer.body) == (200, b"{}" if path == DOCUMENT else b"proof")


def trials(root: Path, sites: Sequence[str], *, lifted: str = LIFTED, http: str = "") -> list[Trial]:
    """Write an nginx with these sites, each on a port of its own, read it, and put our line into each as we do."""
    require_programs("nginx")
    proof = root / "proofs" / TOKEN.lstrip("/")
    proof.parent.mkdir(parents=True)
    proof.write_text("proof")
    for directory in (root, *root.parents[:2]):
        directory.chmod(0o755)
    ours = root / "ours.inc"
    names = {"marker": MARKER_PATH, "document": DOCUMENT, "challenge": CHALLENGE_PATH}
    ours.write_text(OURS.format(**names, root=root, lifted=lifted))
    ports = free_ports(len(sites))
    for port, site in zip(ports, sites, strict=True):
        text = f"listen {LOOPBACK}:{port};\n    server_name {NAME};\n    {site.replace('PORT', str(port))}"
        (root / f"{port}.conf").write_text(f"server {{\n    {text}\n}}\n")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {root}/{kind};" for kind in kinds)
    maps = 'map $remote_addr $mapped { default ""; } limit_req_zone $remote_addr zone=all:1m rate=100r/s;'
    includes = " ".join(f"include {root}/{port}.conf;" for port in ports)
    main = root / "nginx.conf"
    main.write_text(
        f"user root; worker_processes 1; pid {root}/pid; error_log {root}/log; daemon off; events {{}}\n"
        f"http {{ access_log off; {temporary} {maps} {http} {includes} }}\n"
    )
    servers = parse(load(Host(), main).top, BUILD, lambda _: ()).servers
    for server in servers:
        data = server.file.read_bytes()
        where = place(data, server.line)
        assert isinstance(where, Insertion)
        server.file.write_bytes(edited(data, {where.line: line_of(ours)}, ()))
    return [Trial(server.file, port, server) for server, port in zip(servers, ports, strict=True)]


@contextmanager
def served(root: Path, trial: Trial) -> Iterator[None]:
    """Run the nginx of some trials."""
    with running(("/usr/sbin/nginx", "-c", str(root / "nginx.conf")), {}, trial.port):
        yield


def answers(each: Trial) -> tuple[bool, ...]:
    """Return whether marker, document and challenge are ours."""
    return tuple(each.ours(path) for path in (MARKER_PATH, DOCUMENT, TOKEN))


def test_beside_such_sites_our_paths_answer(tmp_path: Path) -> None:
    """Every answer is ours, and we say nothing against them."""
    found = trials(tmp_path, list(ANSWERING.values()))
    assert dict(zip(ANSWERING, (each.said for each in found), strict=True)) == dict.fromkeys(ANSWERING, ())
    with served(tmp_path, found[0]):
        assert dict(zip(ANSWERING, map(answers, found), strict=True)) == dict.fromkeys(ANSWERING, (True, True, True))


def test_a_second_location_for_a_path_is_foreseen(tmp_path: Path) -> None:
    """The file is not loaded by nginx, and we name the location that is there with its line."""
    for label, site in KEPT_OUT.items():
        root = tmp_path / "-".join(re.findall("[a-z]+", label))
        root.mkdir()
        (trial,) = trials(root, [site])
        argv = ["/usr/sbin/nginx", "-t", "-c", str(root / "nginx.conf")]
        tested = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=20)
        assert "duplicate location" in tested.stderr, label
        (conflict,) = trial.said
        assert (conflict.where, conflict.certain) == (f"{trial.file}:4", True)
        assert conflict.paths[0] in site


def test_what_answers_before_any_location_is_foreseen(tmp_path: Path) -> None:
    """None of our paths gets our answer, and we name the line for each of them."""
    found = trials(tmp_path, list(SILENT.values()))
    for label, each in zip(SILENT, found, strict=True):
        assert {path for said in each.said for path in said.paths} == {MARKER_PATH, DOCUMENT, f"{CHALLENGE_PATH}/"}
        assert all(said.certain and said.where == f"{each.file}:4" for said in each.said), label
    with served(tmp_path, found[0]):
        assert dict(zip(SILENT, map(answers, found), strict=True)) == dict.fromkeys(SILENT, (False, False, False))


def test_where_a_redirect_leads_is_told(tmp_path: Path) -> None:
    """For a redirect to the same target over TLS the answer there may be enough."""
    sites = [SILENT["a redirect"], SILENT["certbot's redirect"], SILENT["an answer"]]
    redirects = [each.said[0].redirect for each in trials(tmp_path, sites)]
    assert redirects == ["https://$host$request_uri", "https://$host$request_uri", ""]


def test_what_a_file_cannot_say_is_a_remark(tmp_path: Path) -> None:
    """In all but one our paths answer, and the one reads the same."""
    found = trials(tmp_path, list(REMARKS.values()))
    assert {label: [said.certain for said in each.said] for label, each in zip(REMARKS, found, strict=True)} == {
        label: [False] for label in REMARKS
    }
    with served(tmp_path, found[0]):
        silent = [label for label, each in zip(REMARKS, found, strict=True) if answers(each) != (True, True, True)]
        assert silent == ["what a map says"]


@pytest.mark.parametrize("lifted", ["", LIFTED])
@pytest.mark.parametrize("inherited", [False, True], ids=["server", "http"])
def test_access_rules_forbid_files_only_and_a_location_lifts_them(tmp_path: Path, lifted: str, inherited: bool) -> None:
    """Without "allow all; auth_basic off; auth_request off;" the challenge is forbidden; what returns never is."""
    rules = [ACCESS["everything"]] if inherited else list(ACCESS.values())
    found = trials(tmp_path, [""] if inherited else rules, lifted=lifted, http=rules[0] if inherited else "")
    assert all(each.said == () for each in found)
    with served(tmp_path, found[0]):
        assert list(map(answers, found)) == [(True, True, bool(lifted))] * len(found)


def test_headers_and_error_pages_of_the_site_reach_locations_without_their_own(tmp_path: Path) -> None:
    """A location of ours with "add_header" has only that, and a missing challenge is 404 where it says so itself."""
    site = "add_header X-Site 1 always; error_page 404 =200 /page; location = /page { return 200 page; }"
    (open_,) = trials(tmp_path, [site])
    (tmp_path / "closed").mkdir()
    own = "error_page 404 @ours_missing;"
    (closed,) = trials(tmp_path / "closed", [f"{site} location @ours_missing {{ return 404; }}"], lifted=own)

    def answer(trial: Trial, path: str) -> Answer:
        return ask(Question(LOOPBACK, trial.port, tls=False, host=NAME, sni="", target=path))

    missing = f"{CHALLENGE_PATH}/missing"
    for root, trial, status in ((tmp_path, open_, 200), (tmp_path / "closed", closed, 404)):
        with served(root, trial):
            assert answer(trial, MARKER_PATH).all("X-Site") == ()
            assert answer(trial, DOCUMENT).all("X-Site") == ("1",)
            assert answer(trial, missing).status == status


def test_a_site_that_wants_client_certificates_refuses_ours_too(tmp_path: Path) -> None:
    """No location helps against it, wherever it is said; "optional" lets everybody ask."""
    chain, key = web_certificate(tmp_path)
    files = f"ssl_certificate {chain}; ssl_certificate_key {key}; ssl_client_certificate {chain};"
    ports = free_ports(3)
    said = [("", "ssl_verify_client on;"), ("ssl_verify_client on;", ""), ("", "ssl_verify_client optional;")]
    for port, (http, server) in zip(ports, said, strict=True):
        root = tmp_path / str(port)
        root.mkdir()
        listen = f"listen {LOOPBACK}:{port} ssl; server_name {NAME}; {files} {server}"
        location = f"location = {DOCUMENT} {{ return 200 '{{}}'; }}"
        main = root / "nginx.conf"
        main.write_text(
            f"pid {root}/pid; error_log {root}/log; daemon off; events {{}}\n"
            f"http {{ access_log off; {http} server {{ {listen} {location} }} }}\n"
        )
        (block,) = parse(load(Host(), main).top, BUILD, lambda _: ()).servers
        found = conflicts(Guest(NAME, port, True, (Marker(),)), block)
        with running(("/usr/sbin/nginx", "-c", str(main)), {}, port):
            answer = ask(Question(LOOPBACK, port, tls=True, host=NAME, sni=NAME, target=DOCUMENT))
        optional = "optional" in server
        assert (answer.status, [each.certain for each in found]) == ((200, []) if optional else (400, [True]))
