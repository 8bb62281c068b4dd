"""Sites that Caddy has for our names already: one in a file of its own is switched off for ours, and comes back."""

from __future__ import annotations

import re

import pytest

from tests.lab import ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs
from tests.lab.services import (
    CADDY_NEIGHBOUR,
    CADDYS_OWN,
    NEIGHBOUR,
    NEIGHBOUR_CERTIFICATE,
    NEIGHBOUR_KEY,
    Authority,
    make_certificate,
    run_caddy,
)

FILE, SITES = "/etc/caddy/Caddyfile", "/etc/caddy/sites"
SYNAPSE = f"""\
matrix.example.com {{
\ttls {NEIGHBOUR_CERTIFICATE} {NEIGHBOUR_KEY}
\trespond "the old homeserver" 410
}}
"""
URL = "https://matrix.example.com/.well-known/matrix/client"


def start(host: ThrowAwayHost, text: str, site: str = "") -> None:
    """Start Caddy with a Caddyfile, and a file with a site beside it."""
    require_programs("caddy", "openssl")
    make_certificate(host, NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY, f"DNS:{NEIGHBOUR}")
    host.write(FILE, text)
    if site:
        host.write(f"{SITES}/synapse.caddy", site)
    run_caddy(host)
    host.until_listening(443)


def answer(host: ThrowAwayHost) -> str:
    """Return what the client host answers."""
    return ways.fetch(host, URL, "--insecure")


@pytest.mark.slow
@pytest.mark.parametrize(("way", "pattern"), [("rollback", "*.caddy"), ("uninstall", "*.caddy"), ("rollback", "*")])
def test_the_old_homeservers_site_goes_and_comes_back(
    host: ThrowAwayHost, acme: Authority, way: str, pattern: str
) -> None:
    """Refused without consent; its file goes in the change that brings ours, and taken back it answers as before.

    To a pattern that fits every name this Caddy reads dot names too: nothing lies beside the sites meanwhile.
    """
    start(host, f"{CADDY_NEIGHBOUR}\nimport sites/{pattern}\n", SYNAPSE)
    ways.prepare(host, acme, "well-known", proxy='kind = "caddy"')
    refused = host.tool("plan", "--answers", ways.ANSWERS)
    assert refused.returncode == 1
    assert re.search(r"sites/synapse\.caddy:1: .*already has a site on port 443", refused.stderr)
    assert "proxy.take_over = true" in refused.stderr
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    assert " 410" in answer(host)

    ways.done(host, "apply", "--answers", ways.ANSWERS, "--set", "proxy.take_over=true", "--yes")
    assert '"m.homeserver"' in answer(host)
    assert not host.exists(f"{SITES}/synapse.caddy")
    assert ways.neighbour_answers(host) == neighbours
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")

    ways.done(host, way, "--yes")
    left = {path for path in ways.untouched(before, host) if not path.startswith(CADDYS_OWN)}
    assert left == set()
    assert " 410" in answer(host)
    assert ways.neighbour_answers(host) == neighbours


@pytest.mark.parametrize(
    ("beside", "why"),
    [
        ("", "Move the site into a file of its own, such as sites/matrix.caddy"),
        (CADDY_NEIGHBOUR, f"this file serves {NEIGHBOUR} as well"),
        ("import sites/*.caddy\n", f"Move its server block into a file of its own in {SITES}"),
    ],
)
def test_a_site_in_the_caddyfile_itself_is_named_and_stays(host: ThrowAwayHost, beside: str, why: str) -> None:
    """No part of a file of somebody's is cut out: where to move it is said, and that place is one Caddy reads."""
    start(host, f"{beside}\n{SYNAPSE}")
    ways.prepare(host, None, "well-known", proxy='kind = "caddy"')
    before = host.snapshot()
    refused = host.tool("plan", "--answers", ways.ANSWERS, "--set", "proxy.take_over=true")
    assert refused.returncode == 1
    assert why in " ".join(refused.stderr.split()), refused.stderr
    assert host.snapshot() == before
