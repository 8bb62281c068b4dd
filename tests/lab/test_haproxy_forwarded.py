"""Which address of a client arrives through frontends of others, which have their own ways to say it; real HAProxy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.matrix_site import build
from palpo_installer.probe import Question, ask
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.haproxy.rendering import OLDEST, SECOND_HEADER, render
from tests.lab import haproxy_releases
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running
from tests.lab.running import until
from tests.lab.test_haproxy_shapes import BINDS, install, written
from tests.lab.upstream import Request, Upstream, upstream
from tests.proxies.haproxy.test_haproxy_rendering import certificates, found
from tests.proxies.nginx.sites import ANSWERS, HOST

CLIENT = "matrix.example.com"
DEFAULTS = "defaults theirs\n    mode http\n    timeout connect 1s\n    timeout client 5s\n    timeout server 5s\n"
FRONTEND = f"frontend f from theirs\n{BINDS}"
END = "    default_backend pages\n"
FORWARDING = {
    "in the frontend": f"{DEFAULTS}{FRONTEND}    option forwardfor\n{END}",
    "in its defaults": f"{DEFAULTS}    option forwardfor header x-forwarded-for\n{FRONTEND}{END}",
    "unless it is there": f"{DEFAULTS}{FRONTEND}    option forwardfor if-none\n{END}",
    "by another name": f"{DEFAULTS}{FRONTEND}    option forwardfor header X-Client\n{END}",
    "but for some networks": f"{DEFAULTS}{FRONTEND}    option forwardfor except 192.0.2.0/24\n{END}",
    "by a rule": f"{DEFAULTS}{FRONTEND}    http-request add-header X-Forwarded-For %[src]\n{END}",
}
"""How others tell their servers who the client is."""


def arrived(homeserver: Upstream, port: int) -> Request:
    """Send a request with forged headers, until it arrives; return it as it did."""
    forged = {"X-Forwarded-For": "203.0.113.66", SECOND_HEADER: "203.0.113.66"}
    question = Question(
        LOOPBACK, port, True, host=CLIENT, sni=CLIENT, target="/_matrix/client/versions", headers=forged
    )
    until(lambda: ask(question).status == 200, "the homeserver", 10)
    return next(each for each in reversed(homeserver.requests) if each.target == question.target.encode())


CASES = (
    ("in the frontend", ""),
    *(pytest.param(way, suite, marks=pytest.mark.slow) for way in FORWARDING for suite in haproxy_releases.SUITES),
)
"""This machine's HAProxy, and with ``--slow`` each way on those of other distributions."""


@pytest.mark.parametrize(("way", "suite"), CASES)
def test_one_address_arrives_and_it_is_the_clients(way: str, suite: str, tmp_path: Path) -> None:
    """One X-Forwarded-For, whatever the frontend adds by itself, and nothing of what the client says."""
    layout, text = written(tmp_path, FORWARDING[way])
    with upstream() as homeserver:
        answers = replace(ANSWERS, homeserver=replace(ANSWERS.homeserver, upstream=homeserver.address))
        site, system = build(answers, layout), replace(HOST, addresses=(LOOPBACK,), ipv6=False)
        proxy = found(tmp_path, text, version=OLDEST)
        install(render(proxy, Assignment(site, system, layout, certificates(tmp_path, site))))
        program = haproxy_releases.program(suite) if suite else (shutil.which("haproxy") or "haproxy",)
        with running((*program, "-db", "-f", str(tmp_path / "conf.d")), {}, layout.https_port):
            request = arrived(homeserver, layout.https_port)
    assert request.all("X-Forwarded-For") == (LOOPBACK,)
    assert request.all(SECOND_HEADER) == ((LOOPBACK,) if "option forwardfor" in text else ("203.0.113.66",))
    assert request.all("X-Forwarded-Proto") == ("https",)
