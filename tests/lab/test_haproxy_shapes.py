"""Frontends of every shape take our lines, or are refused by name; on the real HAProxy."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.gates import markers
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.operations.base import Workbench
from palpo_installer.operations.lines import edited
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from palpo_installer.proxies.haproxy.rendering import render
from palpo_installer.rehearsal import installing
from tests.facts.made import certificate
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running
from tests.lab.running import require_programs
from tests.lab.test_haproxy_releases import no_secret
from tests.ports import free_ports
from tests.proxies.haproxy.test_haproxy_rendering import certificates, found
from tests.proxies.nginx.sites import ANSWERS, HOST

SHOP = "shop.example"
BACKENDS = """
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
backend shop
    http-request return status 200 content-type text/plain string shop
backend pages
    http-request return status 404 content-type text/plain string pages
"""
BINDS = "    bind 127.0.0.1:HTTP\n    bind 127.0.0.1:HTTPS ssl crt CERTS\n"
SHAPES = {
    "a redirect first": f"frontend f\n{BINDS}    http-request redirect scheme https unless {{ ssl_fc }}\n"
    "    default_backend pages\n",
    "denied first": f"frontend f\n{BINDS}    http-request deny if {{ path_beg /.well-known }}\n"
    "    http-request deny if { path_beg /_matrix }\n    default_backend pages\n",
    "by name": f"frontend f\n{BINDS}    acl shop hdr(host) -i shop.example\n    use_backend shop if shop\n"
    "    use_backend pages\n    default_backend shop\n",
    "the default stands above": f"frontend f\n{BINDS}    default_backend pages\n"
    "    use_backend shop if { hdr(host) -i shop.example }\n",
    "a map": f"frontend f\n{BINDS}    use_backend %[req.hdr(host),lower,map(MAP,pages)]\n",
    "strict names and HTTP/2": "frontend f\n    bind 127.0.0.1:HTTP\n"
    "    bind 127.0.0.1:HTTPS ssl strict-sni crt CERTS alpn h2,http/1.1\n    default_backend pages\n",
    "a list of certificates": "frontend f\n    bind 127.0.0.1:HTTP\n    bind 127.0.0.1:HTTPS ssl crt-list LIST\n"
    "    default_backend pages\n",
    "a list and a directory": "frontend f\n    bind 127.0.0.1:HTTP\n    bind 127.0.0.1:HTTPS ssl crt CERTS thread 1\n"
    "    bind 127.0.0.1:HTTPS ssl crt-list LIST thread 2\n    default_backend pages\n",
    "several threads": "frontend f\n    bind 127.0.0.1:HTTP\n    bind 127.0.0.1:HTTPS ssl crt CERTS thread 1\n"
    "    bind 127.0.0.1:HTTPS ssl crt CERTS thread 2\n    default_backend pages\n",
    "two frontends": "frontend plain\n    bind 127.0.0.1:HTTP\n    http-request redirect scheme https\n"
    "    default_backend pages\nfrontend secure\n    bind 127.0.0.1:HTTPS ssl crt CERTS\n    default_backend shop\n",
    "named defaults": "defaults ours\n    mode http\n    option forwardfor\n    timeout connect 1s\n"
    f"    timeout client 5s\n    timeout server 5s\n    http-request set-header X-Own yes\n"
    f"frontend f from ours\n{BINDS}    default_backend pages\n",
    "conditional lines": f"frontend f\n{BINDS}.if defined(NOBODY)\n    http-request deny\n"
    "    use_backend shop\n.endif\n    default_backend pages\n",
    "conditional lines that count": f"frontend f\n{BINDS}.if !defined(NOBODY)\n"
    "    http-request deny if { path /no }\n"
    "    use_backend shop if { hdr(host) -i shop.example }\n.else\n    use_backend pages\n.endif\n"
    "    default_backend pages\n",
    "variables": 'global\n    setenv HERE 127.0.0.1\nfrontend f\n    bind "${HERE}:HTTP"\n'
    '    bind "$HERE:HTTPS" ssl crt "CERTS"\n    default_backend "pages"\n',
    "rules on connections": f"frontend f\n{BINDS}    tcp-request inspect-delay 2s\n"
    "    tcp-request content accept if HTTP\n    http-request auth realm 'a b' if { path_beg /private }\n"
    "    compression algo gzip\n    default_backend pages\n",
}
"""Frontends as others write them."""
SAMPLE = {
    "a redirect first",
    "a list of certificates",
    "the default stands above",
    "conditional lines that count",
    "variables",
}
"""Those that are tried without ``--slow``."""

REFUSED = {
    "one certificate": (
        "frontend f\n    bind 127.0.0.1:HTTP\n    bind 127.0.0.1:HTTPS ssl crt CERTS/shop.pem\n"
        "    default_backend pages\n",
        "loads its certificates one by one",
    ),
    "a list that a program writes": (
        "frontend f\n    bind 127.0.0.1:HTTP\n    bind 127.0.0.1:HTTPS ssl crt-list MADE\n    default_backend pages\n",
        "no certificate of ours can be added to this list of certificates: ",
    ),
    "passed on by SNI": (
        "frontend f\n    mode tcp\n    bind 127.0.0.1:HTTPS\n    tcp-request inspect-delay 2s\n"
        "    tcp-request content accept if { req_ssl_hello_type 1 }\n"
        "    use_backend through if { req_ssl_sni -i shop.example }\n"
        "backend through\n    mode tcp\n    server s 127.0.0.1:9\n",
        "passes connections on port",
    ),
    "two on one address": (
        "frontend one\n    bind 127.0.0.1:HTTP\n    default_backend pages\n"
        "frontend two\n    bind 127.0.0.1:HTTP\n    default_backend shop\n",
        "both listen on 127.0.0.1",
    ),
    "rules of its defaults": (
        "defaults redirecting\n    mode http\n    timeout connect 1s\n    timeout client 5s\n    timeout server 5s\n"
        "    http-request redirect scheme https unless { ssl_fc }\n"
        f"frontend f from redirecting\n{BINDS}    default_backend pages\n",
        "this rule of its defaults answers before",
    ),
    "a redirect of old": (
        f"frontend f\n{BINDS}    redirect scheme https if !{{ ssl_fc }}\n    default_backend pages\n",
        "answers before any line of ours",
    ),
}
"""Those that cannot take a line; HAProxy itself loads each of them."""


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory that is not below /tmp, where programs are known to write files anew."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        yield Path(directory)


def written(root: Path, text: str) -> tuple[Layout, str]:
    """Return the ports of a trial, and a configuration with them and with what its certificates need."""
    require_programs("haproxy")
    http, https = free_ports(2)
    text = text.replace(":HTTPS", f":{https}").replace(":HTTP", f":{http}")
    text = text.replace("MAP", f"{root}/names.map").replace("LIST", f"{root}/list").replace("MADE", f"{root}/made")
    (root / "names.map").write_text(f"{SHOP} shop\n")
    (root / "list").write_text(f"{root}/certs/shop.pem [alpn h2] shop.example\n")
    (root / "made").write_text(f"# Ansible managed\n{root}/certs/shop.pem\n")
    (root / "certs").mkdir()
    certificate(SHOP).write(root / "certs/shop.pem", root / "certs/shop.pem.key")
    return Layout(root, http_port=http, https_port=https, addresses=(LOOPBACK,)), text + BACKENDS


def planned(root: Path, layout: Layout, text: str) -> Rendering:
    """Return what is planned beside a configuration."""
    site, system = build(ANSWERS, layout), replace(HOST, addresses=(LOOPBACK,), ipv6=False)
    return render(found(root, text), Assignment(site, system, layout, certificates(root, site)))


def install(rendering: Rendering) -> None:
    """Write our files, links and lines."""
    installing.install(rendering)
    for lines in dict.fromkeys((*rendering.plain.lines, *rendering.secure.lines)):
        places: dict[int, str] = {}
        for line in lines.add:
            places[line.before] = f"{places[line.before]}\n{line.text}" if line.before in places else line.text
        lines.path.write_bytes(edited(lines.path.read_bytes(), places, lines.drop))


def neighbours(layout: Layout) -> list[tuple[int, str, bytes]]:
    """Return what others get: by their name, by none, and at paths that are ours elsewhere."""
    asked = [
        Question(LOOPBACK, port, tls, host=host, sni=host, target=target)
        for port, tls in ((layout.http_port, False), (layout.https_port, True))
        for host in (SHOP, "nobody.example")
        for target in ("/", "/.well-known/matrix/client", "/no")
    ]
    answers: list[Answer] = [ask(each) for each in asked]
    return [(each.status, each.header("location"), each.body) for each in answers]


@pytest.mark.parametrize(
    "shape", [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.slow) for name in SHAPES]
)
def test_our_names_are_led_to_us_and_all_others_as_before(shape: str, root: Path) -> None:
    """Every socket shows our marker and certificate, the challenge's too, and a neighbour notices nothing."""
    layout, text = written(root, SHAPES[shape])
    rendering = planned(root, layout, text)
    argv = (shutil.which("haproxy") or "haproxy", "-db", "-f", str(root / "conf.d"))
    with running(argv, {}, layout.https_port):
        before = neighbours(layout)
    install(rendering)
    tested = subprocess.run([*argv, "-c"], check=False, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    bench = Workbench(Host(layout), "trial", root, no_secret, lambda _: None, lambda: None)
    expected = [each for part in (rendering.plain, rendering.secure) for each in part.expectations]
    assert {each.port for each in expected} == {layout.http_port, layout.https_port}
    with running(argv, {}, layout.https_port):
        markers.prove(expected, time.monotonic() + 10, bench)
        challenge = Question(
            LOOPBACK, layout.http_port, False, "matrix.example.com", target="/.well-known/acme-challenge/x"
        )
        assert ask(challenge).status == 404
        assert neighbours(layout) == before


@pytest.mark.parametrize("shape", REFUSED)
def test_where_no_line_can_stand_it_is_refused_by_name(shape: str, root: Path) -> None:
    """With file and line, and what to do; HAProxy itself has nothing against the file."""
    text, reason = REFUSED[shape]
    layout, text = written(root, text)
    with pytest.raises(RefusedPlan, match=reason) as raised:
        planned(root, layout, text)
    assert raised.value.where.startswith((f"{root}/conf.d/site.cfg:", f"{root}/made"))
    assert "plan again" in raised.value.next
    tested = subprocess.run(["haproxy", "-c", "-f", str(root / "conf.d")], check=False, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
