"""Sites that are there for our names, and sites that take whatever comes, on a host with a real nginx."""

from __future__ import annotations

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ADDRESS4, ThrowAwayHost
from tests.lab.running import until
from tests.lab.services import NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY
from tests.lab.taking_back import taken_back

TLS = f"ssl_certificate {NEIGHBOUR_CERTIFICATE}; ssl_certificate_key {NEIGHBOUR_KEY};"
SYNAPSE = f"""\
server {{
    server_name matrix.example.com; # managed by Certbot
    listen [::]:443 ssl;
    listen 443 ssl;
    {TLS}
    location / {{ default_type text/plain; return 200 "the old homeserver\\n"; }}
}}
server {{
    if ($host = matrix.example.com) {{
        return 301 https://$host$request_uri;
    }} # managed by Certbot
    listen 80;
    listen [::]:80;
    server_name matrix.example.com;
    return 404; # managed by Certbot
}}
"""
CATCH_ALL = f"""\
server {{
    listen 443 ssl default_server;
    listen [::]:443 ssl default_server;
    listen 8448 ssl default_server;
    listen [::]:8448 ssl default_server;
    server_name _;
    {TLS}
    default_type text/plain;
    return 200 "the catch-all\\n";
}}
"""


def enable(host: ThrowAwayHost, name: str, text: str) -> None:
    """Add a site as Debian does, and let nginx take it up."""
    host.write(f"/etc/nginx/sites-available/{name}", text)
    host.output(["ln", "-s", f"../sites-available/{name}", f"/etc/nginx/sites-enabled/{name}"])
    services.reload_nginx(host)


def fetched(host: ThrowAwayHost, name: str, port: int = 443) -> str:
    """Return the body that a name answers over TLS."""
    resolve = f"{name}:{port}:{ADDRESS4}"
    return host.output(["curl", "--silent", "--insecure", "--resolve", resolve, f"https://{name}:{port}/"])


@pytest.mark.parametrize("way", ["rollback", "uninstall"])
def test_the_old_homeservers_site_goes_and_comes_back(nginx: ThrowAwayHost, way: str) -> None:
    """Its link is removed, its file stays; after a rollback, or an uninstall, the host is byte for byte as before."""
    host = nginx
    enable(host, "synapse", SYNAPSE)
    ways.prepare(host, None, "well-known")
    until(lambda: fetched(host, "matrix.example.com") == "the old homeserver\n", "the old site")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    refused = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert refused.returncode == 1
    assert "/etc/nginx/sites-enabled/synapse:8" in refused.stderr
    assert "proxy.take_over = true" in refused.stderr

    consent = ("--answers", ways.ANSWERS, "--set", "proxy.take_over=true")
    shown = host.tool("plan", *consent).stdout
    assert "remove the link /etc/nginx/sites-enabled/synapse" in shown
    assert "/etc/nginx/sites-enabled/synapse is switched off" in shown
    applied = host.tool("apply", *consent, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert "Nothing is served here" in fetched(host, "matrix.example.com")
    assert host.read("/etc/nginx/sites-available/synapse") == SYNAPSE
    assert ways.neighbour_answers(host) == neighbours
    assert host.tool("plan", "--exit-code").returncode == 0

    taken_back(host, way, before)
    assert fetched(host, "matrix.example.com") == "the old homeserver\n"
    assert ways.neighbour_answers(host) == neighbours


def test_who_takes_whatever_comes_goes_on_taking_it(nginx: ThrowAwayHost) -> None:
    """A catch-all on 443 and a default_server on 8448: our names are ours there, and all others stay with it."""
    host = nginx
    enable(host, "catch-all", CATCH_ALL)
    until(lambda: fetched(host, "unknown.example.com") == "the catch-all\n", "the catch-all")
    ways.prepare(host, None, "srv")
    neighbours = ways.neighbour_answers(host)
    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    for port in (443, 8448):
        assert fetched(host, "unknown.example.com", port) == "the catch-all\n"
        assert "Nothing is served here" in fetched(host, "example.com", port)
    assert ways.neighbour_answers(host) == neighbours


def test_what_leaves_no_room_is_refused_by_its_line(nginx: ThrowAwayHost) -> None:
    """A site without TLS on 443, and one that would no longer be the default because it is read after ours."""
    host = nginx
    ways.prepare(host, None, "direct", "elsewhere")
    sites = {
        "zzz-last": f"server {{\n    listen 8448 ssl;\n    server_name _;\n    {TLS}\n}}\n",
        "plain": "server {\n    listen 8448;\n    server_name _;\n}\n",
    }
    reasons = {
        "zzz-last": ("zzz-last:1: a site on 0.0.0.0 port 8448 is read after ours", "Add default_server"),
        "plain": ("plain:2: a site listens on 0.0.0.0 port 8448 with plain HTTP", "let it speak TLS"),
    }
    for name, text in sites.items():
        enable(host, name, text)
        refused = host.tool("plan", "--answers", ways.ANSWERS)
        assert refused.returncode == 1
        assert all(part in refused.stderr for part in reasons[name]), refused.stderr
        host.output(["rm", f"/etc/nginx/sites-enabled/{name}"])
