"""A base domain that has a website behind this HAProxy already: one line in its frontend, and back."""

from __future__ import annotations

import pytest

from tests.lab import sites, ways
from tests.lab.hosting import complete
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs
from tests.lab.services import Authority, make_certificate
from tests.lab.taking_back import taken_back

FILE = "/etc/haproxy/conf.d/site.cfg"
SITE = """\
# The company's website
frontend web
    bind *:80
    bind [::]:80 v6only
    http-request redirect scheme https if { hdr(host) -i example.com www.example.com }
    default_backend nobody

frontend web-tls
    bind *:443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1
    bind [::]:443 v6only ssl crt /etc/haproxy/certs/ alpn h2,http/1.1
    use_backend site if { req.hdr(host) -i example.com www.example.com }
    default_backend nobody

backend site
    http-request return status 404 content-type text/html string "not here" unless { path / }
    http-request return status 200 content-type text/html string "<h1>Example</h1>"

backend nobody
    http-request return status 404 content-type text/plain string "nobody"
"""


@pytest.fixture
def haproxy(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host with Debian's HAProxy running, which loads a directory beside its main file."""
    require_programs("haproxy", "openssl")
    make_certificate(host, sites.CHAIN, sites.KEY, "DNS:example.com", "DNS:www.example.com")
    host.output(["mkdir", "-p", "/run/haproxy", "/etc/haproxy/certs", "/etc/haproxy/conf.d"])
    host.output(["sh", "-c", f"cat {sites.CHAIN} {sites.KEY} >/etc/haproxy/certs/example.com.pem"])
    host.write(FILE, SITE)
    files = ["-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/conf.d", "-p", "/run/haproxy.pid"]
    host.output(["haproxy", "-W", "-D", *files])
    host.until_listening(443)
    return host


@pytest.mark.slow
@pytest.mark.parametrize(("delegation", "lines"), [("well-known", 1), ("srv", 2)])
def test_the_whole_way_and_back(haproxy: ThrowAwayHost, acme: Authority, delegation: str, lines: int) -> None:
    """Lines are shown and added for it, discovery works, the site answers as ever; rollback is byte for byte."""
    host = haproxy
    ways.prepare(host, acme, delegation, "existing", proxy='kind = "haproxy"')
    before, pages = host.snapshot(), sites.pages(host)

    planned = host.tool("plan", "--answers", ways.ANSWERS)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.count("# Matrix discovery; added by palpo-installer") == lines, planned.stdout
    assert host.snapshot() == before

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert sites.pages(host) == pages
    assert [line for line in host.read(FILE).splitlines() if "palpo-installer" not in line] == SITE.splitlines()

    delegated = ways.fetch(host, "https://example.com/.well-known/matrix/server", "--insecure")
    assert delegated.split()[1] == ("404" if delegation == "srv" else "200")

    complete(host)
    taken_back(host, "rollback", before)
    assert sites.pages(host) == pages
