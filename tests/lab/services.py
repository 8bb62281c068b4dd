"""Debian's nginx with a neighbour's site, and pebble as the certificate authority, on a lab host."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.lab.hosts import LabHost
from tests.lab.running import Running, require_programs, until

NEIGHBOUR = "neighbour.example.org"
NEIGHBOUR_CERTIFICATE = "/etc/ssl/neighbour.pem"
NEIGHBOUR_KEY = "/etc/ssl/private/neighbour.key"
NEIGHBOUR_SITE = f"""\
server {{
    listen 80;
    listen [::]:80;
    server_name {NEIGHBOUR};
    default_type text/plain;
    location / {{ return 200 "the neighbour, plain\\n"; }}
}}
server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name {NEIGHBOUR};
    ssl_certificate {NEIGHBOUR_CERTIFICATE};
    ssl_certificate_key {NEIGHBOUR_KEY};
    default_type text/plain;
    location / {{ return 200 "the neighbour, over TLS\\n"; }}
}}
"""
APACHE_NEIGHBOUR = f"""\
<VirtualHost *:80>
    ServerName {NEIGHBOUR}
    DocumentRoot /var/www/neighbour
</VirtualHost>
<IfModule ssl_module>
<VirtualHost *:443>
    ServerName {NEIGHBOUR}
    DocumentRoot /var/www/neighbour
    SSLEngine on
    SSLCertificateFile {NEIGHBOUR_CERTIFICATE}
    SSLCertificateKeyFile {NEIGHBOUR_KEY}
</VirtualHost>
</IfModule>
"""
HAPROXY_NEIGHBOUR = f"""\
frontend web
    bind *:80
    bind [::]:80 v6only
    http-request set-header X-Forwarded-Proto http
    use_backend neighbour if {{ hdr(host) -i {NEIGHBOUR} }}
    default_backend nobody

frontend web-tls
    bind *:443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1
    bind [::]:443 v6only ssl crt /etc/haproxy/certs/ alpn h2,http/1.1
    use_backend neighbour if {{ req.hdr(host),field(1,:) -i {NEIGHBOUR} }}
    default_backend nobody

backend neighbour
    http-request return status 200 content-type text/plain string "the neighbour"

backend nobody
    http-request return status 404 content-type text/plain string "nobody"
"""
CADDY_NEIGHBOUR = f"""\
{{
	# Whose certificate a handshake without a name is shown.
	default_sni {NEIGHBOUR}
}}

# The neighbour's site
http://{NEIGHBOUR} {{
	respond "the neighbour, plain"
}}
{NEIGHBOUR} {{
	tls {NEIGHBOUR_CERTIFICATE} {NEIGHBOUR_KEY}
	respond "the neighbour, over TLS"
}}
"""
CADDYS_OWN = ("/root/.config/caddy", "/root/.local/share/caddy")
"""Where a Caddy that runs as root keeps what is its own."""
RULES = "for family in ip ip6; do ${family}tables-save | sed '/^#/d; s/ *\\[[0-9:]*\\]//'; done"
"""Prints every rule of the packet filter, without times and counters."""

NGINX_WORKER = "nginx: worker process"
APACHE = "/usr/sbin/apache2 -k start"
PEBBLE = "/run/pebble"
DIRECTORY = "https://127.0.0.1:14000/dir"
MANAGEMENT = "https://127.0.0.1:15000"


@dataclass(frozen=True)
class Authority:
    """A running certificate authority.

    Attributes:
        host: where it runs.
        directory: the address of its ACME directory.
        ca_file: on the host, what a client must trust to talk to it.
        running: its process.
    """

    host: LabHost
    directory: str
    ca_file: str
    running: Running

    def root(self) -> str:
        """Return the root certificate (PEM) its certificates lead to; another one after each start."""
        return self.host.output(["curl", "--silent", "--fail", "--cacert", self.ca_file, f"{MANAGEMENT}/roots/0"])


def make_certificate(host: LabHost, chain: str, key: str, *names: str) -> None:
    """Make a self-signed certificate for 30 days; names are such as ``DNS:example.com`` or ``IP:127.0.0.1``."""
    host.output(["mkdir", "-p", *(path.rpartition("/")[0] for path in (chain, key))])
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    subject = ["-subj", f"/CN={names[0].partition(':')[2]}", "-addext", f"subjectAltName={','.join(names)}"]
    host.output(["openssl", "req", "-x509", *kind, *subject, "-out", chain, "-keyout", key])


def configure_nginx(host: LabHost) -> None:
    """Leave Debian's default site and the neighbour's site, nothing else."""
    host.output(["sh", "-c", "rm -f /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*"])
    make_certificate(host, NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY, f"DNS:{NEIGHBOUR}")
    host.write("/etc/nginx/sites-available/neighbour", NEIGHBOUR_SITE)
    for site in ("default", "neighbour"):
        host.output(["ln", "-s", f"../sites-available/{site}", f"/etc/nginx/sites-enabled/{site}"])


def start_nginx(host: LabHost) -> None:
    """Configure nginx and start it as a daemon, as a host without systemd does."""
    require_programs("nginx", "openssl")
    configure_nginx(host)
    host.output(["nginx"])
    host.until_listening(443)


def reload_nginx(host: LabHost) -> None:
    """Let nginx take up its files, and wait until none of the former workers takes a request."""
    former = {process.pid for process in host.processes(NGINX_WORKER)}
    host.output(["nginx", "-t", "-q"])
    host.output(["nginx", "-s", "reload"])
    until(lambda: former.isdisjoint(process.pid for process in host.processes(NGINX_WORKER)), "nginx's new workers")


def reload_apache(host: LabHost) -> None:
    """Let Apache take up its files, and wait until none of the former children takes a request."""
    former = {process.pid for process in host.processes(APACHE)[1:]}
    host.output(["apache2ctl", "graceful"])
    until(lambda: former.isdisjoint(process.pid for process in host.processes(APACHE)), "Apache's new children")


def configure_apache(host: LabHost, *, tls: bool = True) -> None:
    """Leave Debian's default site and the neighbour's site; ``tls`` enables mod_ssl, which Debian does not."""
    make_certificate(host, NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY, f"DNS:{NEIGHBOUR}")
    host.write("/etc/apache2/sites-available/neighbour.conf", APACHE_NEIGHBOUR)
    host.write("/var/www/neighbour/index.html", "the neighbour\n")
    # Of a file that was written this very second, Apache's ETag is weak.
    host.output(["touch", "--date=@1000000000", "/var/www/neighbour/index.html"])
    for command in (["a2ensite", "neighbour"], *([["a2enmod", "ssl"]] if tls else [])):
        host.output([*command, "--quiet"])


def start_apache(host: LabHost, *, tls: bool = True) -> None:
    """Configure Apache and start it as a daemon, as a host without systemd does."""
    require_programs("apache2", "openssl")
    configure_apache(host, tls=tls)
    host.output(["apache2ctl", "start"])
    host.until_listening(443 if tls else 80)


def configure_haproxy(host: LabHost) -> None:
    """Leave Debian's main file, and a directory beside it, as others have it, with the neighbour's site."""
    make_certificate(host, NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY, f"DNS:{NEIGHBOUR}")
    host.output(["mkdir", "-p", "/run/haproxy", "/etc/haproxy/certs", "/etc/haproxy/conf.d"])
    host.output(["sh", "-c", f"cat {NEIGHBOUR_CERTIFICATE} {NEIGHBOUR_KEY} >/etc/haproxy/certs/neighbour.pem"])
    host.write("/etc/haproxy/conf.d/neighbour.cfg", HAPROXY_NEIGHBOUR)


def start_haproxy(host: LabHost) -> None:
    """Configure HAProxy and start it as a daemon, as a host without systemd does."""
    require_programs("haproxy", "openssl")
    configure_haproxy(host)
    run_haproxy(host)


def run_haproxy(host: LabHost) -> None:
    """Start HAProxy with the configuration that is there."""
    files = ["-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/conf.d", "-p", "/run/haproxy.pid"]
    host.output(["haproxy", "-W", "-D", *files])
    host.until_listening(443)


def start_caddy(host: LabHost) -> None:
    """Leave the neighbour's site in Debian's Caddyfile, and start Caddy, as a host without systemd does."""
    require_programs("caddy", "openssl")
    make_certificate(host, NEIGHBOUR_CERTIFICATE, NEIGHBOUR_KEY, f"DNS:{NEIGHBOUR}")
    host.write("/etc/caddy/Caddyfile", CADDY_NEIGHBOUR)
    run_caddy(host)
    host.until_listening(443)


def run_caddy(host: LabHost) -> None:
    """Start Caddy with the Caddyfile that is there."""
    host.output(["caddy", "start", "--config", "/etc/caddy/Caddyfile", "--pidfile", "/run/caddy.pid"])


def start_ufw(host: LabHost, *ports: int) -> None:
    """Let ufw guard a host and let in these ports."""
    require_programs("ufw", "iptables", "ip6tables")
    for port in ports:
        host.output(["ufw", "allow", f"{port}/tcp"])
    host.output(["ufw", "--force", "enable"])


def start_pebble(host: LabHost, *, validity: int = 90 * 24 * 3600, binary: str = "pebble") -> Authority:
    """Start pebble on a host whose names are served.

    It asks for challenges at once and every time, and never sends a client back with a bad nonce.

    Args:
        host: where; ports 14000 and 15000 of its 127.0.0.1 are used.
        validity: for how many seconds its certificates are valid; 30 makes them due at once.
        binary: the program, where not Debian's.
    """
    require_programs(binary, "openssl", "curl")
    chain, key, configuration = (f"{PEBBLE}/{name}" for name in ("ca.pem", "ca.key", "pebble.json"))
    make_certificate(host, chain, key, "IP:127.0.0.1", "DNS:localhost")
    settings = {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": chain,
        "privateKey": key,
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "certificateValidityPeriod": validity,
    }
    host.write(configuration, json.dumps({"pebble": settings}))
    running = host.start(
        [binary, "-config", configuration, "-dnsserver", "127.0.0.1:53"],
        environment={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "0"},
    )
    host.until_listening(14000)
    host.until_listening(15000)
    return Authority(host, DIRECTORY, chain, running)
