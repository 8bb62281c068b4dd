"""Caddy renews what it ordered by itself, near its end, and nobody notices (``certificates.method = proxy``)."""

from __future__ import annotations

from functools import partial

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ADDRESS4, ADDRESS6, LabHost, ThrowAwayHost
from tests.lab.load_on_neighbour import load_on_the_neighbour
from tests.lab.running import until
from tests.lab.test_caddy_own_orders import HANDSHAKES, NAMES, TRUSTED, kept, kept_there, left, prepare, start_as_caddy

LIFETIME = 150
"""Seconds; Caddy renews when a third of them is left, here after 100 seconds. It is 90 days elsewhere."""
LOOKS = "\trenew_interval 2s\n"
"""How often Caddy looks whether a certificate is to be renewed; every ten minutes elsewhere."""
REQUESTS = """
while :; do
    curl --silent --max-time 10 --insecure --output /dev/null --write-out '%{http_code} %{exitcode}\\n' \\
        https://matrix.example.com/_matrix/client/versions
done
"""


def shown(host: LabHost, name: str) -> set[str]:
    """Return the certificates that both addresses show for a name."""
    return {ways.served(host, address, 443, name) for address in (ADDRESS4, ADDRESS6)}


def is_renewed(host: LabHost, name: str, former: str) -> bool:
    """Return whether Caddy has another certificate for a name than before."""
    return kept_there(host, name) and kept(host, name) != former


@pytest.mark.slow
def test_renewed_by_itself_while_all_goes_on(any_caddy: ThrowAwayHost) -> None:
    """Both certificates; no request fails, and verify, audit, plan and renew find all as it should be."""
    host = any_caddy
    authority = services.start_pebble(host, validity=LIFETIME)
    host.write(TRUSTED, host.read(authority.ca_file), 0o644)
    start_as_caddy(host, options=LOOKS)
    prepare(host, authority)
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    homeserver = ways.start_palpo(host)

    with load_on_the_neighbour(host) as load:
        asking = [host.start(["sh", "-c", script]) for script in (HANDSHAKES, REQUESTS)]
        for name, former in {name: kept(host, name) for name in NAMES}.items():
            renewed = partial(is_renewed, host, name, former)
            until(renewed, f"the renewal for {name}", LIFETIME * 2)
        until(lambda: all(shown(host, name) == {kept(host, name)} for name in NAMES), "the renewed certificates")
        assert "every address shows the certificates on disk" in ways.done(host, "renew")
        assert ways.done(host, "plan", "--exit-code")
        assert host.tool("verify", "--trust", ways.ROOT).returncode == 0
        assert host.tool("audit").returncode == 0
        handshakes, answers = (each.said() for each in asking)
        for each in asking:
            each.stop()

    assert "dark" not in handshakes
    assert handshakes.count("shown") > 20
    assert set(answers.splitlines()) == {"200 0"}
    assert load.failures == 0, load.phases
    assert ways.ledger_orders(host) == len(NAMES)
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    homeserver.stop()
    ways.done(host, "rollback", "--yes")
    assert left(before, host) == set()
