"""What is written for HAProxy 3, on the real ones of newer Debians, run from their trees."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.gates import markers
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.operations.base import Workbench
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.haproxy import runtime
from palpo_installer.proxies.haproxy.configuration import RuntimeSocket
from palpo_installer.proxies.haproxy.control import verdict
from palpo_installer.proxies.haproxy.rendering import render
from palpo_installer.secret import Secret, SecretReference
from tests.facts.made import certificate
from tests.lab import newer
from tests.lab.nginx_with_neighbours import LOOPBACK, free_ports
from tests.lab.pebble import running
from tests.proxies.haproxy.test_haproxy_rendering import certificates, found
from tests.proxies.nginx.sites import ANSWERS, HOST

pytestmark = pytest.mark.slow


def no_secret(reference: SecretReference) -> Secret:
    """Refuse to tell a secret: none is needed."""
    raise LookupError(reference.name)


@pytest.mark.parametrize("suite", newer.SUITES)
def test_it_loads_without_a_warning_and_serves_and_takes_a_renewed_certificate(suite: str, tmp_path: Path) -> None:
    """Each name and socket shows its marker and certificate, before and after one is renewed over the socket."""
    haproxy = newer.program(suite)
    said = subprocess.run([*haproxy, "-v"], check=True, capture_output=True, text=True).stdout
    ((first, second, third),) = re.findall(r"version (3)\.(\d+)\.(\d+)", said)
    version = (int(first), int(second), int(third))
    http, https = free_ports(2)
    layout = Layout(tmp_path, http_port=http, https_port=https, addresses=(LOOPBACK,))
    place = tmp_path / "admin.sock"
    proxy = replace(found(tmp_path, f"global\n    stats socket {place} level admin\n"), version=version)
    site = build(ANSWERS, layout)
    files = certificates(tmp_path, site)
    system = replace(HOST, addresses=(LOOPBACK,), ipv6=False)
    rendering = render(proxy, Assignment(site, system, layout, files))
    for part in (rendering.plain, rendering.secure):
        for file in part.files:
            file.path.write_text(file.text)
        for link in part.links:
            link.path.parent.mkdir(parents=True, exist_ok=True)
            link.path.symlink_to(link.target)
    argv = (*haproxy, "-db", "-f", str(tmp_path / "conf.d"))
    tested = subprocess.run([*argv, "-c"], check=False, capture_output=True, text=True)
    judged = verdict(tested.returncode == 0, tested.stderr)
    assert (judged.loads, judged.error, judged.warnings) == (True, "", ())

    bench = Workbench(Host(layout), "trial", tmp_path, no_secret, lambda _: None, lambda: None)
    expected = [e for part in (rendering.plain, rendering.secure) for e in part.expectations]
    with running(argv, {}, https):
        expected = [e for e in expected if e.address == LOOPBACK]
        assert {each.port for each in expected} >= {http, https}
        markers.prove(expected, time.monotonic() + 10, bench)
        for name, each in files.items():
            certificate(name).write(each.chain, each.key)
        served = replace(proxy, sockets=(RuntimeSocket(str(place), "admin"),))
        runtime.swap(Host(), served, rendering.secure.links)
        markers.prove(expected, time.monotonic() + 10, bench)
