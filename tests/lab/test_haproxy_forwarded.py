"""Which address of a client arrives through frontends of others, which have their own ways to say it; real HAProxy."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.layout import Layout
from palpo_installer.matrix_site import LOGIN, build
from palpo_installer.probe import Question, ask
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.haproxy.rendering import OLDEST, SECOND_HEADER, render
from tests.lab import haproxy_releases
from tests.lab.haproxy_releases import SUITES
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running
from tests.lab.running import until
from tests.lab.test_haproxy_shapes import BINDS, install, written
from tests.lab.upstream import Request, Upstream, upstream
from tests.lab.wire import Wire
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


SAID = "203.0.113.66"
"""The address that clients say they have: it counts where somebody's own rule takes it from there."""
NOT_OURS = "    http-request redirect location https://shop.example/ unless { path /no }\n"
SET = "    http-request set-src hdr(X-Forwarded-For)"
KNOWN = "for a CDN that is known"
ADDRESSING = {
    "by a header": (f"{SET}\n{NOT_OURS}", SAID),
    "as the last rule": (f"{SET}\n", SAID),
    "by another header": (f"    http-request set-src req.hdr({SECOND_HEADER},-1)\n{NOT_OURS}", SAID),
    KNOWN: (f"{SET} if {{ src -f CDN }}\n{NOT_OURS}", SAID),
    "for another CDN": (f"{SET} if {{ src 192.0.2.0/24 }}\n{NOT_OURS}", LOOPBACK),
    "by way of a variable": (
        "    http-request set-var(txn.who) req.hdr(x-forwarded-for,1)\n"
        f"    http-request set-src var(txn.who) if {{ var(txn.who) -m found }}\n{NOT_OURS}",
        SAID,
    ),
    "in the other form": (f"    http-request set-src str(::ffff:{SAID})\n{NOT_OURS}", SAID),
    "from a header that is not there": (f"    http-request set-src hdr(CF-Connecting-IP)\n{NOT_OURS}", LOOPBACK),
    "of connections": (f"    tcp-request connection set-src str({SAID})\n{NOT_OURS}", SAID),
    "and added once more": (f"    option forwardfor\n{SET}\n{NOT_OURS}", SAID),
    "behind a rule that answers": (f"{NOT_OURS}{SET}\n", LOOPBACK),
}
"""Rules by which others determine who the client is, and the address that arrives."""


def arrived(homeserver: Upstream, port: int) -> Request:
    """Send a request with forged headers, until it arrives; return it as it did."""
    forged = {"X-Forwarded-For": SAID, SECOND_HEADER: SAID}
    question = Question(
        LOOPBACK, port, True, host=CLIENT, sni=CLIENT, target="/_matrix/client/versions", headers=forged
    )
    until(lambda: ask(question).status == 200, "the homeserver", 10)
    return next(each for each in reversed(homeserver.requests) if each.target == question.target.encode())


CASES = (
    ("in the frontend", ""),
    *(pytest.param(way, suite, marks=pytest.mark.slow) for way in FORWARDING for suite in SUITES),
)
"""This machine's HAProxy, and with ``--slow`` each way on those of other distributions."""
ADDRESSED = (
    (KNOWN, ""),
    *(pytest.param(way, "", marks=pytest.mark.slow) for way in ADDRESSING if way != KNOWN),
    *(pytest.param(way, suite, marks=pytest.mark.slow) for way in ADDRESSING for suite in SUITES),
)
"""One by default, as above."""


@contextmanager
def served(root: Path, configuration: str, suite: str) -> Iterator[tuple[Upstream, Layout]]:
    """Let HAProxy run with a frontend of others and our lines in it, before a homeserver."""
    layout, text = written(root, configuration)
    with upstream() as homeserver:
        answers = replace(ANSWERS, homeserver=replace(ANSWERS.homeserver, upstream=homeserver.address))
        site, system = build(answers, layout), replace(HOST, addresses=(LOOPBACK,), ipv6=False)
        proxy = found(root, text, version=OLDEST)
        install(render(proxy, Assignment(site, system, layout, certificates(root, site))))
        program = haproxy_releases.program(suite) if suite else (shutil.which("haproxy") or "haproxy",)
        with running((*program, "-db", "-f", str(root / "conf.d")), {}, layout.https_port):
            yield homeserver, layout


@pytest.mark.parametrize(("way", "suite"), CASES)
def test_one_address_arrives_and_it_is_the_clients(way: str, suite: str, tmp_path: Path) -> None:
    """One X-Forwarded-For, whatever the frontend adds by itself, and nothing of what the client says."""
    with served(tmp_path, FORWARDING[way], suite) as (homeserver, layout):
        request = arrived(homeserver, layout.https_port)
    assert request.all("X-Forwarded-For") == (LOOPBACK,)
    assert request.all(SECOND_HEADER) == ((LOOPBACK,) if "option forwardfor" in FORWARDING[way] else (SAID,))
    assert request.all("X-Forwarded-Proto") == ("https",)


@pytest.mark.parametrize(("way", "suite"), ADDRESSED)
def test_the_address_is_the_one_that_the_frontend_determines(way: str, suite: str, tmp_path: Path) -> None:
    """Behind a CDN or a load balancer, whatever else the frontend would answer; clients are counted by it."""
    rules, address = ADDRESSING[way]
    (tmp_path / "cdn.lst").write_text("127.0.0.0/8\n")
    text = f"{DEFAULTS}{FRONTEND}{rules.replace('CDN', str(tmp_path / 'cdn.lst'))}{END}"
    with served(tmp_path, text, suite) as (homeserver, layout):
        assert arrived(homeserver, layout.https_port).all("X-Forwarded-For") == (address,)


ON_ONE_CONNECTION = (
    ("{ src 127.0.0.0/8 }", "", 20),
    *(pytest.param("{ hdr(CDN) -m found }", suite, 20, marks=pytest.mark.slow) for suite in SUITES),
    *(
        pytest.param("{ src 127.0.0.0/8 }", suite, 0 if suite == "jammy" else 20, marks=pytest.mark.slow)
        for suite in SUITES
    ),
)
"""How a CDN is known, and how many others can log in beside one who did so too often.

2.4 gives the connection the address, not the request: so a rule that asks for it finds the CDN only once on each.
"""


@pytest.mark.parametrize(("condition", "suite", "others"), ON_ONE_CONNECTION)
def test_clients_of_a_cdn_are_limited_each_by_itself(condition: str, suite: str, others: int, tmp_path: Path) -> None:
    """Over one connection of the CDN's come requests of many: some log in too often, the others still can."""
    text = f"{DEFAULTS}{FRONTEND}{SET} if {condition}\n{NOT_OURS}{END}"
    with served(tmp_path, text, suite) as (homeserver, layout):
        arrived(homeserver, layout.https_port)
        wire = Wire(LOOPBACK, layout.https_port, CLIENT)
        with closing(http.client.HTTPConnection(LOOPBACK)) as cdn:
            cdn.sock = wire.connect()
            clients = [*["203.0.113.1"] * 20, *(f"203.0.113.{number}" for number in range(2, 22))]
            statuses = [logged_in(cdn, client) for client in clients]
    allowed = LOGIN.burst + 1
    assert statuses == [200] * allowed + [429] * (40 - allowed - others) + [200] * others
    seen = [request.all("X-Forwarded-For") for request in homeserver.requests if request.method == "POST"]
    assert seen == [(client,) for client in (*clients[:allowed], *clients[40 - others :])]


def logged_in(cdn: http.client.HTTPConnection, client: str) -> int:
    """Return the status of a login that a CDN passes on for a client of its own."""
    headers = {"Host": CLIENT, "X-Forwarded-For": client, "CDN": "yes"}
    cdn.request("POST", "/_matrix/client/v3/login", b"{}", headers)
    answer = cdn.getresponse()
    answer.read()
    return answer.status
