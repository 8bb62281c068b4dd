"""A Caddy that runs with something else than its Caddyfile, or cannot be reloaded, is left as it is."""

from __future__ import annotations

import pytest

from tests.lab import names, services, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs

ADDED = '{"listen":[":8099"],"routes":[{"handle":[{"handler":"static_response","body":"by the API"}]}]}'
SERVERS = "http://localhost:2019/config/apps/http/servers"


def refused(host: ThrowAwayHost, why: str) -> None:
    """Assert that an apply is refused for a reason, and changes nothing."""
    before = host.snapshot()
    said = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert said.returncode != 0
    assert why in " ".join((said.stdout + said.stderr).split()), said.stdout + said.stderr
    assert ways.untouched(before, host) == {}


@pytest.fixture
def caddy(any_caddy: ThrowAwayHost) -> ThrowAwayHost:
    """A host with a running Caddy and its neighbour's site, and answers that choose it."""
    services.start_caddy(any_caddy)
    ways.prepare(any_caddy, None, "srv", proxy='kind = "caddy"')
    return any_caddy


def test_what_was_told_through_the_api_is_not_overwritten(caddy: ThrowAwayHost) -> None:
    """A site that only the API knows would be gone with the next reload."""
    asked = ["curl", "--silent", "--fail", "-X", "PUT", "-H", "Content-Type: application/json"]
    caddy.output([*asked, "--data", ADDED, f"{SERVERS}/more"])
    refused(caddy, "Caddy does not run with its Caddyfile")
    assert caddy.output(["curl", "--silent", "http://127.0.0.1:8099"]) == "by the API"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{\n\tadmin off\n}\n:8098 {\n\trespond hi\n}\n", "admin off"),
        ("\ufeff:8098 {\n\trespond hi\n}\n", "no line can be added"),
    ],
)
def test_a_caddyfile_that_cannot_take_a_line_or_a_reload(host: ThrowAwayHost, text: str, why: str) -> None:
    """With the reason; the Caddyfile is as it was."""
    require_programs("caddy")
    names.serve(host)
    host.write("/etc/caddy/Caddyfile", text)
    host.output(["caddy", "start", "--config", "/etc/caddy/Caddyfile", "--pidfile", "/run/caddy.pid"])
    host.until_listening(8098)
    ways.prepare(host, None, "srv", proxy='kind = "caddy"')
    refused(host, why)
    assert host.read("/etc/caddy/Caddyfile") == text


@pytest.mark.usefixtures("any_caddy")
def test_started_with_resume(host: ThrowAwayHost) -> None:
    """It goes on with what it saved, whatever the Caddyfile says."""
    require_programs("caddy")
    names.serve(host)
    host.write("/etc/caddy/Caddyfile", ":8098 {\n\trespond hi\n}\n")
    saved = ["env", "XDG_CONFIG_HOME=/run/saved"]
    host.start([*saved, "caddy", "run", "--resume", "--config", "/etc/caddy/Caddyfile"])
    host.until_listening(8098)
    ways.prepare(host, None, "srv", proxy='kind = "caddy"')
    refused(host, "--resume")


@pytest.mark.usefixtures("any_caddy")
def test_a_site_with_many_names_is_the_same_in_any_order(host: ThrowAwayHost) -> None:
    """Caddy writes the names of a site in another order each time it reads them, which is no other configuration."""
    require_programs("caddy")
    names.serve(host)
    services.make_certificate(host, "/root/chain.pem", "/root/key.pem", "DNS:example.org")
    sites = ", ".join(f"https://{letter}.example.org:8098" for letter in "abcdefgh")
    host.write("/etc/caddy/Caddyfile", f"{sites} {{\n\ttls /root/chain.pem /root/key.pem\n\trespond hi\n}}\n")
    host.output(["caddy", "start", "--config", "/etc/caddy/Caddyfile", "--pidfile", "/run/caddy.pid"])
    host.until_listening(8098)
    ways.prepare(host, None, "srv", proxy='kind = "caddy"')
    planned = host.tool("plan", "--answers", ways.ANSWERS)
    assert planned.returncode == 0, planned.stderr
