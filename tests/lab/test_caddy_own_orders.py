"""Caddy orders, shows and renews certificates itself (``certificates.method = proxy``), as Debian's account runs it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from palpo_installer.changes import Plan
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.serialization import load
from tests.lab import from_go, names, services, ways
from tests.lab.hosts import ADDRESS4, ADDRESS6, CHECKOUT, LabHost, ThrowAwayHost
from tests.lab.running import require_programs, require_root, until
from tests.lab.services import Authority
from tests.lab.snapshots import Snapshot
from tests.lab.test_caddy_account import START

NAMES = ("matrix.example.com", "example.com")
STORAGE = "/var/lib/caddy/.local/share/caddy/certificates/127.0.0.1-14000-dir"
TRUSTED = "/etc/ssl/pebble-ca.pem"
ENGINE = str(CHECKOUT / "tests/lab/faulty_engine.py")
HANDSHAKES = f"""
while :; do
    for name in {" ".join(NAMES)}; do
        openssl s_client -connect {ADDRESS4}:443 -servername $name </dev/null 2>/dev/null |
            openssl x509 -noout -checkhost $name 2>/dev/null | grep -q "does match" && echo shown || echo dark
    done
done
"""
"""Asks without a pause whether each name has a certificate."""


def start_as_caddy(host: LabHost, options: str = "") -> None:
    """Start Caddy as its package's account, beside a neighbour whose certificate that account may read.

    Args:
        host: where.
        options: further lines of the global options.
    """
    require_programs("caddy", "openssl", "runuser")
    services.make_certificate(host, services.NEIGHBOUR_CERTIFICATE, services.NEIGHBOUR_KEY, f"DNS:{services.NEIGHBOUR}")
    host.output(["sh", "-c", f"chgrp caddy {services.NEIGHBOUR_KEY} && chmod 640 {services.NEIGHBOUR_KEY}"])
    host.output(["sh", "-c", f"chmod o+rx $(dirname {services.NEIGHBOUR_KEY})"])
    host.write("/etc/caddy/Caddyfile", services.CADDY_NEIGHBOUR.replace("{\n", f"{{\n{options}", 1))
    host.output(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"])
    host.output(["install", "-d", "-o", "caddy", "/run/caddy"])
    host.output(["runuser", "-u", "caddy", "--", "sh", "-c", f"{START} >/run/caddy/out 2>&1"])
    host.until_listening(443)


def restart(host: LabHost) -> None:
    """End Caddy and start it with its Caddyfile."""
    process = host.read("/run/caddy/caddy.pid").strip()
    host.output(["kill", process])
    until(lambda: host.run(["test", "-d", f"/proc/{process}"]).returncode != 0, "the end of Caddy")
    host.output(["runuser", "-u", "caddy", "--", "sh", "-c", f"{START} >/run/caddy/out 2>&1"])
    host.until_listening(443)


@pytest.fixture
def authority(host: ThrowAwayHost) -> Authority:
    """An authority on a host whose Caddy runs as the account caddy, which may read the authority to trust."""
    return start_authority(host)


def start_authority(host: LabHost) -> Authority:
    """Start Caddy, and an authority whose own certificate Caddy may read."""
    found = services.start_pebble(host)
    host.write(TRUSTED, host.read(found.ca_file), 0o644)
    start_as_caddy(host)
    return found


def prepare(host: LabHost, authority: Authority, delegation: str = "well-known") -> None:
    """Put answers on the host by which Caddy orders itself."""
    ways.prepare(host, authority, delegation, proxy='kind = "caddy"')
    text = host.read(ways.ANSWERS).replace('"http-01"', '"proxy"').replace(authority.ca_file, TRUSTED)
    host.write(ways.ANSWERS, text, 0o600)


def kept(host: LabHost, name: str, storage: str = STORAGE) -> str:
    """Return the fingerprint of the certificate that Caddy has for a name."""
    return host.output(["sh", "-c", f"{ways.FINGERPRINT} <{storage}/{name}/{name}.crt"]).strip()


def kept_there(host: LabHost, name: str) -> bool:
    """Return whether Caddy has a whole certificate for a name."""
    return host.run(["openssl", "x509", "-noout", "-in", f"{STORAGE}/{name}/{name}.crt"]).returncode == 0


def running(host: LabHost) -> object:
    """Return what Caddy runs with; while it takes something up it ends the connections of its endpoint."""
    said: list[str] = []

    def answered() -> bool:
        asked = host.run(["curl", "--silent", "--fail", "http://localhost:2019/config/"])
        said[:] = [asked.stdout]
        return asked.returncode == 0

    until(answered, "an answer of Caddy's endpoint", 30)
    return json.loads(said[0])


def orders_now(host: LabHost) -> bool:
    """Return whether an order stands in what Caddy runs with."""
    return "palpo-installer-order" in json.dumps(running(host))


def left(before: Snapshot, host: LabHost) -> set[str]:
    """Return the paths that are not as before, but for Caddy's own storage."""
    return {path for path in ways.untouched(before, host) if not path.startswith("/var/lib/caddy")}


@pytest.mark.usefixtures("any_caddy")
def test_the_whole_way(host: ThrowAwayHost, authority: Authority) -> None:
    """Ordered by Caddy and proven beside a neighbour, nothing twice, taken back but for what Caddy itself keeps."""
    prepare(host, authority)
    before, neighbours, served = host.snapshot(), ways.neighbour_answers(host), running(host)
    planned = " ".join(ways.done(host, "plan", "--answers", ways.ANSWERS).split())
    assert "let Caddy order a certificate for example.com" in planned
    assert f"Caddy orders certificates from {authority.directory} and renews them, itself." in planned
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    for name in NAMES:
        assert {ways.served(host, address, 443, name) for address in (ADDRESS4, ADDRESS6)} == {kept(host, name)}
    assert ways.neighbour_answers(host) == neighbours
    assert not orders_now(host)
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    assert ways.ledger_orders(host) == len(NAMES)
    homeserver = ways.start_palpo(host)
    assert host.tool("verify", "--trust", ways.ROOT).returncode == 0
    homeserver.stop()

    assert "Caddy renews it itself" in ways.done(host, "renew")
    ways.done(host, "rollback", "--yes")
    assert left(before, host) == set()
    assert running(host) == served
    assert ways.neighbour_answers(host) == neighbours
    assert {kept(host, name) for name in NAMES} != {""}

    # Caddy has them still: applied again, nothing is ordered.
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert ways.ledger_orders(host) == len(NAMES)


@pytest.fixture
def led_astray(any_caddy_program: Path) -> Iterator[ThrowAwayHost]:
    """A host one of whose names leads to an address that nobody reaches."""
    require_root()
    host = ThrowAwayHost()
    try:
        names.serve(host, names.Records(hosts={"matrix.example.com": names.HERE, "example.com": ("198.51.100.1",)}))
        from_go.put(host, any_caddy_program)
        yield host
    finally:
        host.stop()


def test_a_refused_order_is_explained_and_all_is_as_before(led_astray: ThrowAwayHost) -> None:
    """A name that leads elsewhere: the CA's own words, through Caddy's log; the ledger counts it; nothing is left."""
    host = led_astray
    prepare(host, start_authority(host))
    before, served = host.snapshot(), running(host)
    ended = host.tool("apply", "--answers", ways.ANSWERS, "--yes", timeout=240)
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode == 1, said
    assert "example.com" in said
    # Caddy asks for the proof on port 80 first, or on 443; which, it draws.
    assert re.search(r"answered for|cannot connect to", said)
    assert re.search(r"Caddy says: .* 198\.51\.100\.1:(?:80|443)", said), said[-1500:]
    assert left(before, host) == set()
    assert running(host) == served
    ledger = [json.loads(line) for line in host.read("/var/lib/palpo-installer/ledger.jsonl").splitlines()]
    assert [(each["name"], each["outcome"]) for each in ledger if each["outcome"] != "unknown"] == [
        ("matrix.example.com", "issued"),
        ("example.com", "failed"),
    ]


@pytest.mark.usefixtures("any_caddy")
def test_killed_while_caddy_orders_it_serves_what_its_caddyfile_says(host: ThrowAwayHost, authority: Authority) -> None:
    """The CA hangs, the engine is killed: recovered, Caddy has forgotten the order and the host is as before."""
    prepare(host, authority)
    before, served = host.snapshot(), running(host)
    identity = host.output([host.python, ENGINE, "register", ways.ANSWERS]).strip()
    plan = load(host.read(f"/var/lib/palpo-installer/runs/{identity}/plan.json"), Plan)
    ordered = [each.name for change in plan.changes for each in change.operations if isinstance(each, OrderByProxy)]
    assert ordered == list(NAMES)
    # The order hangs as it does where a firewall swallows what goes to the CA.
    host.output(["iptables", "-I", "INPUT", "-p", "tcp", "--dport", "14000", "-j", "DROP"])
    engine = host.start([host.python, ENGINE, "kill", identity, "999"])
    until(lambda: orders_now(host), "an order in what Caddy runs with", 60)
    engine.signal(signal.SIGKILL)
    assert engine.wait().returncode not in {0, 1}
    ways.done(host, "recover")
    assert left(before, host) == set()
    assert running(host) == served


@pytest.mark.slow
@pytest.mark.usefixtures("any_caddy")
def test_from_our_orders_to_caddys_own_and_back(host: ThrowAwayHost, authority: Authority) -> None:
    """Certificates change hands without a moment in which a name has none; the renewal job goes and comes."""
    prepare(host, authority)
    host.write("/root/ours.toml", host.read(ways.ANSWERS).replace('"proxy"', '"http-01"'), 0o600)
    ways.done(host, "apply", "--answers", "/root/ours.toml", "--yes")
    ours = {name: ways.on_disk(host, name) for name in NAMES}
    asking = host.start(["sh", "-c", HANDSHAKES])
    until(lambda: asking.said().count("shown") > 4, "handshakes")

    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert {name: ways.served(host, ADDRESS4, 443, name) for name in NAMES} == {n: kept(host, n) for n in NAMES}
    assert host.run(["test", "-e", "/etc/cron.d/palpo-installer"]).returncode != 0
    assert closed_to_caddy(host)

    ways.done(host, "apply", "--answers", "/root/ours.toml", "--yes")
    assert {name: ways.served(host, ADDRESS4, 443, name) for name in NAMES} == ours
    assert host.run(["test", "-e", "/etc/cron.d/palpo-installer"]).returncode == 0
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    # Before its end: a handshake that is ended with it is none.
    said = asking.said()
    asking.stop()
    assert "dark" not in said
    assert said.count("shown") > 20


@pytest.mark.slow
@pytest.mark.usefixtures("any_caddy")
def test_from_one_authority_to_another(host: ThrowAwayHost, authority: Authority) -> None:
    """As from one for trying out to the real one: Caddy orders anew, and no name is without a certificate meanwhile."""
    prepare(host, authority)
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    former = {name: kept(host, name) for name in NAMES}
    other = authority.directory.replace("127.0.0.1", "localhost")
    host.write(ways.ANSWERS, host.read(ways.ANSWERS).replace(authority.directory, other), 0o600)
    asking = host.start(["sh", "-c", HANDSHAKES])
    until(lambda: asking.said().count("shown") > 4, "handshakes")
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    shown = {name: ways.served(host, ADDRESS4, 443, name) for name in NAMES}
    assert shown == {name: kept(host, name, STORAGE.replace("127.0.0.1", "localhost")) for name in NAMES}
    assert not set(shown.values()) & set(former.values())
    assert ways.ledger_orders(host) == 2 * len(NAMES)
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    said = asking.said()
    asking.stop()
    assert "dark" not in said


def closed_to_caddy(host: LabHost) -> bool:
    """Return whether nothing of our certificates belongs to a group of Caddy's any more."""
    return host.output(["find", "/etc/palpo-installer", "-group", "caddy"]) == ""


def access(host: LabHost) -> dict[str, str]:
    """Return owner, group and mode by path of all that is open to Caddy's group."""
    said = host.output(["find", "/etc/palpo-installer", "-group", "caddy", "-printf", "%P %u:%g %m\\n"])
    return dict(line.split(" ", 1) for line in said.splitlines())


def test_our_own_orders_are_readable_for_caddys_group_alone(host: ThrowAwayHost, authority: Authority) -> None:
    """Keys 0640 and directories 0710 of its group, kept so by a renewal, closed again by rollback and uninstall."""
    prepare(host, authority)
    host.write(ways.ANSWERS, host.read(ways.ANSWERS).replace('"proxy"', '"http-01"'), 0o600)
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    directories = {"": "root:caddy 710", **{f"acme{each}": "root:caddy 710" for each in ("", "/live", "/archive")}}
    keys = {f"acme/archive/palpo-{name}/privkey1.pem": "root:caddy 640" for name in NAMES}
    assert access(host) == {**directories, **keys}
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")

    ways.let_certificates_be_due(host, *NAMES)
    assert ways.done(host, "renew").count(": renewed") == len(NAMES)
    keys |= {f"acme/archive/palpo-{name}/privkey2.pem": "root:caddy 640" for name in NAMES}
    assert access(host) == {**directories, **keys}
    for name in NAMES:
        assert ways.served(host, ADDRESS6, 443, name) == ways.on_disk(host, name)

    ways.done(host, "rollback", "--yes")
    assert left(before, host) == set()
    assert access(host) == {}
    modes = host.output(
        ["sh", "-c", "stat -Lc %a /etc/palpo-installer/acme/live /etc/palpo-installer/acme/live/*/privkey.pem"]
    )
    assert modes.split() == ["700", "600", "600"]

    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert access(host) == {**directories, **keys}
    ways.done(host, "uninstall", "--yes")
    assert left(before, host) == set()
    assert access(host) == {}


@pytest.mark.slow
def test_certificates_for_trying_out_are_readable_too(host: ThrowAwayHost) -> None:
    """Self-signed ones are served by Caddy as its own account, and closed again."""
    start_as_caddy(host)
    ways.prepare(host, None, "srv", proxy='kind = "caddy"')
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert ways.served(host, ADDRESS4, 8448, "example.com") != ""
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    assert f"self-signed/{NAMES[0]}/privkey.pem" in access(host)
    assert "self-signed/authority.key" not in access(host)
    ways.done(host, "rollback", "--yes")
    assert access(host) == {}


@pytest.mark.slow
@pytest.mark.usefixtures("any_caddy")
def test_what_caddy_failed_to_renew_is_told(host: ThrowAwayHost, authority: Authority) -> None:
    """The certificates are Caddy's to renew; where one is gone, renew names it, and a restart heals."""
    prepare(host, authority)
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    host.output(["rm", "-r", f"{STORAGE}/example.com"])
    ended = host.tool("renew")
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode == 1
    assert "matrix.example.com: Caddy renews it itself; it ends at" in said
    assert "FAIL example.com: Caddy renews it itself, and has not: there is no certificate" in said
    assert "restart it" in said
    # A Caddy that is reloaded only goes on, since 2.7, with what it has in memory.
    restart(host)
    until(lambda: kept_there(host, "example.com"), "the order that Caddy makes itself when it starts", 60)
    assert "every address shows the certificates on disk" in ways.done(host, "renew")
    assert ways.served(host, ADDRESS6, 443, "example.com") == kept(host, "example.com")


@pytest.mark.usefixtures("any_caddy")
def test_an_authority_that_is_away_or_wants_more_is_told_before_anything_changes(
    host: ThrowAwayHost, authority: Authority
) -> None:
    """The directory is asked while the plan is made."""
    prepare(host, authority)
    before = host.snapshot()
    authority.running.stop()
    ended = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert ended.returncode == 1
    assert "the CA cannot be reached" in " ".join((ended.stdout + ended.stderr).split())
    assert left(before, host) == set()
