"""Hosts with a configuration of nginx and a palpo.toml, below a directory, for audits."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from palpo_installer.audit.auditing import audit
from palpo_installer.audit.finding import Audit
from palpo_installer.facts import Facts
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.facts.palpo import parse
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.facts.made import START, certificate
from tests.situations import facts, homeserver, nginx_with

NOW = START + timedelta(days=10)
MAIN = "events { }\nhttp {\n    include /etc/nginx/conf.d/*.conf;\n}\n"
SITE = "/etc/nginx/conf.d/matrix.conf"
TOML = "/etc/palpo/palpo.toml"

KEY = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

SOUND = """\
server_name = "example.com"
allow_registration = false
max_upload_size = 16777216
[[listeners]]
address = "127.0.0.1:8008"
[db]
url = "postgres://palpo:hunter2@127.0.0.1/palpo"
[well_known]
client = "https://matrix.example.com"
server = "matrix.example.com:443"
[keypair]
document = "MC4CAQAwBQYDK2VwBCIEIBERERERERERERERERERERERERERERERERERERERERER"
version = "a_1"
[storage]
backend = "fs"
root = "/var/lib/palpo/media"
[rc_login]
per_second = 1.0
burst = 50
[rc_registration]
per_second = 0.5
burst = 20
[rc_password]
per_second = 0.5
burst = 20
[rc_message]
per_second = 500.0
burst = 2000
""".replace("KEY", KEY)
"""A palpo.toml without a finding."""


def host_with(root: Path, site: str = "", toml: str | None = SOUND, **files: str) -> Host:
    """Write a host's files; ``files`` by path with ``__`` for each slash; certificates for both names lie there."""
    host = Host(Layout(root))
    texts = {"/etc/nginx/nginx.conf": MAIN, SITE: site, "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n"}
    if toml is not None:
        texts[TOML] = toml
    for path, text in (texts | {f"/{key.replace('__', '/')}": text for key, text in files.items()}).items():
        place = host.layout.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    if toml is not None:
        host.layout.at(TOML).chmod(0o600)
    for name in ("example.com", "matrix.example.com"):
        certify(host, name)
    return host


def certify(host: Host, *names: str) -> None:
    """Put a certificate where certbot would have it, under the first name."""
    live = host.layout.at("/etc/letsencrypt/live") / names[0]
    certificate(*names).write(live / "fullchain.pem", live / "privkey.pem")


def known(
    host: Host, *, version: tuple[int, int, int] = (1, 22, 1), services: tuple[ServiceRecord, ...] | None = None
) -> Facts:
    """Return the facts of such a host; ``services`` are the SRV records of example.com, None where nobody asked."""
    toml, main = host.layout.at(TOML), host.layout.at("/etc/nginx/nginx.conf")
    data = host.read(toml)
    names = () if services is None else (Name("example.com", (), "", services, (), (), ""),)
    nginx = replace(nginx_with(), servers=(), configuration=main, version=version)
    return facts(palpo=homeserver(*([parse(toml, data)] if data else [])), nginx=nginx, names=names)


def audited(host: Host, now: datetime = NOW, **others: object) -> Audit:
    """Return the audit of such a host."""
    return audit(host, known(host, **others), now)  # type: ignore[arg-type]


def rules(found: Audit) -> list[str]:
    """Return the rules that found something, in order of place."""
    return [finding.rule for finding in found.findings]


SERVER = """\
server {
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name example.com;
    ssl_certificate /etc/letsencrypt/live/example.com/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/example.com/privkey.pem;
    location = /.well-known/matrix/client {
        default_type application/json;
        add_header Access-Control-Allow-Origin "*" always;
        return 200 '{"m.homeserver":{"base_url":"https://matrix.example.com"}}';
    }
    location = /.well-known/matrix/server {
        default_type application/json;
        return 200 '{"m.server":"matrix.example.com:443"}';
    }
}
server {
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name matrix.example.com;
    ssl_certificate /etc/letsencrypt/live/matrix.example.com/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/matrix.example.com/privkey.pem;
    large_client_header_buffers 8 32k;
    client_max_body_size 16m;
    location /_matrix/ {
        if ($request_uri !~ ^/_(matrix|palpo/client)(/|\\?|$)) {
            return 404;
        }
        proxy_pass http://127.0.0.1:8008;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host "";
        proxy_set_header X-Real-IP "";
        proxy_set_header Forwarded "";
        proxy_read_timeout 300s;
    }
}
server {
    listen 80;
    server_name matrix.example.com;
    location ^~ /.well-known/acme-challenge/ {
        root /var/www/acme;
    }
    location / {
        return 301 https://$host$request_uri;
    }
}
"""
"""Sites without a finding, as an administrator may have written them."""


def trapped(*edits: tuple[str, str], text: str = SERVER) -> str:
    """Return the sites with texts replaced; each must be there."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text
