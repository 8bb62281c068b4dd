"""The proxy is changed while a certificate has to be ordered: the former one answers the authority, then it leaves."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.lab import ways
from tests.lab.hosts import ADDRESS4, ThrowAwayHost
from tests.lab.services import Authority
from tests.lab.test_faults import engine, register
from tests.lab.test_switching import APPLY, MARKER, PROGRAMS, lone, masters, silence
from tests.lab.test_taking_over_with_order import let_proofs_be_missed
from tests.lab.website_owners import HAPROXY_NEIGHBOUR, OWNERS

__all__ = ["lone"]

OLD, NEW = "matrix.example.com", "four.example.com"
SELF_SIGNED = ("--set", "certificates.method=self-signed")
OF_OURS = {
    "nginx": "ls -d /etc/nginx/*/*palpo* /etc/nginx/palpo*",
    "apache": "ls -d /etc/apache2/*/*palpo* /etc/apache2/palpo*",
    "haproxy": "ls -d /etc/haproxy/*/*palpo* /etc/haproxy/palpo*",
    "caddy": "ls -d /etc/caddy/*/*palpo* /etc/caddy/palpo*; grep -l palpo /etc/caddy/Caddyfile",
}
PAIRS = tuple(permutations(PROGRAMS, 2))


@pytest.fixture
def several(lone: ThrowAwayHost) -> ThrowAwayHost:
    """The host with a Caddy that has no site, and a running HAProxy that has one on a port of its own."""
    lone.write("/etc/caddy/Caddyfile", "# nothing yet\n")
    lone.output(["mkdir", "-p", "/run/haproxy", "/etc/haproxy/conf.d"])
    lone.write("/etc/haproxy/conf.d/elsewhere.cfg", HAPROXY_NEIGHBOUR)
    lone.output(OWNERS["haproxy"].start)
    return lone


def started(host: ThrowAwayHost, acme: Authority, kind: str, *more: str) -> None:
    """Let a proxy serve Palpo, with these answers beside those of an authority."""
    ways.prepare(host, acme, "well-known")
    ways.done(host, *APPLY, "--set", f"proxy.kind={kind}", *more)
    assert masters(host) == running(kind)


def running(*kinds: str) -> set[str]:
    """Return the programs of some proxies; HAProxy runs whoever serves."""
    return {PROGRAMS[kind] for kind in (*kinds, "haproxy")}


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_an_order_comes_before_the_old_proxy_leaves(
    several: ThrowAwayHost, acme: Authority, old: str, new: str
) -> None:
    """From a certificate for trying out to a real one: clients are without an answer for the handover alone."""
    host = several
    started(host, acme, old, *SELF_SIGNED)
    before = host.snapshot()
    palpo = ways.start_palpo(host)
    to_the_new = (*APPLY, "--set", f"proxy.kind={new}")
    planned = ways.done(host, "plan", "--answers", ways.ANSWERS, "--set", f"proxy.kind={new}")
    assert "is ordered first, while" in planned
    assert host.snapshot() == before
    with silence(host) as meanwhile:
        ways.done(host, *to_the_new)
    assert meanwhile["longest"] < 5
    assert masters(host) == running(new)
    assert not host.run(["sh", "-c", OF_OURS[old]]).stdout
    assert ways.served(host, ADDRESS4, 443, OLD) == ways.on_disk(host, OLD)
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.let_certificates_be_due(host, OLD)
    former = ways.on_disk(host, OLD)
    ways.done(host, "renew")
    assert ways.on_disk(host, OLD) != former, "the new proxy answers for renewals"
    palpo.stop()
    ways.done(host, "rollback", "0002", "--yes")
    assert masters(host) == running(old)
    assert ways.untouched(before, host) == {}
    assert "palpo-installer:" in ways.fetch(host, MARKER, "--insecure").lower()
    ways.done(host, *to_the_new)
    ways.done(host, "uninstall", "--yes")
    assert masters(host) == running()
    assert not host.run(["sh", "-c", ";".join(OF_OURS.values())]).stdout


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), [("apache", "nginx"), ("haproxy", "apache"), ("nginx", "haproxy")])
def test_with_another_client_host_and_srv(several: ThrowAwayHost, acme: Authority, old: str, new: str) -> None:
    """A name that nobody had yet is ordered by way of the old proxy; rolled back in two steps, all is as before all."""
    host = several
    nothing = host.snapshot()
    started(host, acme, old)
    before = host.snapshot()
    changed = {"proxy.kind": new, "names.client_host": NEW, "federation.delegation": "srv"}
    ways.done(host, *APPLY, *(word for key, value in changed.items() for word in ("--set", f"{key}={value}")))
    assert masters(host) == running(new)
    assert ways.served(host, ADDRESS4, 443, NEW) == ways.on_disk(host, NEW)
    assert ways.served(host, ADDRESS4, 8448, "example.com") == ways.on_disk(host, "example.com")
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(nothing, host) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), [("nginx", "apache"), ("apache", "haproxy"), ("caddy", "nginx")])
def test_an_order_that_fails_changes_nothing(several: ThrowAwayHost, acme: Authority, old: str, new: str) -> None:
    """The old proxy has its files back and was never told to leave: no request is without an answer."""
    host = several
    started(host, acme, old, *SELF_SIGNED)
    before = host.snapshot()
    ways.start_palpo(host)
    acme.running.stop()
    let_proofs_be_missed(host)
    with silence(host) as meanwhile:
        failed = host.tool(*APPLY, "--set", f"proxy.kind={new}", timeout=240)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "order a certificate for" in failed.stdout
    assert meanwhile["failed"] <= (12 if old == "caddy" else 0), meanwhile
    assert masters(host) == running(old)
    assert ways.untouched(before, host) == {}


def forget_orders(host: ThrowAwayHost) -> None:
    """Forget what was ordered, and that it was: with a certificate at hand the next plan would be another one."""
    host.output(["rm", "-rf", "/etc/palpo-installer/acme", "/var/lib/palpo-installer/ledger.jsonl"])


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), [("nginx", "apache"), ("haproxy", "caddy")])
def test_killed_anywhere_the_old_proxy_serves_again(
    several: ThrowAwayHost, acme: Authority, old: str, new: str
) -> None:
    """SIGKILL after every third record: recovered, the old proxy has its ports, its files and its answers back."""
    host = several
    started(host, acme, old, *SELF_SIGNED)
    before = host.snapshot()
    text = host.read(ways.ANSWERS)
    host.write(ways.ANSWERS, f'{text}\n[proxy]\nkind = "{new}"\n', 0o600)
    identity, records = register(host)
    for place in range(2, records, 3):
        assert engine(host, "kill", identity, str(place)) != 0, f"record {place} of {records}"
        recovered = host.tool("recover")
        assert recovered.returncode == 0, f"record {place}: {recovered.stdout}{recovered.stderr}"
        assert masters(host) == running(old), f"record {place}"
        assert ways.untouched(before, host) == {}, f"record {place}"
        assert "palpo-installer:" in ways.fetch(host, MARKER, "--insecure").lower()
        forget_orders(host)
        identity, again = register(host)
        assert again == records, "the next run orders as the first one would"
