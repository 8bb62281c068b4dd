"""Ports that others hold beside a real HAProxy: named before it is told, and its neighbour loses no request."""

from __future__ import annotations

import re

import pytest

from tests.lab import services, ways
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.lab.load_on_neighbour import load_on_the_neighbour
from tests.lab.test_taken_ports import hold

ENGINE = str(CHECKOUT / "tests/lab/faulty_engine.py")
SITE = "/etc/haproxy/conf.d/neighbour.cfg"


@pytest.fixture
def haproxy(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host with Debian's HAProxy and a neighbour's site in frontends of its own."""
    services.start_haproxy(host)
    return host


def prepare(host: ThrowAwayHost, delegation: str) -> None:
    """Put answers that choose HAProxy on a host; certificates come from a local authority."""
    ways.prepare(host, None, delegation, proxy='kind = "haproxy"')


def run_beside(host: ThrowAwayHost, identity: str) -> tuple[str, int]:
    """Let the engine carry out a plan; return what it told, and how many requests to the neighbour failed."""
    with load_on_the_neighbour(host) as load:
        host.run([host.python, "-m", "palpo_installer", "run", identity], timeout=120)
    return host.read(f"/var/lib/palpo-installer/runs/{identity}/events.jsonl"), load.failures


@pytest.mark.parametrize(
    ("address", "foreseen"),
    [
        pytest.param("198.18.0.10", r"port 8448, which python\S* \(process \d+\) holds", marks=pytest.mark.slow),
        ("127.0.0.2", r"port 8448 \(\S+\) cannot be opened: Address already in use, held by python\S* \(process \d+\)"),
    ],
)
def test_a_taken_port_is_named_before_and_after_planning(haproxy: ThrowAwayHost, address: str, foreseen: str) -> None:
    """HAProxy's test passes, and a reload would end its accepting for seconds: it is not told, and all is put back."""
    host = haproxy
    prepare(host, "srv")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    identity = host.output([host.python, ENGINE, "register", ways.ANSWERS]).strip()
    holder = hold(host, f"{address}/8448")
    refused = host.tool("plan", "--answers", ways.ANSWERS)
    assert refused.returncode == 1
    assert re.search(rf"{re.escape(address)}:8448 \(IPv4\) is held by python\S* \(process \d+\)", refused.stderr)

    told, failures = run_beside(host, identity)
    assert re.search(foreseen, told), told
    assert failures == 0
    assert holder.alive
    assert ways.neighbour_answers(host) == neighbours
    assert ways.untouched(before, host) == {}


@pytest.mark.slow
def test_a_socket_of_somebody_else_s_that_cannot_be_opened_is_foreseen(haproxy: ThrowAwayHost) -> None:
    """A line that was added to a file and never taken up: our reload would be the one that fails with it."""
    host = haproxy
    host.write(SITE, f"{host.read(SITE)}\nfrontend later\n    bind 203.0.113.9:8080\n    default_backend nobody\n")
    prepare(host, "well-known")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    identity = host.output([host.python, ENGINE, "register", ways.ANSWERS]).strip()
    told, failures = run_beside(host, identity)
    assert re.search(rf"203\.0\.113\.9 port 8080 \({SITE}:\d+\) cannot be opened: Cannot assign", told), told
    assert failures == 0
    assert ways.neighbour_answers(host) == neighbours
    assert ways.untouched(before, host) == {}


def test_plain_http_is_left_to_who_holds_port_80(host: ThrowAwayHost) -> None:
    """The lines in others' frontends for TLS come all the same, and go with a rollback, byte for byte."""
    services.configure_haproxy(host)
    host.write(SITE, host.read(SITE).replace(":80\n", ":8080\n").replace(":80 v6only", ":8080 v6only"))
    services.run_haproxy(host)
    prepare(host, "well-known")
    holder = hold(host, "0.0.0.0/80")
    before = host.snapshot()
    applied = ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert "plain HTTP is left to it" in applied
    assert host.read(SITE).count("added by palpo-installer") == 1
    answer = ways.fetch(host, "https://matrix.example.com/.well-known/palpo-installer", "--insecure")
    assert "palpo-installer: " in answer.lower()
    assert holder.alive
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
