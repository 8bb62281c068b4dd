"""The proxy is changed on a rerun while the base domain's website is a site of a proxy, which takes lines of ours."""

from __future__ import annotations

import pytest

from tests.lab import services, sites, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs
from tests.lab.test_switching import masters

APPLY = ("apply", "--answers", ways.ANSWERS, "--yes")
CLIENT = "https://example.com/.well-known/matrix/client"
MEDIA = "https://chat.example.com/_matrix/media/v3/config"
APACHE_FILE = "/etc/apache2/sites-available/example.com.conf"
APACHE_SITE = f"""\
<VirtualHost *:80>
    ServerName example.com
    Redirect permanent / https://example.com/
</VirtualHost>
<VirtualHost *:443>
    ServerName example.com
    DocumentRoot {sites.ROOT}
    SSLEngine on
    SSLCertificateFile {sites.CHAIN}
    SSLCertificateKeyFile {sites.KEY}
</VirtualHost>
"""


@pytest.fixture
def website(host: ThrowAwayHost) -> ThrowAwayHost:
    """A host whose nginx has the website alone, and discovery in it by our line; Apache is installed and stopped."""
    require_programs("nginx", "apache2")
    host.output(["sh", "-c", "rm -f /etc/nginx/sites-enabled/* /etc/apache2/sites-enabled/*"])
    host.output(["nginx"])
    sites.make(host)
    ways.prepare(host, None, "well-known", "existing")
    ways.done(host, *APPLY)
    assert '"m.homeserver"' in ways.fetch(host, CLIENT, "--insecure")
    return host


def move_the_website(host: ThrowAwayHost) -> None:
    """Let Apache have the website, and nginx have it no more, as its owner does it; Apache does not run yet."""
    host.output(["rm", sites.LINK])
    services.reload_nginx(host)
    host.output(["a2enmod", "ssl", "--quiet"])
    host.write(APACHE_FILE, APACHE_SITE)
    host.output(["a2ensite", "example.com", "--quiet"])


@pytest.mark.slow
def test_a_website_that_stays_keeps_its_proxy(website: ThrowAwayHost) -> None:
    """The ports are the website's: refused by file and line, with nothing changed."""
    before, pages = website.snapshot(), sites.pages(website)
    refused = website.tool(*APPLY, "--set", "proxy.kind=apache")
    assert refused.returncode == 1
    assert website.snapshot() == before
    assert sites.pages(website) == pages


@pytest.mark.slow
def test_a_website_that_moved_takes_the_line_in_its_new_proxy(website: ThrowAwayHost) -> None:
    """Nothing of ours is left in the file that nginx had; Apache's has the line; taken back, all is as before."""
    host = website
    move_the_website(host)
    before = host.snapshot()
    shown = ways.done(host, "plan", "--answers", ways.ANSWERS, "--set", "proxy.kind=apache")
    assert f"take one line out of {sites.FILE}" in shown
    assert f"add one line to {APACHE_FILE}" in shown
    ways.done(host, *APPLY, "--set", "proxy.kind=apache")
    assert "apache2" in masters(host)
    assert '"m.homeserver"' in ways.fetch(host, CLIENT, "--insecure")
    assert "palpo-installer" not in host.read(sites.FILE)
    assert host.read(APACHE_FILE).count("palpo-installer") == 1
    assert not host.run(["sh", "-c", "find /etc/nginx -name '*palpo*' -not -type d"]).stdout
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
    assert masters(host) == {"nginx"}


@pytest.mark.slow
def test_everything_changes_at_once(website: ThrowAwayHost) -> None:
    """Proxy, client host, delegation and a media repository in one rerun with the website; and all of it back."""
    host = website
    move_the_website(host)
    before = host.snapshot()
    changed = {
        "proxy.kind": "apache",
        "names.client_host": "chat.example.com",
        "federation.delegation": "srv",
        "media.upstream": "127.0.0.1:8000",
    }
    ways.done(host, *APPLY, *(word for key, value in changed.items() for word in ("--set", f"{key}={value}")))
    assert "https://chat.example.com" in ways.fetch(host, CLIENT, "--insecure")
    assert " 404 " in ways.fetch(host, CLIENT.replace("client", "server"), "--insecure")
    assert '"M_UNKNOWN"' in ways.fetch(host, MEDIA, "--insecure", "--resolve", "chat.example.com:443:198.18.0.10")
    assert "palpo-installer" not in host.read(sites.FILE)
    assert not host.run(["sh", "-c", "find /etc/nginx -name '*palpo*' -not -type d"]).stdout
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    assert ways.untouched(before, host) == {}
