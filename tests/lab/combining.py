"""A site of somebody else's that is unharmed whatever is done one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab import services, sites, ways
from tests.lab.hosts import LabHost
from tests.lab.services import make_certificate
from tests.lab.taking_back import STATE
from tests.lab.test_uninstall import apply

AVAILABLE = "/etc/nginx/sites-available"
GUESTS = "/etc/nginx/palpo-installer"
GUEST = f"{GUESTS}/example.com-443.conf"
EDITED = ("max-age=31536000", "max-age=600")
SYNAPSE = """\
server {
    server_name matrix.example.com;
    listen 443 ssl;
    listen [::]:443 ssl;
    listen 8448 ssl;
    listen [::]:8448 ssl;
    ssl_certificate /etc/ssl/synapse.pem;
    ssl_certificate_key /etc/ssl/private/synapse.key;
    location / { default_type text/plain; return 200 "the old homeserver\\n"; }
}
"""


@contextmanager
def unharmed(host: LabHost) -> Iterator[None]:
    """Check that the site and the neighbour answer afterwards as before."""
    before = sites.pages(host), ways.neighbour_answers(host)
    yield
    assert (sites.pages(host), ways.neighbour_answers(host)) == before


def settled(host: LabHost, *options: str) -> None:
    """Apply, with everybody unharmed, and check that nothing is left to do."""
    with unharmed(host):
        apply(host, *options)
    planned = host.tool("plan", "--exit-code")
    assert planned.returncode == 0, planned.stdout + planned.stderr


def refused(host: LabHost, *command: str) -> str:
    """Return what a command says that must end with 1 and change nothing outside the history."""
    before = host.snapshot(without=(STATE,))
    ended = host.tool(*command)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert host.snapshot(without=(STATE,)) == before
    return ended.stdout + ended.stderr


def take_over(host: LabHost, name: str = "synapse") -> None:
    """Put the old homeserver's site on a host, with answers that take it over; nginx reads sites by their names."""
    make_certificate(host, "/etc/ssl/synapse.pem", "/etc/ssl/private/synapse.key", "DNS:matrix.example.com")
    host.write(f"{AVAILABLE}/{name}", SYNAPSE)
    host.output(["ln", "-s", f"../sites-available/{name}", f"/etc/nginx/sites-enabled/{name}"])
    services.reload_nginx(host)
    ways.prepare(host, None, "srv")


def old_homeserver(host: LabHost) -> tuple[str, ...]:
    """Return what answers for the client host's name on both families and ports."""
    asked = [(f"https://matrix.example.com:{port}/", way) for port in (443, 8448) for way in ("-4", "-6")]
    return tuple(ways.fetch(host, url, "--insecure", way).partition("\r\n\r\n")[2] for url, way in asked)
