"""Away from a HAProxy in whose frontends lines of ours stand: they go, and the frontends stay as they were."""

from __future__ import annotations

import re

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.load_on_neighbour import load_on_the_neighbour
from tests.lab.running import require_programs

SITE = "/etc/haproxy/conf.d/neighbour.cfg"
TO_NGINX = ("apply", "--set", "proxy.kind=nginx", "--yes")
MARKER = "https://matrix.example.com/.well-known/palpo-installer"
RELOAD = "kill -USR2 $(cat /run/haproxy.pid)"


@pytest.fixture
def haproxy(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host whose neighbour's frontends of HAProxy lead our names to us; nginx is installed, and stopped."""
    require_programs("nginx")
    host.output(["sh", "-c", "rm -f /etc/nginx/sites-enabled/*"])
    services.start_haproxy(host)
    ways.prepare(host, None, "well-known", proxy='kind = "haproxy"')
    return host


def without_ours(text: str) -> str:
    """Return a file of HAProxy's without the lines that are marked as ours."""
    return "".join(line for line in text.splitlines(keepends=True) if "added by palpo-installer" not in line)


def test_frontends_that_hold_the_ports_keep_us_and_lose_our_lines_at_an_uninstall(haproxy: ThrowAwayHost) -> None:
    """A change of the proxy is refused with their places; uninstalled, what their owner wrote since is there alone."""
    host = haproxy
    neighbours = ways.neighbour_answers(host)
    before = host.snapshot()
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert host.read(SITE).count("added by palpo-installer") == 3
    applied = host.snapshot()
    refused = host.tool(*TO_NGINX)
    assert refused.returncode == 1
    assert re.search(rf"HAProxy would go on holding port 443 for other sites: .*{SITE}:\d+", refused.stderr)
    assert "--set proxy.kind=haproxy" in refused.stderr
    assert ways.untouched(applied, host) == {}

    edited = f"# mine\n\n{host.read(SITE)}\nbackend mine\n\tserver s 127.0.0.1:9\n"
    host.write(SITE, edited)
    with load_on_the_neighbour(host) as load:
        ways.done(host, "uninstall", "--yes")
    assert load.failures == 0
    assert host.read(SITE) == without_ours(edited)
    assert set(ways.untouched(before, host)) == {SITE}
    assert ways.neighbour_answers(host) == neighbours


@pytest.mark.slow
def test_frontends_that_moved_lose_our_lines_when_another_proxy_takes_the_ports(haproxy: ThrowAwayHost) -> None:
    """Moved to other ports by their owner, they go on there without our lines, and nginx serves our names."""
    host = haproxy
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    moved = re.sub(r":(80|443)(?=\s)", r":1\1", host.read(SITE))
    host.write(SITE, moved)
    host.output(["sh", "-c", RELOAD])
    host.until_listening(1443)
    ways.done(host, *TO_NGINX)
    assert host.read(SITE) == without_ours(moved)
    assert not host.run(["sh", "-c", "ls -d /etc/haproxy/*palpo* /etc/haproxy/*/*palpo*"]).stdout
    assert "palpo-installer: " in ways.fetch(host, MARKER, "--insecure").lower()
    assert "the neighbour" in ways.fetch(host, "https://neighbour.example.org:1443/", "--insecure")
    host.output(["haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/conf.d"])
