"""Caddy as packages run it: as an account of its own, which may read some keys, and none of root's."""

from __future__ import annotations

import pytest

from tests.lab import names, services, ways
from tests.lab.hosts import ADDRESS4, LabHost, ThrowAwayHost
from tests.lab.running import require_programs

CERTIFICATES = "/etc/caddy/certificates"
NAMES = ("example.com", "matrix.example.com")
START = "caddy start --config /etc/caddy/Caddyfile --pidfile /run/caddy/caddy.pid"


def make_certificates(host: LabHost) -> None:
    """Make certificates of our names that the group of Caddy may read."""
    for name in NAMES:
        chain, key = f"{CERTIFICATES}/{name}.pem", f"{CERTIFICATES}/{name}.key"
        services.make_certificate(host, chain, key, f"DNS:{name}")
        host.output(["sh", "-c", f"chgrp caddy {key} && chmod 640 {key}"])


def answer_with_files(host: LabHost) -> None:
    """Let the answers name these certificates."""
    pairs = (
        f'"{name}" = {{ chain = "{CERTIFICATES}/{name}.pem", key = "{CERTIFICATES}/{name}.key" }}' for name in NAMES
    )
    files = 'method = "files"\n[certificates.files]\n' + "\n".join(pairs)
    host.write(ways.ANSWERS, host.read(ways.ANSWERS).replace('method = "self-signed"', files), 0o600)


@pytest.fixture
def caddy(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host whose Caddy runs as the account caddy, with certificates of our names that its group may read."""
    require_programs("caddy", "openssl", "runuser")
    names.serve(host)
    make_certificates(host)
    host.write(
        "/etc/caddy/Caddyfile", ":8098 {\n\tlog {\n\t\toutput file /run/caddy/access.log\n\t}\n\trespond hi\n}\n"
    )
    host.output(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"])
    host.output(["install", "-d", "-o", "caddy", "/run/caddy"])
    host.output(["runuser", "-u", "caddy", "--", "sh", "-c", f"{START} >/run/caddy/out 2>&1"])
    host.until_listening(8098)
    return host


def test_keys_that_it_may_read_are_served_and_those_of_root_are_refused(caddy: ThrowAwayHost) -> None:
    """Applied, nothing twice, taken back; with keys for root alone the plan is refused before anything changes."""
    host = caddy
    ways.prepare(host, None, "well-known", proxy='kind = "caddy"')
    answer_with_files(host)
    host.output(["sh", "-c", f"chmod 600 {CERTIFICATES}/*.key"])
    refused = host.tool("plan", "--answers", ways.ANSWERS)
    assert refused.returncode != 0
    assert "Caddy runs as caddy, which may not read" in " ".join((refused.stdout + refused.stderr).split())

    host.output(["sh", "-c", f"chmod 640 {CERTIFICATES}/*.key"])
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert ways.served(host, ADDRESS4, 443, "example.com") != ""
    assert host.output(["stat", "-c", "%U", "/run/caddy/access.log"]).strip() == "caddy"
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    left = {path for path in ways.untouched(before, host) if not path.startswith("/var/lib/caddy")}
    assert left == set()
