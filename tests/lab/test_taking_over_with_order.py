"""One file of somebody else's for plain HTTP and TLS is taken over while a certificate has to be ordered."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from tests.lab import test_apache_sites, test_taking_over, ways
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.lab.running import until
from tests.lab.services import NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY, PEBBLE, Authority
from tests.lab.test_faults import killed_and_recovered, register

NAME = "matrix.example.com"
URL = f"https://{NAME}/_matrix/client/versions"
UPSTREAM = "http://127.0.0.1:8008"
NGINX = f"""\
server {{
    server_name {NAME}; # managed by Certbot
    location / {{ proxy_pass {UPSTREAM}; add_header Server-Of-Before yes; }}
    listen [::]:443 ssl; listen 443 ssl;
    ssl_certificate {NEIGHBOUR_CERTIFICATE}; ssl_certificate_key {NEIGHBOUR_KEY};
}}
server {{
    if ($host = {NAME}) {{
        return 301 https://$host$request_uri;
    }} # managed by Certbot
    listen 80;
    listen [::]:80;
    server_name {NAME};
    return 404; # managed by Certbot
}}
"""
ONE_BLOCK = f"""\
server {{
    listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
    server_name {NAME};
    ssl_certificate {NEIGHBOUR_CERTIFICATE}; ssl_certificate_key {NEIGHBOUR_KEY};
    if ($scheme = http) {{ return 301 https://$host$request_uri; }}
    location / {{ proxy_pass {UPSTREAM}; add_header Server-Of-Before yes; }}
}}
"""
APACHE = f"""\
<VirtualHost *:80>
    ServerName {NAME}
    RedirectMatch permanent ^/(.*)$ https://{NAME}/$1
</VirtualHost>
<IfModule mod_ssl.c>
<VirtualHost *:443>
    ServerName {NAME}
    SSLEngine on
    SSLCertificateFile {NEIGHBOUR_CERTIFICATE}
    SSLCertificateKeyFile {NEIGHBOUR_KEY}
    Header always set Server-Of-Before yes
    ProxyPass / {UPSTREAM}/
</VirtualHost>
</IfModule>
"""


@dataclass(frozen=True)
class Old:
    """The site of before: how it is enabled, the name that the proxy reads, its text, and the answer for the proxy."""

    enable: Callable[[ThrowAwayHost, str, str], None]
    enabled: str
    text: str
    proxy: str


SITES = {
    "nginx": Old(test_taking_over.enable, "/etc/nginx/sites-enabled/synapse", NGINX, "nginx"),
    "nginx, one block": Old(test_taking_over.enable, "/etc/nginx/sites-enabled/synapse", ONE_BLOCK, "nginx"),
    "apache": Old(test_apache_sites.enable, "/etc/apache2/sites-enabled/synapse.conf", APACHE, "apache"),
}


@contextmanager
def old_site(host: ThrowAwayHost, old: Old, acme: Authority) -> Iterator[None]:
    """Let the host serve a homeserver by the file of before, with answers that take it over."""
    host.write("/srv/api/_matrix/client/versions", '{"versions": []}\n')
    upstream = host.start([host.python, "-m", "http.server", "8008", "--bind", "127.0.0.1", "--directory", "/srv/api"])
    host.until_listening(8008)
    if old.proxy == "apache":
        host.output(["a2enmod", "proxy_http", "headers", "--quiet"])
    old.enable(host, "synapse", old.text)
    until(lambda: "Server-Of-Before" in ways.fetch(host, URL, "--insecure"), "the site of before")
    ways.prepare(host, acme, "well-known", proxy=f'kind = "{old.proxy}"\ntake_over = true')
    yield
    upstream.stop()


@contextmanager
def asked_all_the_time(host: ThrowAwayHost) -> Iterator[dict[str, float]]:
    """Ask for the client API over TLS meanwhile; the counts are there afterwards."""
    running = host.start([host.python, str(CHECKOUT / "tests/lab/silence.py"), NAME])
    until(lambda: "asking" in running.said(), "the first answer")
    counts: dict[str, float] = {}
    yield counts
    running.signal(signal.SIGTERM)
    running.wait()
    counts |= json.loads(running.said().splitlines()[-1])


def let_proofs_be_missed(host: ThrowAwayHost) -> None:
    """Start an authority that asks for proofs at a port where nobody answers."""
    configuration = f"{PEBBLE}/pebble.json"
    host.write(configuration, host.read(configuration).replace('"httpPort": 80', '"httpPort": 81'))
    host.start(
        ["pebble", "-config", configuration, "-dnsserver", "127.0.0.1:53"], environment={"PEBBLE_VA_NOSLEEP": "1"}
    )
    host.until_listening(14000)
    host.until_listening(15000)


def slow(site: str) -> ParameterSet:
    """Return a site for ``--slow`` only."""
    return pytest.param(site, marks=pytest.mark.slow)


@pytest.fixture
def old(request: pytest.FixtureRequest) -> tuple[ThrowAwayHost, Old]:
    """Return a host with the proxy of a site."""
    site = SITES[request.param]
    return request.getfixturevalue(site.proxy), site


@pytest.mark.parametrize("old", ["nginx", *map(slow, ("nginx, one block", "apache"))], indirect=True)
def test_tls_goes_on_while_the_certificate_is_ordered(old: tuple[ThrowAwayHost, Old], acme: Authority) -> None:
    """Nobody is without an answer; then ours has both ports, no rest is left, and a rollback brings the file back."""
    host, site = old
    with old_site(host, site, acme):
        before, neighbours = host.snapshot(), ways.neighbour_answers(host)
        shown = host.tool("plan", "--answers", ways.ANSWERS).stdout
        assert "what it has for TLS goes on in" in shown
        with asked_all_the_time(host) as counts:
            ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
        assert counts["failed"] == 0, counts
        assert "Server-Of-Before" not in ways.fetch(host, URL, "--insecure")
        assert ways.served(host, "198.18.0.10", 443, NAME) == ways.on_disk(host, NAME)
        assert not host.exists(site.enabled)
        assert host.run(["sh", "-c", "ls -d /etc/*/sites-enabled/synapse*"]).stdout == ""
        assert ways.neighbour_answers(host) == neighbours
        assert host.tool("plan", "--exit-code").returncode == 0
        with asked_all_the_time(host) as counts:
            ways.done(host, "rollback", "--yes")
        assert counts["failed"] == 0, counts
        assert ways.untouched(before, host) == {}
        assert "Server-Of-Before" in ways.fetch(host, URL, "--insecure")


@pytest.mark.parametrize("old", ["apache", slow("nginx")], indirect=True)
def test_an_order_that_fails_leaves_the_old_file(old: tuple[ThrowAwayHost, Old], acme: Authority) -> None:
    """After port 80 was ours: the file is back byte for byte, and TLS was served by it all the time."""
    host, site = old
    with old_site(host, site, acme):
        before = host.snapshot()
        acme.running.stop()
        let_proofs_be_missed(host)
        with asked_all_the_time(host) as counts:
            failed = host.tool("apply", "--answers", ways.ANSWERS, "--yes", timeout=240)
        assert failed.returncode == 1, failed.stdout + failed.stderr
        assert "synapse-palpo-installer" in failed.stdout, "it came to the order"
        assert counts["failed"] == 0, counts
        assert ways.untouched(before, host) == {}
        assert "Server-Of-Before" in ways.fetch(host, URL, "--insecure")


def forget_orders(host: ThrowAwayHost) -> None:
    """Forget what was ordered, and that it was: with a certificate at hand the next plan would be another one."""
    host.output(["rm", "-rf", "/etc/palpo-installer", "/var/lib/palpo-installer/ledger.jsonl"])


@pytest.mark.slow
@pytest.mark.parametrize("old", ["nginx", "apache"], indirect=True)
def test_killed_anywhere_the_old_file_serves_again(old: tuple[ThrowAwayHost, Old], acme: Authority) -> None:
    """SIGKILL after every third record, and recovered: whole, and never dark."""
    host, site = old
    with old_site(host, site, acme):
        before = host.snapshot()
        identity, records = register(host)
        with asked_all_the_time(host) as counts:
            for place in range(2, records, 3):
                killed_and_recovered(host, identity, place)
                assert ways.untouched(before, host) == {}, f"record {place}"
                forget_orders(host)
                identity, again = register(host)
                assert again == records, "the next run orders and takes over as the first one would"
        assert counts["failed"] == 0, counts
