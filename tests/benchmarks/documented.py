"""The configurations that the manuals of Palpo and Synapse give ("Using a reverse proxy"), beside ours in one process.

Each is as it stands there, but for the certificate, and for port 4443 in place of 443, which ours has. Palpo's text of
HAProxy's has lost its line breaks; Synapse's has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.lab.hosts import LabHost
from tests.lab.services import NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY, make_certificate

PORT = 4443

NGINX = f"""\
server {{
    listen {PORT} ssl;
    listen [::]:{PORT} ssl;
    ssl_certificate {NEIGHBOUR_CERTIFICATE};
    ssl_certificate_key {NEIGHBOUR_KEY};
    server_name matrix.example.com;

    location ~ ^(/_matrix|/_palpo/client) {{
        proxy_pass http://localhost:8008;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Host $host:$server_port;
        client_max_body_size 50M;
        proxy_http_version 1.1;
    }}
}}
"""


def nginx(host: LabHost) -> None:
    """One more file of sites-enabled."""
    host.write("/etc/nginx/sites-enabled/documented", NGINX)
    # h2load does not open a connection again that nginx ends after so many requests.
    (ours,) = host.output(["grep", "-rl", "keepalive_requests", "/etc/nginx"]).splitlines()
    host.output(["sed", "-i", "s/keepalive_requests .*/keepalive_requests 1000000000;/", ours])
    host.output(["nginx", "-s", "reload"])


APACHE = f"""\
Listen {PORT}
<VirtualHost *:{PORT}>
    SSLEngine on
    SSLCertificateFile {NEIGHBOUR_CERTIFICATE}
    SSLCertificateKeyFile {NEIGHBOUR_KEY}
    ServerName matrix.example.com

    RequestHeader set "X-Forwarded-Proto" expr=%{{REQUEST_SCHEME}}
    AllowEncodedSlashes NoDecode
    ProxyPreserveHost on
    ProxyPass /_matrix http://127.0.0.1:8008/_matrix nocanon
    ProxyPassReverse /_matrix http://127.0.0.1:8008/_matrix
    ProxyPass /_palpo/client http://127.0.0.1:8008/_palpo/client nocanon
    ProxyPassReverse /_palpo/client http://127.0.0.1:8008/_palpo/client
</VirtualHost>
"""


def apache(host: LabHost) -> None:
    """One more file of sites-enabled."""
    host.write("/etc/apache2/sites-enabled/documented.conf", APACHE)
    host.output(["apache2ctl", "graceful"])


DIRECTORY = "/etc/ssl/haproxy"
HAPROXY = f"""frontend documented
  bind *:{PORT},[::]:{PORT} ssl crt {DIRECTORY}/ strict-sni alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
  http-request set-header X-Forwarded-For %[src]

  # Matrix client traffic
  acl matrix-host hdr(host) -i matrix.example.com matrix.example.com:{PORT}
  acl matrix-path path_beg /_matrix
  acl matrix-path path_beg /_palpo/client

  use_backend matrix if matrix-host matrix-path

backend matrix
  server matrix 127.0.0.1:8008
"""


def haproxy(host: LabHost) -> None:
    """Appended to the main file; the certificate is for the name, as ``strict-sni`` wants it."""
    chain, key = f"{DIRECTORY}/documented.pem", f"{DIRECTORY}/documented.pem.key"
    make_certificate(host, chain, key, "DNS:matrix.example.com")
    main = "/etc/haproxy/haproxy.cfg"
    host.write(main, f"{host.read(main)}\n{HAPROXY}")
    host.output(["sh", "-c", "kill -USR2 $(cat /run/haproxy.pid)"])


CADDY = f"""
matrix.example.com:{PORT} {{
	tls {NEIGHBOUR_CERTIFICATE} {NEIGHBOUR_KEY}
	reverse_proxy /_matrix/* localhost:8008
	reverse_proxy /_palpo/client/* localhost:8008
}}
"""


def caddy(host: LabHost) -> None:
    """One more site of the Caddyfile; its certificate is a file, for there is no public authority here."""
    main = "/etc/caddy/Caddyfile"
    host.write(main, host.read(main) + CADDY)
    host.output(["caddy", "reload", "--config", main, "--force"])


DOCUMENTED: Mapping[str, Callable[[LabHost], None]] = {
    "nginx": nginx,
    "apache": apache,
    "caddy": caddy,
    "haproxy": haproxy,
}
"""By kind of proxy: puts the documented configuration beside ours, and lets the proxy take it up."""

WITH_HTTP2 = frozenset({"apache", "caddy", "haproxy"})
"""The proxies whose documented configuration offers HTTP/2 here, Apache's by Debian's http2.conf: nginx's does not."""
