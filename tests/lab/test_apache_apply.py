"""The whole way with Apache on a throw-away host: a real ACME server, real DNS, a homeserver that signs."""

from __future__ import annotations

import json

import pytest

from tests.lab import ways
from tests.lab.hosts import ADDRESS4, ADDRESS6, ThrowAwayHost
from tests.lab.services import Authority
from tests.lab.test_apply import PORTS


def prepare(host: ThrowAwayHost, acme: Authority | None, delegation: str) -> None:
    """Put answers that choose Apache on a host."""
    ways.prepare(host, acme, delegation)
    host.write(ways.ANSWERS, ways.answers(acme, delegation) + '[proxy]\nkind = "apache"\n', 0o600)


@pytest.mark.parametrize("delegation", ["well-known", "srv"])
def test_the_whole_way_and_back(apache: ThrowAwayHost, acme: Authority, delegation: str) -> None:
    """Apply, prove, apply again, roll back: served as promised, nothing twice, and the host byte for byte as before."""
    host = apache
    prepare(host, acme, delegation)
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)

    planned = host.tool("plan", "--answers", ways.ANSWERS, "--exit-code")
    assert planned.returncode == 3, planned.stderr
    assert host.snapshot() == before

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    for name, port in PORTS[delegation]:
        for address in (ADDRESS4, ADDRESS6):
            assert ways.served(host, address, port, name) == ways.on_disk(host, name)
    assert ways.neighbour_answers(host) == neighbours

    ways.start_palpo(host)
    verified = host.tool("verify", "--trust", ways.ROOT, "--json")
    checks = json.loads(verified.stdout)["checks"]
    assert verified.returncode == 0, [check for check in checks if check["result"] == "fail"]
    assert sum(check["result"] == "pass" for check in checks) > 20

    orders, applied_state = ways.ledger_orders(host), host.snapshot()
    assert host.tool("plan", "--exit-code").returncode == 0
    again = host.tool("apply", "--yes")
    assert again.returncode == 0
    assert again.stdout.startswith("Nothing to do")
    assert host.snapshot() == applied_state
    assert ways.ledger_orders(host) == orders == 2

    rolled_back = host.tool("rollback", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours
    assert 8448 not in {port for _, port in host.listening()}
