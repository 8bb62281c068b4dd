"""Other answers for a host that is set up: only what differs is changed, nobody is left in the dark, all comes back."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.lab import services, ways
from tests.lab.booted import BootedHost
from tests.lab.hosts import CHECKOUT, LabHost, ThrowAwayHost
from tests.lab.running import Running, on_a_machine_at_work, until
from tests.lab.services import Authority
from tests.lab.snapshots import Snapshot
from tests.lab.taking_back import taken_back
from tests.lab.test_booted_apply import install_palpo

SITES = "/etc/nginx/sites-available"
PLAIN, TLS = f"{SITES}/zz-palpo-installer-http.conf", f"{SITES}/zz-palpo-installer-tls.conf"
PALPO, SAVED = "/etc/palpo/palpo.toml", "/etc/palpo-installer/answers.toml"
UNITS = [f"/etc/systemd/system/palpo-installer-renew.{kind}" for kind in ("service", "timer")]
WITNESS = f"{CHECKOUT}/tests/lab/witness.py"
RESTARTED = frozenset({"neighbour, plain", "neighbour, TLS"})
QUIET = RESTARTED | {"client API"}


@dataclass(frozen=True)
class Step:
    """A change of answers.

    Attributes:
        settings: the answers that change.
        touches: what the plan does, in order: paths, and names of certificates.
        quiet: who has no failed request meanwhile.
        ports: which of our ports listen afterwards, beside 80 and 443.
        client_host: where the client API answers afterwards.
    """

    settings: Mapping[str, str]
    touches: Sequence[str]
    quiet: frozenset[str] = QUIET
    ports: frozenset[int] = frozenset()
    client_host: str = "matrix.example.com"


CHAIN = (
    Step({"federation.delegation": "srv"}, [TLS, SAVED], ports=frozenset({8448})),
    Step({"federation.delegation": "none"}, [TLS, PALPO, SAVED]),
    Step({"names.base_domain": "elsewhere"}, [PLAIN, TLS, SAVED]),
    Step({"homeserver.registration": "open"}, [TLS, PALPO, SAVED]),
    Step(
        {"federation.delegation": "well-known", "names.base_domain": "ours", "homeserver.registration": "closed"},
        [PLAIN, TLS, PALPO, SAVED],
    ),
)


def touched(host: LabHost, *options: str) -> list[str]:
    """Return what a plan does: paths, and the names of certificates."""
    assert host.tool("plan", *options, "--output", "/root/plan.json").returncode == 0
    plan = json.loads(host.read("/root/plan.json"))["plan"]
    operations = [operation for change in plan["changes"] for operation in change["operations"]]
    return [operation.get("path") or operation.get("name") or operation["kind"] for operation in operations]


def witness(host: LabHost, name: str = "matrix.example.com") -> Running:
    """Begin to ask the neighbour and the client API."""
    running = host.start([host.python, WITNESS, name])
    until(lambda: "asking" in running.said(), "the first question")
    return running


def seen_by(running: Running) -> dict[str, dict[str, float]]:
    """Return what was seen until now."""
    running.signal(signal.SIGTERM)
    seen: dict[str, dict[str, float]] = json.loads(running.wait().stdout.splitlines()[-1])
    return seen


def go(host: LabHost, step: Step) -> dict[str, dict[str, float]]:
    """Take a step under load and check what it touched, who noticed, and that it leaves nothing to do."""
    options = [word for key, value in step.settings.items() for word in ("--set", f"{key}={value}")]
    assert touched(host, *options) == list(step.touches)
    running = witness(host)
    applied = host.tool("apply", *options, "--yes")
    seen = seen_by(running)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert {what for what, count in seen.items() if not count["failures"]} >= step.quiet, seen
    assert all(count["requests"] > 10 for count in seen.values())
    assert {port for _, port in host.listening()} & {8448, 8449} == step.ports
    assert host.tool("plan", "--exit-code").returncode == 0
    api = f"https://{step.client_host}/_matrix/client/versions"
    assert '"versions"' in ways.fetch(host, api, "--insecure")
    return seen


def verify(host: LabHost, *options: str) -> None:
    """Check that the outside view is content."""
    verified = host.tool("verify", "--json", *options)
    checks = json.loads(verified.stdout)["checks"]
    assert verified.returncode == 0, [check for check in checks if check["result"] == "fail"]


def set_up(host: LabHost) -> Snapshot:
    """Apply the first answers, with certificates of this host; return the host as it was before."""
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    return before


def test_other_answers_and_back(nginx: ThrowAwayHost) -> None:
    """The plan is what differs, no request of anybody fails meanwhile, and all of it rolls back."""
    host = nginx
    before = set_up(host)
    ways.start_palpo(host)
    go(host, Step({**CHAIN[0].settings, **CHAIN[3].settings}, [TLS, PALPO, SAVED], ports=frozenset({8448})))
    taken_back(host, "rollback", before)


@pytest.mark.slow
def test_delegation_base_domain_and_registration_one_after_another(nginx: ThrowAwayHost) -> None:
    """Back to the first answers the outside is content as at first."""
    host = nginx
    before = set_up(host)
    ways.start_palpo(host)
    for step in CHAIN:
        go(host, step)
    verify(host)
    taken_back(host, "rollback", before)


@pytest.mark.slow
def test_another_server_name_is_agreed_to_and_comes_back(nginx: ThrowAwayHost) -> None:
    """Not by --yes; then the new name is served with a key of its own, and the old one is there after a rollback."""
    host = nginx
    before = set_up(host)
    renamed = ("--set", "names.server_name=example.org", "--set", "names.client_host=matrix.example.org")
    applied = host.snapshot()
    refused = host.tool("apply", *renamed, "--yes")
    assert refused.returncode == 1
    assert "for the server name example.com, and the answers are for example.org" in refused.stderr
    assert host.snapshot() == applied
    done = host.tool("apply", *renamed, "--change-server-name", "--yes")
    assert done.returncode == 0, done.stdout
    assert "every account @user:example.com" in done.stdout
    assert 'server_name = "example.org"' in host.read(PALPO)
    key = host.read("/etc/palpo-installer/keys/example.com").strip()
    assert key not in host.read(PALPO)
    assert host.tool("plan", "--exit-code").returncode == 0
    assert host.tool("rollback", "2", "--yes").returncode == 0
    assert key in host.read(PALPO)
    taken_back(host, "rollback", before)


def files(name: str) -> dict[str, str]:
    """Return the answers that name a certificate that was brought."""
    key = f'certificates.files."{name}"'
    return {f"{key}.chain": f"/root/{name}.pem", f"{key}.key": f"/root/{name}.key"}


def under_systemd(authority: Authority) -> tuple[Step, ...]:
    """Return the steps that need systemd: Palpo is restarted, and the timer comes and goes."""
    ordered = {
        "certificates.method": "http-01",
        "certificates.email": "admin@example.com",
        "certificates.agree_terms": "true",
        "certificates.directory": authority.directory,
        "certificates.ca_file": authority.ca_file,
    }
    brought = {"certificates.method": "files", **files("example.com"), **files("matrix.example.com")}
    moved = {"homeserver.listen": "127.0.0.1:8018", "homeserver.upstream": "127.0.0.1:8018"}
    names = ["matrix.example.com", "example.com"]
    return (
        Step(
            {"names.client_host": "four.example.com"},
            [PLAIN, "four.example.com", TLS, PALPO, SAVED],
            RESTARTED,
            client_host="four.example.com",
        ),
        Step({"names.client_host": "matrix.example.com"}, [PLAIN, TLS, PALPO, SAVED], RESTARTED),
        Step({"homeserver.registration": "open"}, [TLS, PALPO, SAVED], RESTARTED),
        Step(moved, [PALPO, TLS, SAVED], RESTARTED),
        Step(ordered, [PLAIN, "ProbeChallenge", *names, TLS, SAVED]),
        Step(brought, [PLAIN, TLS, *UNITS, SAVED]),
        Step({"certificates.method": "self-signed"}, [TLS, *UNITS, SAVED]),
    )


@pytest.mark.slow
@pytest.mark.booted
def test_client_host_port_and_certificates_one_after_another(booted: BootedHost, booted_acme: Authority) -> None:
    """Only a restart of Palpo is noticed, by nobody else, and for no longer than it takes."""
    host = booted
    install_palpo(host)
    for name in ("example.com", "matrix.example.com"):
        services.make_certificate(host, f"/root/{name}.pem", f"/root/{name}.key", f"DNS:{name}")
    before = set_up(host)
    host.output(["systemctl", "enable", "--now", "palpo"])
    host.until_listening(8008)
    for step in under_systemd(booted_acme):
        seen = go(host, step)
        if "homeserver.listen" in step.settings:
            assert {port for _, port in host.listening()} & {8008, 8018} == {8018}
            assert seen["client API"]["dark"] < on_a_machine_at_work(3), seen
        timer = host.run(["systemctl", "is-active", "palpo-installer-renew.timer"]).stdout.strip()
        assert timer == ("inactive" if step.settings.get("certificates.method") == "files" else "active")
    verify(host)
    host.output(["systemctl", "disable", "--now", "palpo"])
    taken_back(host, "rollback", before)
    assert host.run(["systemctl", "is-active", "palpo-installer-renew.timer"]).returncode != 0
    assert host.output(["systemctl", "is-system-running"]).strip() == "running"
