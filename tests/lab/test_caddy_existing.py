"""A base domain that has a website behind this Caddy already: one line in its site, and back."""

from __future__ import annotations

import re

import pytest

from tests.lab import sites, ways
from tests.lab.hosting import complete
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs
from tests.lab.services import Authority, make_certificate
from tests.lab.taking_back import taken_back

FILE = "/etc/caddy/Caddyfile"
SITE = f"""\
# The company's website
http://example.com, http://www.example.com {{
\tredir https://example.com{{uri}}
}}

https://example.com, https://www.example.com {{
\ttls {sites.CHAIN} {sites.KEY}
\thandle / {{
\t\theader Content-Type text/html
\t\trespond "<h1>Example</h1>"
\t}}
\thandle {{
\t\trespond "not here" 404
\t}}
}}
"""


@pytest.fixture
def caddy(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host with Debian's Caddy running, as root, without systemd."""
    require_programs("caddy", "openssl")
    make_certificate(host, sites.CHAIN, sites.KEY, "DNS:example.com", "DNS:www.example.com")
    host.write(FILE, SITE)
    host.output(["caddy", "start", "--config", FILE, "--pidfile", "/run/caddy.pid"])
    host.until_listening(443)
    return host


def pages(host: ThrowAwayHost) -> list[str]:
    """Return what the website answers, without the time of day."""
    return [re.sub(r"(?im)^date: .*$", "", page) for page in sites.pages(host)]


@pytest.mark.slow
def test_the_whole_way_and_back(caddy: ThrowAwayHost, acme: Authority) -> None:
    """One line is shown and added for it, discovery works, the site answers as ever; rollback is byte for byte."""
    host = caddy
    ways.prepare(host, acme, "well-known", "existing", proxy='kind = "caddy"')
    before, shown = host.snapshot(), pages(host)

    planned = host.tool("plan", "--answers", ways.ANSWERS)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("# Matrix discovery; added by palpo-installer") == 1, planned.stdout
    assert host.snapshot() == before

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert pages(host) == shown
    assert [line for line in host.read(FILE).splitlines() if "palpo-installer" not in line] == SITE.splitlines()

    complete(host)
    taken_back(host, "rollback", before)
    assert pages(host) == shown
