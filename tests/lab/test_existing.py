"""A base domain that has a website on this proxy: one line in its file, and back, with real nginx and pebble."""

from __future__ import annotations

import json

import pytest

from tests.lab import sites, ways
from tests.lab.hosts import ADDRESS4, ThrowAwayHost
from tests.lab.services import Authority

SECTIONS = {"well-known": "", "site": 'base_domain = "site"', "ordered": 'base_domain = "ordered"'}


def prepare(host: ThrowAwayHost, authority: Authority | None, way: str, text: str = sites.SITE) -> None:
    """Put a website and the answers on a host; ``way`` is the delegation, or for srv which certificate."""
    sites.make(host, text)
    delegation = "well-known" if way == "well-known" else "srv"
    ways.prepare(host, authority, delegation, "existing")
    if SECTIONS[way]:
        answers = host.read(ways.ANSWERS).replace("[certificates]\n", f"[certificates]\n{SECTIONS[way]}\n")
        host.write(ways.ANSWERS, answers, 0o600)


def trusted(host: ThrowAwayHost) -> str:
    """Return a file of the authorities that the names' certificates come from: pebble's, and the site's itself."""
    host.write("/run/trust.pem", host.read(ways.ROOT) + host.read(sites.CHAIN))
    return "/run/trust.pem"


@pytest.mark.parametrize("way", SECTIONS)
def test_the_whole_way_and_back(nginx: ThrowAwayHost, acme: Authority, way: str) -> None:
    """One line is shown and added, discovery and federation work, the site answers as ever; back is byte for byte."""
    host = nginx
    prepare(host, acme, way)
    before, pages = host.snapshot(), sites.pages(host)

    planned = host.tool("plan", "--answers", ways.ANSWERS)
    assert planned.returncode == 0, planned.stderr
    added = [line for line in planned.stdout.splitlines() if line.startswith("+    include ")]
    assert len(added) == (2 if way == "ordered" else 1), planned.stdout
    assert host.snapshot() == before

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert sites.pages(host) == pages
    text = host.read(sites.FILE)
    assert [line for line in text.splitlines() if "palpo-installer" not in line] == sites.SITE.splitlines()

    ways.start_palpo(host)
    verified = host.tool("verify", "--trust", trusted(host), "--json")
    checks = json.loads(verified.stdout)["checks"]
    assert verified.returncode == 0, [check for check in checks if check["result"] == "fail"]
    assert ways.ledger_orders(host) == (2 if way == "ordered" else 1)

    applied_state = host.snapshot()
    again = host.tool("apply", "--yes")
    assert (again.returncode, again.stdout[:13]) == (0, "Nothing to do")
    assert host.snapshot() == applied_state

    rolled_back = host.tool("rollback", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert ways.untouched(before, host) == {}
    assert sites.pages(host) == pages
    assert 8448 not in {port for _, port in host.listening()}
    assert ADDRESS4
