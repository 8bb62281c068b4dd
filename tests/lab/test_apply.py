"""The whole way on a throw-away host: real nginx, a real ACME server, real DNS, a homeserver that signs."""

from __future__ import annotations

import json

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ADDRESS4, ADDRESS6, ThrowAwayHost
from tests.lab.services import Authority

OURS = {"well-known": "ours", "srv": "ours"}
PORTS = {
    "well-known": (("matrix.example.com", 443), ("example.com", 443)),
    "srv": (("matrix.example.com", 443), ("example.com", 443), ("example.com", 8448)),
}


@pytest.mark.parametrize("delegation", ["well-known", "srv"])
def test_the_whole_way_and_back(nginx: ThrowAwayHost, acme: Authority, delegation: str) -> None:
    """Apply, prove, apply again, roll back: served as promised, nothing twice, and the host byte for byte as before."""
    host = nginx
    ways.prepare(host, acme, delegation)
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


def test_a_second_installation_uses_what_the_first_one_ordered(nginx: ThrowAwayHost, acme: Authority) -> None:
    """After a rollback, certificates and signing key are used again and nothing is ordered."""
    host = nginx
    ways.prepare(host, acme, "well-known")
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    key, orders = host.read("/etc/palpo-installer/keys/example.com"), ways.ledger_orders(host)
    assert host.tool("rollback", "--yes").returncode == 0
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    assert ways.ledger_orders(host) == orders
    assert key.strip() in host.read("/etc/palpo/palpo.toml")


def test_a_stopped_nginx_is_started_and_stopped_again(host: ThrowAwayHost) -> None:
    """The plan starts nginx, and taking back stops it; without a CA a local authority serves for trying out."""
    services.configure_nginx(host)
    ways.prepare(host, None, "srv")
    before = host.snapshot()
    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert ("0.0.0.0", 8448) in host.listening()
    assert host.tool("verify", "--json").returncode == 6
    ways.start_palpo(host)
    verified = host.tool("verify")
    assert verified.returncode == 0, verified.stdout
    assert host.tool("rollback", "--yes").returncode == 0
    assert host.listening() & {("0.0.0.0", 80), ("0.0.0.0", 443), ("0.0.0.0", 8448)} == frozenset()
    assert ways.untouched(before, host) == {}


def test_no_secret_is_left_where_others_can_read_it(nginx: ThrowAwayHost, acme: Authority) -> None:
    """The database password, the signing key and the account key are in no output, log, journal or open file."""
    host = nginx
    ways.prepare(host, acme, "well-known")
    plan = host.tool("plan", "--answers", ways.ANSWERS, "--json", "--output", "/root/plan.json")
    applied = host.tool("apply", "--plan", "/root/plan.json", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    rendered = host.tool("render", "--answers", ways.ANSWERS, "--output", "/root/rendered")
    shown = host.tool("detect", "--json")
    key = host.read("/etc/palpo-installer/keys/example.com").strip()
    for secret in (ways.DATABASE_PASSWORD, key):
        for said in (plan, applied, rendered, shown):
            assert secret not in said.stdout + said.stderr
        allowed = {ways.ANSWERS, "/etc/palpo/palpo.toml", "/etc/palpo-installer/answers.toml"}
        allowed |= {"/etc/palpo-installer/keys/example.com", "/root/rendered/etc/palpo/palpo.toml"}
        own = [ways.ANSWERS, "/root/plan.json", "/root/rendered"]
        found = set(ways.finds(host, secret, [*own, "/etc", "/var/lib", "/var/log", "/run", "/tmp"]))
        assert found <= allowed
        readable = host.output(["find", *found, "-perm", "/0077"])
        assert readable == ""


def test_a_saved_plan_is_refused_when_the_host_changed(nginx: ThrowAwayHost) -> None:
    """What was reviewed is what is done: an edit of another site in between is named and nothing is changed."""
    host = nginx
    ways.prepare(host, None, "well-known")
    assert host.tool("plan", "--answers", ways.ANSWERS, "--output", "/root/plan.json").returncode == 0
    host.output(["sh", "-c", "echo '# edited' >>/etc/nginx/sites-available/neighbour"])
    before = host.snapshot()
    refused = host.tool("apply", "--plan", "/root/plan.json", "--yes")
    assert refused.returncode == 1
    assert "neighbour: changed since the plan was saved" in refused.stderr
    assert ways.untouched(before, host) == {}


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("names.server_name=https://example.com", "names.server_name"),
        ("names.server_name=exa_mple.com", "names.server_name"),
        ("names.client_host=*.example.com", "names.client_host"),
        ("homeserver.upstream=localhost:8008", "homeserver.upstream"),
        ("homeserver.max_upload_size=many", "homeserver.max_upload_size"),
        ("homeserver.database_url=postgres://u:p@h/d", "homeserver.database_url"),
        ("homeserver.config=/etc/palpo/palpo.toml; }", "homeserver.config"),
        ("certificates.email=nobody", "certificates.email"),
        ("federation.port=70000", "federation.port"),
        ("names.sever_name=example.com", "names.sever_name"),
    ],
)
def test_bad_input_ends_with_2_and_one_sentence(host: ThrowAwayHost, setting: str, key: str) -> None:
    """An answer that cannot be used is named by its key, without a traceback, and nothing is written."""
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    refused = host.tool("apply", "--answers", ways.ANSWERS, "--set", setting, "--yes")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert key in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert host.snapshot() == before
