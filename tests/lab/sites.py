"""Websites of example.com that were there before, as administrators write them, on a lab host."""

from __future__ import annotations

from tests.lab import ways
from tests.lab.hosts import LabHost
from tests.lab.services import make_certificate, reload_nginx

NAME = "example.com"
FILE = "/etc/nginx/sites-available/example.com"
LINK = "/etc/nginx/sites-enabled/example.com"
CHAIN = "/etc/ssl/example.com.pem"
KEY = "/etc/ssl/private/example.com.key"
ROOT = "/var/www/example.com"
AUTHORITY = "/etc/ssl/site-authority.pem"

PLAIN = """\
server {
    listen 80;
    listen [::]:80;
    server_name example.com www.example.com;
    location / { return 301 https://$host$request_uri; }
}
"""
TLS = f"""\
server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name example.com www.example.com;
    ssl_certificate {CHAIN};
    ssl_certificate_key {KEY};
    root {ROOT};
    add_header Strict-Transport-Security "max-age=31536000" always;
    error_page 404 /404.html;
\tlocation / {{
        try_files $uri $uri/ =404;
    }}
    location ~ /\\. {{ deny all; }}
}}
"""
SITE = f"# The company's website\n\n{PLAIN}\n{TLS}"
"""Redirect on port 80, files, a header of its own, its own page for what is missing, hidden files closed."""

PAGES = ("/", "/missing", "/.well-known/security.txt", "/.well-known/matrix/other", "/.hidden")


def make(host: LabHost, text: str = SITE, *, link: bool = True) -> None:
    """Put a website on a host, with a certificate that an authority of its own issued, and let nginx take it up."""
    host.write(f"{ROOT}/index.html", "<h1>Example</h1>\n")
    host.write(f"{ROOT}/404.html", "<h1>Not here</h1>\n")
    host.write(f"{ROOT}/.well-known/security.txt", "Contact: mailto:admin@example.com\n")
    make_certificate(host, CHAIN, KEY, f"DNS:{NAME}", f"DNS:www.{NAME}")
    host.write(FILE, text)
    if link:
        host.output(["ln", "-s", "../sites-available/example.com", LINK])
    reload_nginx(host)


def edit(host: LabHost, old: str, new: str) -> None:
    """Replace some text in the site's file, as its owner does."""
    text = host.read(FILE)
    assert old in text
    host.write(FILE, text.replace(old, new))


def pages(host: LabHost) -> tuple[str, ...]:
    """Return what the site answers at paths that are its own, on both families and both ports."""
    asked = [
        (f"{scheme}://{NAME}{page}", way) for scheme in ("http", "https") for page in PAGES for way in ("-4", "-6")
    ]
    fetched = (ways.fetch(host, url, "--insecure", way) for url, way in asked)
    return tuple("\n".join(line for line in text.splitlines() if not line.startswith("Date:")) for text in fetched)
