"""What others have set for the whole of an Apache, or for a socket that is theirs and ours: it holds for them alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from palpo_installer.probe import Answer
from tests.lab import services, trees, ways
from tests.lab.hosts import ADDRESS4, ADDRESS6, ThrowAwayHost
from tests.lab.services import NEIGHBOUR, NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY
from tests.lab.upstream import upstream
from tests.lab.wire import Wire

SITE = "/etc/apache2/sites-available/neighbour.conf"
WHOLE = "/etc/apache2/conf-enabled/whole.conf"
CATCH_ALL = f"""\
<VirtualHost *:80>
    ServerName catch-all.invalid
    Redirect 410 /
</VirtualHost>
<VirtualHost _default_:443>
    ServerName catch-all.invalid
    SSLEngine on
    SSLCertificateFile {NEIGHBOUR_CERTIFICATE}
    SSLCertificateKeyFile {NEIGHBOUR_KEY}
    Redirect 410 /
</VirtualHost>
"""
CLIENTS = {ADDRESS4: "203.0.113.9", ADDRESS6: "2001:db8::9"}
"""By address of the host, the client that a load balancer in front of it speaks of."""


def line(address: str) -> bytes:
    """Return what the load balancer sends first."""
    family = "TCP6" if ":" in address else "TCP4"
    return f"PROXY {family} {CLIENTS[address]} {address} 4711 443\r\n".encode()


def balanced(address: str, name: str | None, port: int = 443) -> Wire:
    """Return the way to a site of the load balancer's sockets."""
    return Wire(address, port, name, tls=port != 80, hello=line(address))


def configured(host: ThrowAwayHost) -> None:
    """Give a host whose Apache is behind a load balancer, has a site for whatever comes, and is a proxy for anybody."""
    services.configure_apache(host)
    host.output(["a2enmod", "remoteip", "proxy_http", "http2", "--quiet"])
    text = host.read(SITE)
    host.write(SITE, text.replace("    ServerName", "    RemoteIPProxyProtocol On\n    ServerName"))
    host.write("/etc/apache2/sites-enabled/000-catch-all.conf", CATCH_ALL)
    host.write(WHOLE, "UseCanonicalName On\nProxyRequests On\n")
    ways.prepare(host, None, "srv", proxy='kind = "apache"')


def refused_with(host: ThrowAwayHost, file: str, old: str, new: str) -> str:
    """Return why a plan is refused while a file has other words."""
    text = host.read(file)
    host.write(file, text.replace(old, new))
    planned = host.tool("plan", "--answers", ways.ANSWERS)
    host.write(file, text)
    assert planned.returncode == 1
    return planned.stderr


def others(address: str) -> list[Answer]:
    """Return what the neighbour, and nobody's name, answer."""
    asked = [(443, NEIGHBOUR), (80, NEIGHBOUR), (443, "nobody.invalid"), (80, "nobody.invalid")]
    answers = [balanced(address, name, port).http1(b"/") for port, name in asked]
    return [
        Answer(each.status, tuple(pair for pair in each.headers if pair[0] != "date"), each.body) for each in answers
    ]


@pytest.mark.slow
def test_what_is_set_for_others_stays_with_them(host: ThrowAwayHost) -> None:
    """PROXY lines, a site for everything, canonical names, an open proxy; what cannot be beside ours is named."""
    configured(host)
    said = refused_with(host, SITE, "    ServerName", "    ServerAlias *.example.com\n    ServerName")
    assert re.search(rf"{SITE}:1: .*ServerAlias \*\.example\.com", said.replace("sites-enabled", "sites-available"))
    said = refused_with(host, WHOLE, "ProxyRequests On", "ProxyPass / http://127.0.0.1:3000/")
    assert f"{WHOLE}:2: outside every virtual host stands proxypass /" in said

    host.output(["apache2ctl", "start"])
    host.until_listening(443)
    with host.network():
        before, answered = host.snapshot(), [others(address) for address in CLIENTS]
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    with host.network(), upstream(8008) as homeserver:
        assert [others(address) for address in CLIENTS] == answered
        for address, client in CLIENTS.items():
            wire = balanced(address, "matrix.example.com")
            assert wire.http1(b"/_matrix/x", [(b"Host", b"MATRIX.example.com:443")]).status == 200
            assert wire.http2(b"/_matrix/x").status == 200
            assert {request.all("x-forwarded-for") for request in homeserver.requests} == {(client,)}
            assert homeserver.requests[0].all("host") == ("MATRIX.example.com:443",)
            homeserver.requests.clear()
            # A port that only we have, where no line comes.
            assert Wire(address, 8448, "example.com").http1(b"/_matrix/x").status == 200
            assert homeserver.requests[-1].all("x-forwarded-for") == (address,)
            homeserver.requests.clear()
            # For a proxy to anywhere this would be a request to another port.
            assert wire.http1(b"http://matrix.example.com:9/_matrix/x").status == 200
            assert [request.target for request in homeserver.requests] == [b"/_matrix/x"]
            homeserver.requests.clear()
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}


FIREWALL = ("libapache2-mod-security2", "modsecurity-crs")
RULES = """\
<IfModule security2_module>
    SecRuleEngine On
    SecRequestBodyLimit 1000000
    SecRule REQUEST_URI "@contains attack" "id:9000001,phase:1,deny,status:406"
</IfModule>
"""


def fetched(directory: Path) -> None:
    """Fetch mod_security with everything that it needs beside what is on this machine."""
    options = [f"Dir::Cache::archives={directory}", "Debug::NoLocking=1", "APT::Sandbox::User=root"]
    words = [word for each in options for word in ("-o", each)]
    command = ["apt-get", "install", "--download-only", "--yes", "--no-install-recommends", *words, *FIREWALL]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.slow
def test_a_firewall_for_web_pages_is_off_for_our_hosts_only(host: ThrowAwayHost) -> None:
    """mod_security with its own rules and one more: what it refuses elsewhere reaches the homeserver."""
    packages = trees.kept("mod-security", repr(FIREWALL), fetched)
    host.output(["sh", "-c", f"dpkg --install {packages}/*.deb"])
    services.configure_apache(host)
    host.write("/etc/apache2/conf-enabled/zz-firewall.conf", RULES)
    host.output(["apache2ctl", "start"])
    host.until_listening(443)
    ways.prepare(host, None, "srv", proxy='kind = "apache"')
    before = host.snapshot()
    refused = ("/attack", "/?x=<script>alert(1)</script>")
    neighbours, body = Wire(ADDRESS4, 443, NEIGHBOUR), [bytes(2_000_000)]

    def refusals() -> list[int]:
        return [neighbours.http1(target.encode()).status for target in refused]

    with host.network():
        assert refusals() == [406, 403]
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    with host.network(), upstream(8008) as homeserver:
        assert refusals() == [406, 403]
        ours = Wire(ADDRESS4, 443, "matrix.example.com")
        for target in refused:
            assert ours.http1(f"/_matrix{target}".encode()).status == 200
        length = [(b"Content-Length", b"2000000")]
        assert ours.http1(b"/_matrix/x", length, method=b"POST", body=body).status == 200
        assert [request.target for request in homeserver.requests][:2] == [
            f"/_matrix{each}".encode() for each in refused
        ]
    ways.done(host, "rollback", "--yes")
    assert {path: pair for path, pair in ways.untouched(before, host).items() if "modsecurity" not in path} == {}


@pytest.mark.slow
def test_the_whole_way_with_processes_instead_of_threads(host: ThrowAwayHost) -> None:
    """prefork, as PHP inside Apache wants it: without HTTP/2, and all else as promised."""
    services.configure_apache(host)
    host.output(["a2dismod", "mpm_event", "--quiet"])
    host.output(["a2enmod", "mpm_prefork", "--quiet"])
    host.output(["apache2ctl", "start"])
    host.until_listening(443)
    ways.prepare(host, None, "srv", proxy='kind = "apache"')
    before, answered = host.snapshot(), ways.neighbour_answers(host)
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert ways.neighbour_answers(host) == answered
    with host.network(), upstream(8008):
        ours = Wire(ADDRESS4, 443, "matrix.example.com")
        assert not ours.offers_http2()
        assert {ours.http1(b"/_matrix/x").status for _ in range(20)} == {200}
        assert {ours.http1(b"/_palpo/admin/x").status for _ in range(20)} == {404}
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == answered
