"""Sites that Apache has for our names already: one that stays and takes a line, one that is switched off for ours."""

from __future__ import annotations

import re

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.services import NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY, Authority

TLS = f"""\
    SSLEngine on
    SSLCertificateFile {NEIGHBOUR_CERTIFICATE}
    SSLCertificateKeyFile {NEIGHBOUR_KEY}
"""
WEBSITE = f"""\
<VirtualHost *:80>
    ServerName example.com
    ServerAlias www.example.com
    Redirect permanent /old https://example.com/new
    DocumentRoot /var/www/website
</VirtualHost>
<VirtualHost *:443>
    ServerName example.com
    ServerAlias www.example.com
    DocumentRoot /var/www/website
{TLS}</VirtualHost>
"""
SYNAPSE_TLS = f"<VirtualHost *:443>\n    ServerName matrix.example.com\n{TLS}    Redirect 410 /\n</VirtualHost>\n"
SYNAPSE_PLAIN = "<VirtualHost *:80>\n    ServerName matrix.example.com\n    Redirect 410 /\n</VirtualHost>\n"


def enable(host: ThrowAwayHost, name: str, text: str) -> None:
    """Add a site as Debian does, and let Apache take it up."""
    host.write(f"/etc/apache2/sites-available/{name}.conf", text)
    host.output(["a2ensite", name, "--quiet"])
    services.reload_apache(host)


def pages(host: ThrowAwayHost) -> list[str]:
    """Return what the website answers."""
    urls = ("http://example.com/", "http://example.com/old", "https://example.com/", "https://example.com/none")
    return [re.sub(r"(?im)^date:.*\r?\n", "", ways.fetch(host, url, "--insecure")) for url in urls]


@pytest.mark.slow
def test_a_website_of_the_base_domain_takes_a_line(apache: ThrowAwayHost, acme: Authority) -> None:
    """Discovery and the challenge answer in it, the rest is as ever; rollback is byte for byte as before."""
    host = apache
    host.write("/var/www/website/index.html", "the website\n")
    host.output(["touch", "--date=@1000000000", "/var/www/website/index.html"])
    # Proofs of ours beside those of the site need it.
    host.output(["a2enmod", "rewrite", "--quiet"])
    enable(host, "website", WEBSITE)
    kind, ordered = 'kind = "apache"', 'base_domain = "ordered"'
    ways.prepare(host, acme, "srv", "existing", proxy=kind)
    answers = host.read(ways.ANSWERS).replace("[certificates]\n", f"[certificates]\n{ordered}\n")
    host.write(ways.ANSWERS, answers, 0o600)
    before, served = host.snapshot(), pages(host)

    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert pages(host) == served
    assert host.read("/etc/apache2/sites-available/website.conf").count("palpo-installer") == 2
    assert '"m.homeserver"' in ways.fetch(host, "https://example.com/.well-known/matrix/client", "--insecure")
    assert ways.ledger_orders(host) == 2
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")

    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
    assert pages(host) == served


def test_the_old_homeservers_sites_go_and_come_back(apache: ThrowAwayHost) -> None:
    """Their links are removed in the change that brings ours; after a rollback they answer as before."""
    host = apache
    enable(host, "synapse", SYNAPSE_PLAIN)
    enable(host, "synapse-le-ssl", SYNAPSE_TLS)
    ways.prepare(host, None, "well-known", proxy='kind = "apache"')
    refused = host.tool("plan", "--answers", ways.ANSWERS)
    assert refused.returncode == 1
    assert re.search(r"synapse\S*\.conf:1: .*already has a site", refused.stderr)
    before, url = host.snapshot(), "https://matrix.example.com/.well-known/matrix/client"
    assert " 410 " in ways.fetch(host, url, "--insecure")

    ways.done(host, "apply", "--answers", ways.ANSWERS, "--set", "proxy.take_over=true", "--yes")
    assert '"m.homeserver"' in ways.fetch(host, url, "--insecure")
    assert not host.exists("/etc/apache2/sites-enabled/synapse.conf")
    assert host.read("/etc/apache2/sites-available/synapse.conf") == SYNAPSE_PLAIN

    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
    assert " 410 " in ways.fetch(host, url, "--insecure")
