"""Ports that others hold for real: named with their holder before anything is written, and nobody is stopped."""

from __future__ import annotations

import re

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import Running
from tests.lab.taking_back import taken_back

HOLD = """
import socket, sys, threading
def hold(address, port):
    listener = socket.create_server((address, int(port)), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    while True: listener.accept()[0].close()
for word in sys.argv[1:]: threading.Thread(target=hold, args=word.rsplit("/", 1)).start()
"""
SECOND_NGINX = "pid /run/second.pid; error_log stderr; daemon off; events {} http { server { listen 8448; } }\n"
SRV = ("--set", "federation.delegation=srv")


def hold(host: ThrowAwayHost, *sockets: str) -> Running:
    """Hold ports, each as ``address/port``."""
    running = host.start([host.python, "-c", HOLD, *sockets])
    for each in sockets:
        host.until_listening(int(each.rpartition("/")[2]))
    return running


def test_every_holder_is_named_for_its_family(nginx: ThrowAwayHost) -> None:
    """A process on IPv6 only, then a second nginx beside it: both in one sentence, with what helps, and both go on."""
    host = nginx
    ways.prepare(host, None, "well-known")
    python = hold(host, "::/8448")
    host.write("/run/second.conf", SECOND_NGINX)
    second = host.start(["nginx", "-c", "/run/second.conf"])
    host.until_listening(8448)
    before = host.snapshot()
    refused = host.tool("apply", "--answers", ways.ANSWERS, *SRV, "--yes")
    assert refused.returncode == 1
    assert re.search(r"0\.0\.0\.0:8448 \(IPv4\) is held by nginx \(process \d+\)", refused.stderr)
    assert re.search(r"\[::\]:8448 \(IPv6\) is held by python\S* \(process \d+\)", refused.stderr)
    assert "--set federation.delegation=well-known" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert host.snapshot() == before
    assert python.alive
    assert second.alive
    assert host.tool("plan", "--answers", ways.ANSWERS).returncode == 0


@pytest.mark.slow
def test_plain_http_is_left_to_who_holds_port_80(host: ThrowAwayHost) -> None:
    """An authority that would ask there is refused with what helps; without one the site is served by TLS alone."""
    services.make_certificate(host, services.NEIGHBOUR_CERTIFICATE, services.NEIGHBOUR_KEY, "DNS:neighbour.example.org")
    host.output(["sh", "-c", "rm -f /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*"])
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    holder = hold(host, "0.0.0.0/80")
    ordered = ("--set", "certificates.method=http-01", "--set", "certificates.agree_terms=true")
    refused = host.tool("plan", "--answers", ways.ANSWERS, *ordered)
    assert refused.returncode == 1
    assert "0.0.0.0:80 (IPv4) is held by python" in refused.stderr
    assert "--set certificates.method=files" in refused.stderr

    applied = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert "plain HTTP is left to it" in applied.stdout
    assert ("0.0.0.0", 443) in host.listening()
    assert ways.served(host, "198.18.0.10", 443, "matrix.example.com")
    assert holder.alive
    assert host.tool("plan", "--exit-code").returncode == 0

    holder.stop()
    freed = host.tool("apply", "--yes")
    assert freed.returncode == 0, freed.stdout + freed.stderr
    assert ("0.0.0.0", 80) in host.listening()
    taken_back(host, "rollback", before)
