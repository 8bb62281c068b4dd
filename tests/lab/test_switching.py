"""The proxy is changed on a rerun, on real proxies: who serves meanwhile, what stays of the old one, and back."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab import services, ways
from tests.lab.hosts import CHECKOUT, LabHost, ThrowAwayHost
from tests.lab.running import require_programs, until
from tests.lab.test_faults import engine, register

APPLY = ("apply", "--answers", ways.ANSWERS, "--yes")
TO_APACHE = (*APPLY, "--set", "proxy.kind=apache")
MARKER = "https://matrix.example.com/.well-known/palpo-installer"
PROGRAMS = {"nginx": "nginx", "apache": "apache2", "haproxy": "haproxy", "caddy": "caddy"}
CLIENT_API = str(CHECKOUT / "tests/lab/silence.py")


@pytest.fixture
def lone(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host on which these proxies are installed and stopped, and have no sites."""
    require_programs(*PROGRAMS.values())
    host.output(["sh", "-c", "rm -f /etc/nginx/sites-enabled/* /etc/apache2/sites-enabled/*"])
    ways.prepare(host, None, "well-known")
    return host


@contextmanager
def silence(host: ThrowAwayHost) -> Iterator[dict[str, float]]:
    """Yield how long nobody answered the client API meanwhile: filled in at the end."""
    figures: dict[str, float] = {}
    asking = host.start([host.python, CLIENT_API, "matrix.example.com"])
    until(lambda: "asking" in asking.said(), "the first answer")
    yield figures
    host.output(["kill", "-TERM", str(int(host.read("/run/silence.pid")))])
    said = asking.wait(30).stdout
    figures.update(json.loads(said.splitlines()[-1]))
    sys.stdout.write(f"client API: {figures}\n")


def masters(host: LabHost) -> frozenset[str]:
    """Return the proxies that run."""
    found = host.run(["ps", "-A", "-o", "comm="]).stdout.split()
    return frozenset(found) & {*PROGRAMS.values()}


@pytest.mark.parametrize("other", ["apache", pytest.param("caddy", marks=pytest.mark.slow)])
def test_from_nginx_to_another_and_back(lone: ThrowAwayHost, other: str) -> None:
    """Each holds the ports alone; the other is as it was; taken back and uninstalled, all is as before."""
    before = lone.snapshot()
    first = lone.tool(*APPLY)
    assert first.returncode == 0, first.stdout + first.stderr
    assert masters(lone) == {"nginx"}
    with_nginx = lone.snapshot()
    palpo = ways.start_palpo(lone)

    to_the_other = (*APPLY, "--set", f"proxy.kind={other}")
    with silence(lone) as there:
        switched = lone.tool(*to_the_other)
        assert switched.returncode == 0, switched.stdout + switched.stderr
    assert masters(lone) == {PROGRAMS[other]}
    assert there["longest"] < 5
    assert not lone.run(["sh", "-c", "ls /etc/nginx/sites-*/*palpo*"]).stdout
    assert "Nothing to do" in lone.tool("plan").stdout
    assert "0002" in lone.tool("history").stdout
    renewed = lone.tool("renew")
    assert renewed.returncode == 0, renewed.stdout + renewed.stderr

    with silence(lone) as back:
        returned = lone.tool("apply", "--set", "proxy.kind=nginx", "--yes")
        assert returned.returncode == 0, returned.stdout + returned.stderr
    assert masters(lone) == {"nginx"}
    assert back["longest"] < 5

    rolled = lone.tool("rollback", "0002", "--yes")
    assert rolled.returncode == 0, rolled.stdout + rolled.stderr
    assert masters(lone) == {"nginx"}
    assert ways.untouched(with_nginx, lone) == {}

    assert lone.tool(*to_the_other).returncode == 0
    palpo.stop()
    gone = lone.tool("uninstall", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert not masters(lone)
    changed = ways.untouched(before, lone)
    assert changed == {}, list(changed)


@pytest.mark.slow
def test_from_a_caddy_that_goes_on_to_nginx_and_back(lone: ThrowAwayHost) -> None:
    """A Caddy that ran before and has no other site lets go of the ports and runs on; it takes them again."""
    lone.write("/etc/caddy/Caddyfile", "# nothing yet\n")
    # As a person starts it: without a file for its number.
    lone.output(["sh", "-c", "caddy start --config /etc/caddy/Caddyfile --adapter caddyfile >/run/caddy.log 2>&1"])
    before = lone.snapshot()
    first = lone.tool(*APPLY, "--set", "proxy.kind=caddy")
    assert first.returncode == 0, first.stdout + first.stderr
    (running,) = (process.pid for process in lone.processes("/etc/caddy/Caddyfile --adapter caddyfile"))
    palpo = ways.start_palpo(lone)
    for other, both in (("nginx", {"nginx", "caddy"}), ("caddy", {"caddy"})):
        with silence(lone) as meanwhile:
            switched = lone.tool("apply", "--set", f"proxy.kind={other}", "--yes")
            assert switched.returncode == 0, switched.stdout + switched.stderr
        assert masters(lone) == both
        assert meanwhile["longest"] < 5
        assert "Nothing to do" in lone.tool("plan").stdout
    palpo.stop()
    gone = lone.tool("uninstall", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert [process.pid for process in lone.processes("/etc/caddy/Caddyfile --adapter caddyfile")] == [running]
    left = {path for path in ways.untouched(before, lone) if not path.startswith(services.CADDYS_OWN)}
    assert left == set()


def test_a_proxy_that_others_need_keeps_the_ports(nginx: ThrowAwayHost) -> None:
    """Where a neighbour's site holds 80 and 443 as well, the plan names it, and nothing is told to anybody."""
    ways.prepare(nginx, None, "well-known")
    assert nginx.tool(*APPLY).returncode == 0
    before, answers = nginx.snapshot(), ways.neighbour_answers(nginx)
    refused = nginx.tool(*TO_APACHE)
    assert refused.returncode == 1
    assert re.search(r"nginx would go on holding ports? 80.*443.* for other sites: .*/etc/nginx/sites-", refused.stderr)
    assert "--set proxy.kind=nginx" in refused.stderr
    assert nginx.snapshot() == before
    assert ways.neighbour_answers(nginx) == answers


@pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["between", "anywhere"])
def test_killed_in_the_middle_the_first_serves_again(lone: ThrowAwayHost, everywhere: bool) -> None:
    """SIGKILL after a record of the switch: recovered, nginx has its ports back and every file is as before."""
    assert lone.tool(*APPLY).returncode == 0
    before = lone.snapshot()
    text = lone.read(ways.ANSWERS)
    lone.write(ways.ANSWERS, f'{text}\n[proxy]\nkind = "apache"\n', 0o600)
    identity, records = register(lone)
    for place in range(2, records) if everywhere else (told(lone, identity), told(lone, identity) + 1):
        assert engine(lone, "kill", identity, str(place)) != 0
        recovered = lone.tool("recover")
        assert recovered.returncode == 0, f"record {place}: {recovered.stdout}{recovered.stderr}"
        assert masters(lone) == {"nginx"}, f"record {place}"
        assert ways.untouched(before, lone) == {}, f"record {place}"
        assert "palpo-installer:" in ways.fetch(lone, MARKER, "--insecure").lower()
        identity, _ = register(lone)


def told(host: ThrowAwayHost, identity: str) -> int:
    """Return after which record of a run the proxies are told: all of it is prepared, and the files are changed."""
    changes = json.loads(host.read(f"/var/lib/palpo-installer/runs/{identity}/plan.json"))["changes"]
    prepared = sum(len(change["operations"]) + bool(change["activation"]) for change in changes)
    switch = next(n for n, change in enumerate(changes) if (change["activation"] or {}).get("kind") == "HandOver")
    earlier = sum(len(change["operations"]) + bool(change["activation"]) for change in changes[:switch])
    return prepared + 2 * (earlier + len(changes[switch]["operations"])) + 1
