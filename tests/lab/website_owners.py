"""The website of example.com on every proxy, as its administrator writes it, and what happens when it moves.

Its owner lets the new proxy have it on the usual ports, and the old one have it on others for a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab import services, sites
from tests.lab.hosts import LabHost
from tests.lab.running import until

PAGE = "<h1>Example</h1>"
MOVED = ("180", "1443s")
"""Where the old proxy goes on with it, in the words of ``asking``."""

NGINX_SITE = f"""\
server {{
    listen 80;
    listen [::]:80;
    server_name example.com www.example.com;
    root {sites.ROOT};
}}
server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name example.com www.example.com;
    ssl_certificate {sites.CHAIN};
    ssl_certificate_key {sites.KEY};
    root {sites.ROOT};
}}
"""
APACHE_SITE = f"""\
Listen 80
Listen 443
<VirtualHost *:80>
    ServerName example.com
    DocumentRoot {sites.ROOT}
</VirtualHost>
<VirtualHost *:443>
    ServerName example.com
    DocumentRoot {sites.ROOT}
    SSLEngine on
    SSLCertificateFile {sites.CHAIN}
    SSLCertificateKeyFile {sites.KEY}
</VirtualHost>
"""
HAPROXY_SITE = f"""\
frontend web
    bind *:80
    bind [::]:80 v6only
    use_backend site if {{ req.hdr(host),host_only -i example.com www.example.com }}
    default_backend nobody

frontend web-tls
    bind *:443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1
    bind [::]:443 v6only ssl crt /etc/haproxy/certs/ alpn h2,http/1.1
    use_backend site if {{ req.hdr(host),host_only -i example.com www.example.com }}
    default_backend nobody

backend site
    http-request return status 200 content-type text/html string "{PAGE}"

backend nobody
    http-request return status 404 content-type text/plain string "nobody"
"""
CADDY_SITE = f"""\
{{
\tauto_https disable_redirects
}}

http://example.com:80 {{
\trespond "{PAGE}"
}}

https://example.com:443 {{
\ttls {sites.CHAIN} {sites.KEY}
\thandle {{
\t\trespond "{PAGE}"
\t}}
}}
"""
HAPROXY_NEIGHBOUR = """\
frontend elsewhere
    bind 127.0.0.1:8083
    http-request return status 200 content-type text/plain string "elsewhere"
"""
"""HAProxy does not start without a frontend."""

HAPROXY_FILES = ("-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/conf.d", "-p", "/run/haproxy.pid")


@dataclass(frozen=True)
class Owner:
    """How a proxy is administered by somebody else.

    Attributes:
        kind: the answer that stands for it.
        program: its main process.
        file: where the website is.
        text: what stands there.
        start: starts the proxy.
        reload: lets it take up its files.
        left: prints what of ours is in its configuration, whatever that is.
    """

    kind: str
    program: str
    file: str
    text: str
    start: tuple[str, ...]
    reload: Callable[[LabHost], object]
    left: str

    def take_in(self, host: LabHost) -> None:
        """Write the website; the proxy is told nothing."""
        host.write(self.file, self.text)

    def begin(self, host: LabHost) -> None:
        """Start the proxy with the website."""
        host.output(self.start)
        self._until_it_answers(host, "80", "443")

    def give_away(self, host: LabHost) -> None:
        """Move the website to other ports, without a word to our lines in it."""
        ports = {"80": MOVED[0], "443": MOVED[1].rstrip("s")}
        text = re.sub(r"(?<=[:\s])(80|443)(?=[;>\s])", lambda found: ports[found[1]], host.read(self.file))
        host.write(self.file, text)
        self.reload(host)
        self._until_it_answers(host, *ports.values())

    @staticmethod
    def _until_it_answers(host: LabHost, plain: str, tls: str) -> None:
        for url in (f"http://example.com:{plain}/", f"https://example.com:{tls}/"):
            until(lambda url=url: PAGE in host.run(["curl", "-sk", url]).stdout, url)  # type: ignore[misc]


def reload_haproxy(host: LabHost) -> None:
    """Let HAProxy take up its files."""
    host.output(["haproxy", "-c", "-q", *HAPROXY_FILES])
    host.output(["sh", "-c", "kill -USR2 $(cat /run/haproxy.pid)"])


def reload_caddy(host: LabHost) -> None:
    """Let Caddy take up its files."""
    host.output(["caddy", "reload", "--config", "/etc/caddy/Caddyfile"])


OWNERS = {
    "nginx": Owner(
        "nginx",
        "nginx",
        "/etc/nginx/sites-enabled/example.com",
        NGINX_SITE,
        ("nginx",),
        services.reload_nginx,
        "find /etc/nginx -name '*palpo*'; grep -rl palpo /etc/nginx",
    ),
    "apache": Owner(
        "apache",
        "apache2",
        "/etc/apache2/sites-enabled/example.com.conf",
        APACHE_SITE,
        ("apache2ctl", "start"),
        services.reload_apache,
        "find /etc/apache2 -name '*palpo*'; grep -rl palpo /etc/apache2",
    ),
    "haproxy": Owner(
        "haproxy",
        "haproxy",
        "/etc/haproxy/conf.d/site.cfg",
        HAPROXY_SITE,
        ("haproxy", "-W", "-D", *HAPROXY_FILES),
        reload_haproxy,
        "find /etc/haproxy -name '*palpo*'; grep -rl palpo /etc/haproxy",
    ),
    "caddy": Owner(
        "caddy",
        "caddy",
        "/etc/caddy/Caddyfile",
        CADDY_SITE,
        ("caddy", "start", "--config", "/etc/caddy/Caddyfile", "--pidfile", "/run/caddy.pid"),
        reload_caddy,
        "find /etc/caddy -name '*palpo*'; grep -rl palpo /etc/caddy",
    ),
}


def make(host: LabHost) -> None:
    """Put what every proxy needs for it on a host, and leave no other site in any of them."""
    for directory in ("/etc/nginx/sites-enabled", "/etc/apache2/sites-enabled"):
        host.output(["sh", "-c", f"rm -f {directory}/*"])
    host.write("/etc/apache2/ports.conf", "# Each site says where it listens.\n")
    host.output(["a2enmod", "ssl", "--quiet"])
    host.write("/etc/caddy/Caddyfile", "# nothing yet\n")
    host.write(f"{sites.ROOT}/index.html", f"{PAGE}\n")
    services.make_certificate(host, sites.CHAIN, sites.KEY, "DNS:example.com", "DNS:www.example.com")
    host.output(["mkdir", "-p", "/run/haproxy", "/etc/haproxy/certs", "/etc/haproxy/conf.d"])
    host.write("/etc/haproxy/conf.d/elsewhere.cfg", HAPROXY_NEIGHBOUR)
    host.output(["sh", "-c", f"cat {sites.CHAIN} {sites.KEY} >/etc/haproxy/certs/example.com.pem"])
