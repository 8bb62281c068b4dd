"""The proxy is changed on a rerun while the base domain's website is a site of a proxy, which takes lines of ours."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ADDRESS4, CHECKOUT, LabHost, ThrowAwayHost
from tests.lab.running import require_programs, until
from tests.lab.test_switching import PROGRAMS, masters
from tests.lab.website_owners import MOVED, OWNERS, PAGE, Owner, make

APPLY = ("apply", "--answers", ways.ANSWERS, "--yes")
CLIENT = "https://example.com/.well-known/matrix/client"
MEDIA = "https://chat.example.com/_matrix/media/v3/config"
RESETS = {"caddy": 12}
"""A reload of Caddy may reset connections that wait at a socket that closes; no other proxy fails a request."""

WAITING = {("nginx", "haproxy"), ("caddy", "haproxy")}
"""Without a unit only a running HAProxy shows which directory it loads, and there it waits for the ports."""

PAIRS = [(OWNERS[old], OWNERS[new]) for old, new in permutations(OWNERS, 2) if (old, new) not in WAITING]
NAMES = [f"{old.kind}-to-{new.kind}" for old, new in PAIRS]
EVERYTHING = {
    "names.client_host": "chat.example.com",
    "federation.delegation": "srv",
    "media.upstream": "127.0.0.1:8000",
}


@pytest.fixture
def several(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host on which all proxies are installed and stopped, and which has a website."""
    require_programs(*PROGRAMS.values())
    make(host)
    return host


def served_by(host: LabHost, old: Owner) -> None:
    """Let a proxy have the website, and discovery in it by our line."""
    old.take_in(host)
    old.begin(host)
    ways.prepare(host, None, "well-known", "existing")
    ways.done(host, *APPLY, "--set", f"proxy.kind={old.kind}")
    assert '"m.homeserver"' in ways.fetch(host, CLIENT, "--insecure")


@contextmanager
def asked_of_the_old(host: LabHost, old: Owner) -> Iterator[None]:
    """Ask for the website where the old proxy goes on with it meanwhile: nobody is turned away."""
    script = str(CHECKOUT / "tests/lab/asking.py")
    running = host.start([host.python, script, "example.com", PAGE, *MOVED])
    until(lambda: "asking" in running.said(), "the first answers")
    yield
    running.signal(signal.SIGTERM)
    running.wait()
    counts = json.loads(running.said().splitlines()[-1])
    sys.stdout.write(f"the old proxy's site, {old.kind}: {counts}\n")
    assert counts["failed"] <= RESETS.get(old.kind, 0), counts


def holders(host: LabHost) -> dict[int, set[str]]:
    """Return which programs listen on each port of the web."""
    found: dict[int, set[str]] = {}
    for line in host.output(["ss", "-H", "-l", "-n", "-t", "-p"]).splitlines():
        port = int(line.split()[3].rpartition(":")[2])
        if port in {80, 443, 8448}:
            found.setdefault(port, set()).update(name for name in PROGRAMS.values() if f'("{name}"' in line)
    return found


def boots_without_a_fight(host: ThrowAwayHost, old: Owner, new: Owner) -> None:
    """End both as a reboot does, and start them, the old one first: each has what is its own."""
    for owner in (new, old):
        host.output(["sh", "-c", STOP[owner.kind]])
    until(lambda: not masters(host), "the end of both")
    for owner in (old, new):
        host.output(owner.start)
    until(lambda: PAGE in host.run(["curl", "-sk", "https://example.com/"]).stdout, "the website")
    until(lambda: '"m.homeserver"' in host.run(["curl", "-sk", CLIENT]).stdout, "discovery")
    assert masters(host) == {old.program, new.program}


STOP = {
    "nginx": "nginx -s quit",
    "apache": "apache2ctl stop",
    "haproxy": "kill -TERM $(cat /run/haproxy.pid)",
    "caddy": "caddy stop",
}


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), PAIRS, ids=NAMES)
def test_everything_changes_at_once(several: ThrowAwayHost, old: Owner, new: Owner) -> None:
    """Proxy, client host, delegation and a media repository in one rerun with a website that moved; and all of it back.

    Nothing of ours is left in the old proxy, whose own site is answered all the time.
    """
    host = several
    served_by(host, old)
    old.give_away(host)
    if new.kind == "haproxy":
        host.output(new.start)
    new.take_in(host)
    before, running = host.snapshot(), masters(host)
    changed = {"proxy.kind": new.kind, **EVERYTHING}
    options = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    shown = ways.done(host, "plan", "--answers", ways.ANSWERS, *options)
    assert f" out of {old.file}" in shown
    assert f" to {new.file}" in shown
    with asked_of_the_old(host, old):
        ways.done(host, *APPLY, *options)
    assert masters(host) == {old.program, new.program}
    assert all(programs == {new.program} for programs in holders(host).values()), holders(host)
    assert not host.run(["sh", "-c", old.left]).stdout
    assert "palpo-installer" in host.read(new.file)
    assert "https://chat.example.com" in ways.fetch(host, CLIENT, "--insecure")
    assert ways.fetch(host, CLIENT.replace("client", "server"), "--insecure").split()[1] == "404"
    assert '"M_UNKNOWN"' in ways.fetch(host, MEDIA, "--insecure", "--resolve", f"chat.example.com:443:{ADDRESS4}")
    assert set(holders(host)) == {80, 443, 8448}
    assert PAGE in ways.fetch(host, "https://example.com/", "--insecure")
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    boots_without_a_fight(host, old, new)
    with asked_of_the_old(host, old):
        ways.done(host, "rollback", "--yes")
    left = {path for path in ways.untouched(before, host) if not path.startswith(services.CADDYS_OWN)}
    assert left == set()
    assert masters(host) == running


@pytest.mark.slow
@pytest.mark.parametrize("old", list(OWNERS.values()), ids=list(OWNERS))
def test_a_website_that_stays_keeps_its_proxy(several: ThrowAwayHost, old: Owner) -> None:
    """The ports are the website's: refused by file and line, with nothing changed."""
    host = several
    served_by(host, old)
    new = next(each for each in OWNERS.values() if each is not old)
    new.take_in(host)
    before = host.snapshot()
    refused = host.tool(*APPLY, "--set", f"proxy.kind={new.kind}")
    assert refused.returncode == 1
    assert old.file in refused.stderr
    assert f"Keep --set proxy.kind={old.kind}" in refused.stderr
    assert host.snapshot() == before
    assert masters(host) == {old.program}


@pytest.mark.slow
@pytest.mark.parametrize("old", [OWNERS[old] for old, _ in sorted(WAITING)], ids=[old for old, _ in sorted(WAITING)])
def test_a_proxy_that_waits_for_the_ports_is_stopped_first(several: ThrowAwayHost, old: Owner) -> None:
    """Its own files have them already, and its next reload takes them: taken back, the old one would have none."""
    host, new = several, OWNERS["haproxy"]
    served_by(host, old)
    old.give_away(host)
    host.output(new.start)
    new.take_in(host)
    before = host.snapshot()
    refused = host.tool(*APPLY, "--set", "proxy.kind=haproxy")
    assert refused.returncode == 1
    assert f"{new.file}:" in refused.stderr
    assert "in files that it has not taken up yet" in refused.stderr
    assert "Stop HAProxy, and the change starts it" in refused.stderr
    assert host.snapshot() == before
