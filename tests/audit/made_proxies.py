"""Apache, HAProxy and Caddy as found with a configuration, for audits; each with a sound one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer.audit.auditing import audit
from palpo_installer.audit.finding import Audit
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.proxies.apache import reading as apache_reading
from palpo_installer.proxies.apache import tree as apache_tree
from palpo_installer.proxies.apache.configuration import Apache, Awake
from palpo_installer.proxies.caddy import reading as caddy_reading
from palpo_installer.proxies.caddy import tree as caddy_tree
from palpo_installer.proxies.caddy.configuration import Caddy
from palpo_installer.proxies.haproxy import reading as haproxy_reading
from palpo_installer.proxies.haproxy import tree as haproxy_tree
from palpo_installer.proxies.haproxy.configuration import HAProxy
from tests.audit.made import NOW, SOUND, host_with, known

APACHE = """\
Listen 80
Listen 443
Listen 8448
LoadModule security2_module modules/mod_security2.so
SecRuleEngine Off
Timeout 300
<VirtualHost *:443>
    ServerName matrix.example.com
    SSLEngine on
    Protocols h2 http/1.1
    SSLCertificateFile /etc/letsencrypt/live/matrix.example.com/fullchain.pem
    SSLCertificateKeyFile /etc/letsencrypt/live/matrix.example.com/privkey.pem
    AllowEncodedSlashes NoDecode
    LimitRequestFieldSize 32768
    LimitRequestLine 32768
    ProxyPreserveHost On
    RewriteEngine On
    RewriteCond %{THE_REQUEST} "!^[A-Z]+ /_(matrix|palpo/client)(/|\\\\?| )"
    RewriteRule "^/_(matrix|palpo)" - [R=404,L]
    RequestHeader unset X-Forwarded-For early
    RequestHeader edit* Connection "(?i)x-forwarded-[a-z]+" "x-drop" early
    RequestHeader set X-Forwarded-Proto https
    RequestHeader unset X-Forwarded-Host early
    RequestHeader unset X-Real-IP early
    RequestHeader unset Forwarded early
    ProxyPass /_matrix http://127.0.0.1:8008/_matrix nocanon
    ProxyPass /_palpo/client http://127.0.0.1:8008/_palpo/client nocanon
</VirtualHost>
"""

HAPROXY = """\
global
    tune.bufsize 65536
    tune.maxrewrite 8192
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
frontend matrix
    bind *:443,[::]:443 ssl crt /etc/haproxy/matrix.pem alpn h2,http/1.1
    acl matrix path_reg ^/(_matrix|_palpo/client)(/|$)
    acl client hdr(host),host_only -i matrix.example.com
    http-request return status 404 if { path_sub -i /.. /%2e ..%2f %2f.. }
    http-request return status 404 unless matrix
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto https
    http-request del-header X-Forwarded-Host
    http-request del-header X-Real-IP
    http-request del-header Forwarded
    use_backend palpo if client matrix
backend palpo
    server palpo 127.0.0.1:8008
"""

CADDY = r"""{
	email admin@example.com
}
matrix.example.com {
	tls /etc/letsencrypt/live/matrix.example.com/fullchain.pem /etc/letsencrypt/live/matrix.example.com/privkey.pem
	@matrix {
		path /_matrix/* /_palpo/client/*
		not vars_regexp {http.request.orig_uri} (?i)^[^?]*(/|%2f)(\.|%2e)(\.|%2e)(/|%2f|[?]|$)
	}
	handle @matrix {
		reverse_proxy 127.0.0.1:8008 {
			header_up -X-Real-IP
			header_up -Forwarded
		}
	}
	handle /.well-known/matrix/client {
		header Access-Control-Allow-Origin *
		respond `{"m.homeserver":{"base_url":"https://matrix.example.com"}}`
	}
	handle {
		respond 404
	}
}
"""


def apache(host: Host, text: str) -> Apache:
    """Return Apache as found with a main file."""
    main = host.layout.at("/etc/apache2/apache2.conf")
    main.parent.mkdir(parents=True, exist_ok=True)
    main.write_text(text)
    read = apache_tree.load(host, main, apache_tree.Surroundings(main.parent, (2, 4, 71)))
    said = apache_reading.parse(read, ipv6=True, resolve=lambda _: ())
    return Apache(
        Path("/usr/sbin/apache2"), (2, 4, 71), main, read.files, said.servers, (), said.problems, "www-data", "", "",
        None, "apache2.service", True, "debian", read.modules, (), "event", said.listens, said.includes, main.parent,
        Awake(said.listens, said.servers),
    )  # fmt: skip


def haproxy(host: Host, text: str) -> HAProxy:
    """Return HAProxy as found with a main file."""
    main = host.layout.at("/etc/haproxy/haproxy.cfg")
    main.parent.mkdir(parents=True, exist_ok=True)
    main.write_text(text)
    read = haproxy_tree.load(host, (main,))
    fronts, problems = haproxy_reading.frontends(host, read.sections)
    return HAProxy(
        Path("/usr/sbin/haproxy"), (2, 6, 12), main, read.files, haproxy_reading.blocks(host, fronts), (), problems,
        "haproxy", "", "", None, "haproxy.service", True, sections=read.sections, frontends=fronts,
    )  # fmt: skip


def caddy(host: Host, text: str) -> Caddy:
    """Return Caddy as found with a Caddyfile."""
    main = host.layout.at("/etc/caddy/Caddyfile")
    main.parent.mkdir(parents=True, exist_ok=True)
    main.write_text(text)
    read = caddy_tree.load(host, main, {})
    said = caddy_reading.parse(read)
    return Caddy(
        Path("/usr/bin/caddy"), (2, 6, 2), main, read.files, said.servers, (), read.problems, "caddy", "", "", None,
        "caddy.service", True, options=said.options, imports=said.imports, last_line=read.last_line,
    )  # fmt: skip


def judged(root: Path, kind: str, text: str, toml: str = SOUND) -> Audit:
    """Return the audit of a host on which one of them has a configuration, and nginx is not installed."""
    host = host_with(root, toml=toml)
    host.layout.at("/etc/nginx/nginx.conf").unlink()
    whole: Facts = replace(known(host), nginx=None)
    if kind == "apache":
        return audit(host, replace(whole, apache=apache(host, text)), NOW)
    if kind == "caddy":
        return audit(host, replace(whole, caddy=caddy(host, text)), NOW)
    return audit(host, replace(whole, haproxy=haproxy(host, text)), NOW)
