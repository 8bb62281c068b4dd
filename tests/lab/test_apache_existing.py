"""A base domain that has a website on this Apache already: one line in its file, and back; all of it is real."""

from __future__ import annotations

import pytest

from tests.lab import services, sites, ways
from tests.lab.hosting import complete
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import until
from tests.lab.services import Authority, make_certificate
from tests.lab.taking_back import taken_back

FILE = "/etc/apache2/sites-available/example.com.conf"
SITE = f"""\
# The company's website
<VirtualHost *:80>
    ServerName example.com
    ServerAlias www.example.com
    Redirect permanent / https://example.com/
</VirtualHost>

<IfModule mod_ssl.c>
<VirtualHost *:443>
\tServerName example.com
\tServerAlias www.example.com
\tDocumentRoot {sites.ROOT}
\tSSLEngine on
\tSSLCertificateFile {sites.CHAIN}
\tSSLCertificateKeyFile {sites.KEY}
\tErrorDocument 404 /404.html
\t<Directory {sites.ROOT}>
\t\tRequire all granted
\t</Directory>
</VirtualHost>
</IfModule>
"""


def make(host: ThrowAwayHost) -> None:
    """Put a website on a host, and let Apache take it up."""
    host.write(f"{sites.ROOT}/index.html", "<h1>Example</h1>\n")
    host.write(f"{sites.ROOT}/404.html", "<h1>Not here</h1>\n")
    host.write(f"{sites.ROOT}/.well-known/security.txt", "Contact: mailto:admin@example.com\n")
    # Apache has another tag for a file that was changed in the same second.
    host.output(["find", sites.ROOT, "-exec", "touch", "--date", "2026-01-01", "{}", "+"])
    make_certificate(host, sites.CHAIN, sites.KEY, "DNS:example.com", "DNS:www.example.com")
    host.write(FILE, SITE)
    host.output(["a2enmod", "-q", "ssl", "rewrite"])
    host.output(["a2ensite", "-q", "example.com"])
    host.output(["apache2ctl", "-k", "restart"])
    until(lambda: host.run(["curl", "-sk", "https://example.com/"]).stdout.startswith("<h1>Example"), "the website")


@pytest.mark.slow
@pytest.mark.parametrize("delegation", ["well-known", "srv"])
def test_the_whole_way_and_back(apache: ThrowAwayHost, acme: Authority, delegation: str) -> None:
    """One line is shown and added, discovery works, the site answers as ever; rollback is byte for byte as before."""
    host = apache
    make(host)
    ways.prepare(host, acme, delegation, "existing", proxy='kind = "apache"')
    if delegation == "srv":
        text = host.read(ways.ANSWERS).replace("[certificates]\n", '[certificates]\nbase_domain = "ordered"\n')
        host.write(ways.ANSWERS, text, 0o600)
    before, pages = host.snapshot(), sites.pages(host)

    planned = host.tool("plan", "--answers", ways.ANSWERS)
    assert planned.returncode == 0, planned.stderr
    added = [line for line in planned.stdout.splitlines() if line.lstrip("+ \t").startswith("IncludeOptional ")]
    assert len(added) == (2 if delegation == "srv" else 1), planned.stdout
    assert host.snapshot() == before

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert sites.pages(host) == pages
    assert [line for line in host.read(FILE).splitlines() if "palpo-installer" not in line] == SITE.splitlines()

    complete(host)
    taken_back(host, "rollback", before)
    assert sites.pages(host) == pages


@pytest.mark.slow
def test_what_its_owner_changed_since_stays_when_all_is_taken_back(apache: ThrowAwayHost) -> None:
    """Only our line goes, also from a file that has another name by now."""
    host = apache
    make(host)
    ways.prepare(host, None, "well-known", "existing", proxy='kind = "apache"')
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    host.output(["a2dissite", "-q", "example.com"])
    moved = "/etc/apache2/sites-available/website.conf"
    host.write(moved, host.read(FILE).replace("# The company's website", "# Our website"))
    host.output(["a2ensite", "-q", "website"])
    host.output(["rm", FILE])
    services.reload_apache(host)
    removed = host.tool("uninstall", "--yes")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert host.read(moved) == SITE.replace("# The company's website", "# Our website")
    assert not host.exists("/etc/apache2/palpo-installer")
