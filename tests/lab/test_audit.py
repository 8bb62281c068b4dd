"""Every trap that a request can show, in a real nginx: its effect, its finding, and that the cure ends both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from palpo_installer.audit.auditing import audit
from palpo_installer.audit.finding import Finding
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.facts.made import START, certificate
from tests.lab.pebble import running
from tests.lab.running import require_programs
from tests.lab.upstream import DELAY, Upstream, upstream
from tests.lab.wire import Wire
from tests.ports import free_ports
from tests.situations import facts, homeserver, nginx_with

MAIN = """\
{user}
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    include {root}/site.conf;
}}
"""

SITE = """\
upstream palpo {
    server 127.0.0.1:PALPO;
}
server {
    listen 127.0.0.1:HTTPS ssl http2;
    server_name example.com;
    ssl_certificate ROOT/example.com.pem;
    ssl_certificate_key ROOT/example.com.key;
    location = /.well-known/matrix/client {
        default_type application/json;
        add_header Access-Control-Allow-Origin "*" always;
        return 200 '{"m.homeserver":{"base_url":"https://matrix.example.com"}}';
    }
}
server {
    listen 127.0.0.1:HTTPS ssl http2;
    server_name matrix.example.com;
    ssl_certificate ROOT/matrix.example.com.pem;
    ssl_certificate_key ROOT/matrix.example.com.key;
    large_client_header_buffers 8 32k;
    client_max_body_size 16m;
    location /_matrix/ {
        if ($request_uri !~ ^/_(matrix|palpo/client)(/|\\?|$)) {
            return 404;
        }
        proxy_pass http://127.0.0.1:PALPO;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host "";
        proxy_set_header X-Real-IP "";
        proxy_set_header Forwarded "";
        proxy_read_timeout 300s;
    }
}
server {
    listen 127.0.0.1:HTTP;
    server_name matrix.example.com;
    location ^~ /.well-known/acme-challenge/ {
        root ROOT/webroot;
    }
    location / {
        return 301 https://$host$request_uri;
    }
}
"""

PASS = "        proxy_pass http://127.0.0.1:PALPO;"
GUARD = "        if ($request_uri !~ ^/_(matrix|palpo/client)(/|\\?|$)) {\n            return 404;\n        }\n"
ESCAPED = b"/_matrix/client/v3/rooms/%21abc%3Aexample.com/state/a%2Fb"
DOTS = b"/_palpo/admin/v1/users/..%2f..%2f..%2f..%2f_matrix/x"


@dataclass(frozen=True)
class Served:
    """A configuration as it is served."""

    client: Wire
    plain: Wire
    homeserver: Upstream

    @property
    def base(self) -> Wire:
        """To the server name."""
        return replace(self.client, sni="example.com")

    def reaches(self, target: bytes, *headers: tuple[bytes, bytes]) -> bool:
        """Return whether a request reaches the homeserver."""
        self.homeserver.requests.clear()
        self.client.http1(target, headers)
        return bool(self.homeserver.requests)

    def sends(self, name: str, *headers: tuple[bytes, bytes]) -> tuple[str, ...]:
        """Return what the homeserver sees of a header."""
        assert self.reaches(b"/_matrix/x", *headers)
        return self.homeserver.requests[-1].all(name)


def changes(served: Served) -> bool:
    """Return whether a target does not arrive as it was sent."""
    assert served.reaches(ESCAPED)
    return served.homeserver.targets != [ESCAPED]


def gives_up(served: Served) -> bool:
    """Return whether one slow request is the end of the following ones."""
    served.client.http1(b"/_matrix/slow", [(DELAY.encode(), b"1.5")])
    return [served.client.http1(b"/_matrix/x").status for _ in range(3)] == [502] * 3


def cuts_off(served: Served) -> bool:
    """Return whether a slow answer is cut off."""
    return served.client.http1(b"/_matrix/slow", [(DELAY.encode(), b"1.5")]).status == 504


def refuses_upload(served: Served) -> bool:
    """Return whether two mebibytes are too much."""
    size = 2 << 20
    head = [(b"Content-Length", str(size).encode())]
    return served.client.http1(b"/_matrix/media/v3/upload", head, method=b"POST", body=[b"x" * size]).status == 413


def doubles(served: Served) -> bool:
    """Return whether scripts are told twice that they may read an answer."""
    return len(served.client.http1(b"/_matrix/x").all("access-control-allow-origin")) == 2


def document_lacks(header: str, value: str) -> Callable[[Served], bool]:
    """Return a test for a header of the client document."""
    return lambda served: served.base.http1(b"/.well-known/matrix/client").all(header) != (value,)


def swallows(served: Served) -> bool:
    """Return whether the authority does not see the file."""
    return served.plain.http1(b"/.well-known/acme-challenge/token").body != b"answer"


@dataclass(frozen=True)
class Case:
    """A trap: what brings it in, what it does, and where the lines of its cure go."""

    edits: tuple[tuple[str, str], ...]
    effect: Callable[[Served], bool]
    cure: str = "replace"


CASES = {
    "decoded-target": Case(((PASS, PASS.replace(";", "/;")),), changes),
    "rewritten-target": Case(
        ((PASS, f"        rewrite ^/_matrix/(.*) /_matrix/$1 break;\n{PASS}"),), changes, "remove"
    ),
    "several-peers": Case(
        (
            (PASS, "        proxy_pass http://palpo;"),
            ("    server 127.0.0.1:PALPO;\n", "    server 127.0.0.1:PALPO;\n    server 127.0.0.2:PALPO;\n"),
            ("proxy_read_timeout 300s", "proxy_read_timeout 1s"),
        ),
        gives_up,
        "second",
    ),
    "segment-boundary": Case(
        (("location /_matrix/ {", "location /_matrix {"), (GUARD, "")), lambda served: served.reaches(b"/_matrixfoo")
    ),
    "forwarded-for": Case(
        (("$remote_addr", "$proxy_add_x_forwarded_for"),),
        lambda served: "192.0.2.1" in served.sends("X-Forwarded-For", (b"X-Forwarded-For", b"192.0.2.1"))[0],
    ),
    "client-headers": Case(
        (('        proxy_set_header X-Real-IP "";\n', ""),),
        lambda served: served.sends("X-Real-IP", (b"X-Real-IP", b"192.0.2.1")) != (),
        "before",
    ),
    "host-header": Case(
        (("$http_host", "$host:$server_port"),), lambda served: served.sends("Host") != ("matrix.example.com",)
    ),
    "doubled-cors": Case(((PASS, f"        add_header Access-Control-Allow-Origin *;\n{PASS}"),), doubles, "remove"),
    "upload-limit": Case((("    client_max_body_size 16m;\n", ""),), refuses_upload, "before"),
    "read-timeout": Case((("300s", "1s"),), cuts_off),
    "header-limit": Case(
        (("    large_client_header_buffers 8 32k;\n", ""),),
        lambda served: served.client.http1(b"/_matrix/" + b"x" * 9000).status == 414,
        "server",
    ),
    "http2-missing": Case(((" http2;", ";"),), lambda served: not served.client.offers_http2()),
    "admin-exposed": Case(
        (("location /_matrix/ {", "location ~ ^/_(matrix|synapse)/ {"), (GUARD, "")),
        lambda served: served.reaches(b"/_synapse/admin/v1/users"),
        "closing",
    ),
    "admin-through-dots": Case(((GUARD, ""),), lambda served: served.reaches(DOTS), "before"),
    "everything-passed-on": Case(
        (("location /_matrix/ {", "location / {"), (GUARD, "")), lambda served: served.reaches(b"/metrics"), "location"
    ),
    "merge-slashes-off": Case(
        (
            ("location /_matrix/ {", "location /_palpo/admin { return 404; }\n    location / {"),
            ("    client_max", "    merge_slashes off;\n    client_max"),
            (GUARD, ""),
        ),
        lambda served: served.reaches(b"//_palpo/admin/v1/users"),
    ),
    "well-known-cors": Case(
        (('        add_header Access-Control-Allow-Origin "*" always;\n', ""),),
        document_lacks("access-control-allow-origin", "*"),
        "before",
    ),
    "well-known-type": Case(
        (("        default_type application/json;\n", ""),),
        document_lacks("content-type", "application/json"),
        "before",
    ),
    "well-known-two-types": Case(
        (("        default_type application/json;\n", "        add_header Content-Type application/json;\n"),),
        document_lacks("content-type", "application/json"),
    ),
    "challenge-swallowed": Case(
        (
            (
                "    location / {\n        return 301 https://$host$request_uri;\n    }\n",
                "    return 301 https://$host$request_uri;\n",
            ),
        ),
        swallows,
    ),
}


@dataclass(frozen=True)
class Place:
    """A directory with a configuration, and its ports."""

    root: Path
    http: int
    https: int

    def write(self, text: str, homeserver: Upstream) -> None:
        """Write the configuration."""
        user = "user root;" if os.geteuid() == 0 else ""
        (self.root / "nginx.conf").write_text(MAIN.format(root=self.root, user=user))
        for word, value in (("ROOT", self.root), ("PALPO", homeserver.address.port), ("HTTPS", self.https)):
            text = text.replace(word, str(value))
        (self.root / "site.conf").write_text(text.replace("HTTP;", f"{self.http};"))

    def audited(self, homeserver_port: int) -> tuple[Finding, ...]:
        """Return what the audit finds."""
        host = Host(Layout(http_port=self.http, https_port=self.https))
        nginx = replace(nginx_with(), servers=(), configuration=self.root / "nginx.conf")
        palpo = homeserver(answers_at=f"127.0.0.1:{homeserver_port}")
        judged = audit(host, facts(palpo=palpo, nginx=nginx), START)
        return tuple(each for each in judged.findings if each.file == self.root / "site.conf")

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run nginx as a child of ours, which is gone as soon as it has ended."""
        argv = ("nginx", "-e", str(self.root / "error.log"), "-c", str(self.root / "nginx.conf"))
        with running(argv, {"PATH": "/usr/sbin:/usr/bin"}, self.http):
            yield


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A directory with certificates, a challenge, and free ports."""
    require_programs("nginx")
    tmp_path.chmod(0o755)
    for name in ("example.com", "matrix.example.com"):
        certificate(name).write(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
    challenges = tmp_path / "webroot/.well-known/acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("answer")
    return Place(tmp_path, *free_ports(2))


def shown(
    place: Place, text: str, behind: Upstream, effect: Callable[[Served], bool]
) -> tuple[bool, tuple[Finding, ...]]:
    """Serve a configuration; return whether it has an effect, and what the audit finds in it."""
    place.write(text, behind)
    found = place.audited(behind.address.port)
    client = Wire("127.0.0.1", place.https, "matrix.example.com")
    plain = Wire("127.0.0.1", place.http, "matrix.example.com", tls=False)
    with place.serving():
        return effect(Served(client, plain, behind)), found


def cured(text: str, finding: Finding, where: str) -> str:
    """Return a configuration with the lines of a cure where the sentence of the cure says."""
    lines = text.splitlines()
    place = finding.line - 1
    match where:
        case "replace":
            lines[place : place + 1] = finding.lines
        case "remove":
            del lines[place]
        case "before":
            lines[place:place] = finding.lines
        case "second":
            lines = [line for line in lines if "127.0.0.2" not in line]
        case "server" | "closing":
            place = next(number for number, line in enumerate(lines) if "server_name matrix" in line)
            lines[place:place] = finding.lines
        case "location":
            lines = [
                finding.lines[0] if line.strip() == "location / {" and number < 40 else line
                for number, line in enumerate(lines)
            ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("rule", CASES)
def test_a_trap_its_finding_and_its_cure(place: Place, rule: str) -> None:
    """The effect is there and named; with the lines of the cure neither is."""
    case, text = CASES[rule], SITE
    for old, new in case.edits:
        assert old in text, old
        text = text.replace(old, new)
    with upstream() as behind:
        there, found = shown(place, text, behind, case.effect)
        assert there
        finding = next(each for each in found if each.rule == rule)
        still, left = shown(place, cured(text, finding, case.cure), behind, case.effect)
        assert not still
        assert rule not in {each.rule for each in left}


def test_a_sound_site_has_none_of_the_effects(place: Place) -> None:
    """And nothing for the audit to name."""
    effects = {rule: case.effect for rule, case in CASES.items() if rule not in {"several-peers", "read-timeout"}}
    with upstream() as behind:
        shows, found = shown(place, SITE, behind, lambda served: any(effect(served) for effect in effects.values()))
    assert not shows
    assert found == ()
