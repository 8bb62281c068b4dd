"""The whole way with each proxy, beside a neighbour under load: apply, again, kill and recover, renew, take back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.lab import ways
from tests.lab.conformance.rows import PARAMETERS, Row
from tests.lab.conformance.served import BASE, CLIENT, neighboured, prepare
from tests.lab.hosts import ADDRESS4, ADDRESS6, CHECKOUT, LabHost
from tests.lab.load_on_neighbour import Load, load_on_the_neighbour

ENGINE = str(CHECKOUT / "tests/lab/faulty_engine.py")
NAMES = (CLIENT, BASE)
LOGIN = f"https://{CLIENT}/_matrix/client/v3/login"
MEANWHILE = 50
"""Requests that a phase must have seen to say anything."""


@pytest.mark.parametrize("row", PARAMETERS)
def test_the_whole_way_beside_a_neighbour(row: Row, tell: Callable[[object], None]) -> None:
    """Served as promised, nothing twice, no failure of the neighbour's, and in the end the host as before, by byte.

    Requests to the neighbour go on over kept and over new connections, HTTP/1.1 and HTTP/2, with and without TLS,
    IPv4 and IPv6.
    """
    with neighboured(row) as (host, authority):
        prepare(row, host, authority, "well-known")
        before, neighbours = host.snapshot(), ways.neighbour_answers(host)
        with load_on_the_neighbour(host) as load:
            with load.phase("apply"):
                ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
            assert_served(host, row)
            assert ways.neighbour_answers(host) == neighbours
            assert_applied_twice(host, load)
            assert_killed_and_recovered(host, load)
            assert_renewed(host, load)
            with load.phase("rollback"):
                ways.done(host, "rollback", "1", "--yes")
        report(row, load, tell)
        left = {path: pair for path, pair in ways.untouched(before, host).items() if not path.startswith(row.kept)}
        assert left == {}
        assert ways.neighbour_answers(host) == neighbours


def assert_served(host: LabHost, row: Row) -> None:
    """Certificates on each socket, documents on both hosts, every check of ``verify``, no exposure for ``audit``."""
    for name in NAMES:
        for address in (ADDRESS4, ADDRESS6):
            assert ways.served(host, address, 443, name) == ways.on_disk(host, name)
        answer = ways.fetch(host, f"https://{name}/.well-known/matrix/server", "--insecure")
        head, _, body = answer.replace("\r", "").partition("\n\n")
        assert json.loads(body) == {"m.server": f"{CLIENT}:443"}
        assert len(re.findall(r"(?im)^access-control-allow-origin: \*$", head)) == 1
    homeserver = ways.start_palpo(host)
    verified = host.tool("verify", "--trust", ways.ROOT, "--json")
    checks = json.loads(verified.stdout)["checks"]
    assert verified.returncode == 0, [check for check in checks if check["result"] == "fail"]
    assert sum(check["result"] == "pass" for check in checks) > 20
    audited = host.tool("audit").stdout
    # The lab has SRV records for every delegation, which is a trap of its own beside a well-known document.
    assert "palpo.toml: server name example.com" in audited
    assert "from outside" not in audited, audited
    assert_logins_are_limited(host, row)
    homeserver.stop()


def assert_logins_are_limited(host: LabHost, row: Row) -> None:
    """Fifty wrong logins at once end with 429, the proxy's, or eighty with Palpo's: a Matrix error with a time."""
    many = f"{LOGIN}?[1-{50 if row.limits else 80}]"
    said = host.output(["curl", "--silent", "--insecure", "--http1.1", "--include", "--data", "{}", many])
    answers = re.split(r"HTTP/1\.1 ", said.replace("\r", ""))[1:]
    assert {answer[:3] for answer in answers} == {"403", "429"}
    head, _, body = next(answer for answer in reversed(answers) if answer.startswith("429")).partition("\n\n")
    assert len(re.findall(r"(?im)^access-control-allow-origin: \*$", head)) == 1
    document = json.loads(body)
    assert document["errcode"] == "M_LIMIT_EXCEEDED"
    assert document["retry_after_ms"] > 0


def assert_applied_twice(host: LabHost, load: Load) -> None:
    """A second apply has nothing to do and says so."""
    applied, orders = host.snapshot(), ways.ledger_orders(host)
    with load.phase("second apply"):
        assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    assert host.snapshot() == applied
    assert ways.ledger_orders(host) == orders == len(NAMES)


def assert_killed_and_recovered(host: LabHost, load: Load) -> None:
    """A change to SRV whose engine is killed, when all but the last steps are done, is as if it had never begun."""
    applied = host.snapshot()
    host.write("/root/srv.toml", host.read(ways.ANSWERS).replace('"well-known"', '"srv"'), 0o600)
    with load.phase("killed and recovered"):
        identity = host.output([host.python, ENGINE, "register", "/root/srv.toml"]).strip()
        records = int(host.output([host.python, ENGINE, "count", identity]))
        assert host.run([host.python, ENGINE, "kill", identity, str(records - 4)], timeout=180).returncode not in {0, 1}
        ways.done(host, "recover")
    assert ways.untouched(applied, host) == {}
    assert 8448 not in {port for _, port in host.listening()}


def assert_renewed(host: LabHost, load: Load) -> None:
    """Certificates that are due are renewed, and the new ones are on every socket."""
    ways.let_certificates_be_due(host, *NAMES)
    earlier = {name: ways.on_disk(host, name) for name in NAMES}
    with load.phase("renewal"):
        said = ways.done(host, "renew")
    assert said.count(": renewed") == len(NAMES), said
    for name in NAMES:
        assert ways.on_disk(host, name) != earlier[name]
        for address in (ADDRESS4, ADDRESS6):
            assert ways.served(host, address, 443, name) == ways.on_disk(host, name)


def report(row: Row, load: Load, tell: Callable[[object], None]) -> None:
    """Tell the figures, and assert that no request failed but where the row says why."""
    for phase in load.phases:
        tell(f"{row.kind}, neighbour, {phase}")
    assert set(load.phases[-1].kinds) == {"new", "kept", "kept, HTTP/2"}
    assert [phase.name for phase in load.phases if phase.requests < MEANWHILE] == []
    allowed = row.exceptions("neighbour")
    failed = {
        phase.name: phase.reasons for phase in load.phases[:-1] if phase.failures > int(allowed.get(phase.name, 0))
    }
    assert failed == {}
