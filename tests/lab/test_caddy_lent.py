"""A site whose certificate Caddy orders itself lends it to the port for other servers (SRV): nothing is ordered."""

from __future__ import annotations

import re

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ADDRESS4, ADDRESS6, ThrowAwayHost
from tests.lab.running import until
from tests.lab.services import Authority
from tests.lab.test_caddy_account import START
from tests.lab.test_caddy_own_orders import TRUSTED, kept, kept_there, left, prepare

FILE = "/etc/caddy/Caddyfile"
SITE = """\
{{
	email admin@example.com
	acme_ca {directory}
	acme_ca_root {trusted}
}}

# The company's website
example.com {{{own}
	handle / {{
		respond "<h1>Example</h1>"
	}}
	handle {{
		respond "not here" 404
	}}
}}
"""
RELOAD = "runuser -u caddy -- caddy reload --force --config /etc/caddy/Caddyfile --adapter caddyfile"
RELOADS = 25
"""Without our site for plain HTTP about one reload in fifty led to the port for other servers."""


def start(host: ThrowAwayHost, own: str = "") -> Authority:
    """Start Caddy as its package does, with a website that gets its certificate by itself."""
    authority = services.start_pebble(host)
    host.write(TRUSTED, host.read(authority.ca_file), 0o644)
    host.write(FILE, SITE.format(directory=authority.directory, trusted=TRUSTED, own=own))
    host.output(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"])
    host.output(["install", "-d", "-o", "caddy", "/run/caddy"])
    host.output(["runuser", "-u", "caddy", "--", "sh", "-c", f"{START} >/run/caddy/out 2>&1"])
    until(lambda: kept_there(host, "example.com"), "the website's certificate", 60)
    prepare(host, authority, "srv")
    host.write(ways.ANSWERS, host.read(ways.ANSWERS).replace('"ours"', '"existing"'), 0o600)
    return authority


def pages(host: ThrowAwayHost) -> list[str]:
    """Return what the website answers, with TLS and without, but for the time of day."""
    found = (ways.fetch(host, url, "--insecure") for url in ("https://example.com/", "http://example.com/a?b"))
    return [re.sub(r"(?im)^date: .*\r\n", "", page) for page in found]


@pytest.mark.slow
def test_the_whole_way_and_back(any_caddy: ThrowAwayHost) -> None:
    """The site's own certificate stands on 8448, plain HTTP leads where it led, however often Caddy is reloaded."""
    host = any_caddy
    start(host)
    before, shown, certificate = host.snapshot(), pages(host), kept(host, "example.com")
    planned = " ".join(ways.done(host, "plan", "--answers", ways.ANSWERS).split())
    assert "shows the certificate of the site of example.com" in planned
    assert "which Caddy renews itself" in planned
    assert "order a certificate for example.com" not in planned

    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert {ways.served(host, address, 8448, "example.com") for address in (ADDRESS4, ADDRESS6)} == {certificate}
    assert ways.ledger_orders(host) == 1
    for _ in range(RELOADS):
        assert pages(host) == shown
        host.output(["sh", "-c", RELOAD])
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    homeserver = ways.start_palpo(host)
    assert host.tool("verify", "--trust", ways.ROOT).returncode == 0
    homeserver.stop()

    ways.done(host, "rollback", "--yes")
    assert left(before, host) == set()
    assert pages(host) == shown
    assert kept(host, "example.com") == certificate


@pytest.mark.slow
def test_a_site_that_says_itself_how_it_is_ordered_keeps_its_certificate(host: ThrowAwayHost) -> None:
    """Caddy would take no second site of that name; the plan says so before anything changes, with the cure."""
    start(host, "\n\ttls admin@example.com")
    before = host.snapshot()
    asked = '[certificates]\nbase_domain = "site"\n'
    host.write(ways.ANSWERS, host.read(ways.ANSWERS).replace("[certificates]\n", asked), 0o600)
    ended = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode != 0
    assert "Caddy takes no second site of that name" in said
    assert "acme_ca" in said
    assert left(before, host) == set()
    # The reason is Caddy's own.
    host.write("/root/both", host.read(FILE) + "https://example.com:8448 {\n\trespond hi\n}\n")
    adapted = host.run(["caddy", "adapt", "--adapter", "caddyfile", "--config", "/root/both"])
    assert "hostname appears in more than one automation policy" in adapted.stderr
