"""What is written for HAProxy from 2.4 on, on the real ones of other distributions, run from their trees."""

from __future__ import annotations

import json
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
from palpo_installer.proxies.haproxy.rendering import OLDEST, render
from palpo_installer.secret import Secret, SecretReference
from tests.facts.made import certificate
from tests.lab import haproxy_releases, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running
from tests.ports import free_ports
from tests.proxies.haproxy.test_haproxy_rendering import certificates, found
from tests.proxies.haproxy.test_haproxy_versions import SINCE
from tests.proxies.nginx.sites import ANSWERS, HOST

pytestmark = pytest.mark.slow


def no_secret(reference: SecretReference) -> Secret:
    """Refuse to tell a secret: none is needed."""
    raise LookupError(reference.name)


@pytest.mark.parametrize("suite", haproxy_releases.SUITES)
def test_it_loads_without_a_warning_and_serves_and_takes_a_renewed_certificate(suite: str, tmp_path: Path) -> None:
    """Each name and socket shows its marker and certificate, before and after one is renewed over the socket."""
    haproxy = haproxy_releases.program(suite)
    said = subprocess.run([*haproxy, "-v"], check=True, capture_output=True, text=True).stdout
    ((first, second, third),) = re.findall(r"version (\d+)\.(\d+)\.(\d+)", said)
    version = (int(first), int(second), int(third))
    http, https = free_ports(2)
    layout = Layout(tmp_path, http_port=http, https_port=https, addresses=(LOOPBACK,))
    place = tmp_path / "admin.sock"
    lua = "+LUA" in subprocess.run([*haproxy, "-vv"], check=True, capture_output=True, text=True).stdout.split()
    proxy = replace(found(tmp_path, f"global\n    stats socket {place} level admin\n"), version=version, lua=lua)
    site = build(ANSWERS, layout)
    files = certificates(tmp_path, site)
    system = replace(HOST, addresses=(LOOPBACK,), ipv6=False)
    rendering = render(proxy, Assignment(site, system, layout, files))
    for part in (rendering.plain, rendering.secure):
        for file in part.files:
            file.path.parent.mkdir(parents=True, exist_ok=True)
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


FRONTEND = "frontend f{}\n    mode http\n    timeout client 1s\n    bind 127.0.0.1:9\n{}"
SINCE_2_4 = {
    "from": "defaults named\n    mode http\n" + FRONTEND.format(" from named", ""),
    "wait-for-body": FRONTEND.format("", "    http-request wait-for-body time 10s\n"),
    "lua-load-per-thread": "global\n    lua-load-per-thread LUA\n" + FRONTEND.format("", ""),
}
"""What is written for every version, each by itself."""


@pytest.mark.parametrize("word", SINCE_2_4)
def test_what_is_older_than_2_4_is_refused_for_what_it_does_not_know(word: str, tmp_path: Path) -> None:
    """HAProxy 2.2 refuses each of these words by name, and 2.4 knows it."""
    assert SINCE[word if word in SINCE else f"http-request {word}"] == OLDEST[:2]
    (tmp_path / "empty.lua").write_text("")
    (tmp_path / "one.cfg").write_text(SINCE_2_4[word].replace("LUA", f"{tmp_path}/empty.lua"))
    said = {
        suite: subprocess.run(
            [*haproxy_releases.program(suite), "-c", "-f", f"{tmp_path}/one.cfg"],
            check=False,
            capture_output=True,
            text=True,
        )
        for suite in ("jammy", haproxy_releases.TOO_OLD)
    }
    assert said["jammy"].returncode == 0, said["jammy"].stderr
    assert said[haproxy_releases.TOO_OLD].returncode == 1
    assert f"'{word}'" in said[haproxy_releases.TOO_OLD].stderr


@pytest.mark.parametrize("suite", haproxy_releases.SUITES)
def test_a_rehearsal_keeps_every_promise(host: ThrowAwayHost, suite: str) -> None:
    """On a host that has this one beside a neighbour."""
    haproxy_releases.start(host, suite)
    ways.prepare(host, None, "srv", proxy='kind = "haproxy"', media='upstream = "127.0.0.1:8000"')
    rehearsed = host.tool("rehearse", "--answers", ways.ANSWERS, "--json")
    checks = json.loads(rehearsed.stdout)["checks"]
    assert rehearsed.returncode == 0, [check for check in checks if check["result"] == "fail"]
    assert sum(check["result"] == "pass" for check in checks) > 20


def test_one_that_is_too_old_is_left_as_it_is(host: ThrowAwayHost) -> None:
    """A plan says so, with its version, before anything is done."""
    haproxy_releases.start(host, haproxy_releases.TOO_OLD)
    ways.prepare(host, None, "well-known", proxy='kind = "haproxy"')
    before = host.snapshot()
    refused = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert refused.returncode != 0
    assert re.search(r"HAProxy 2\.2\.\d+ is too old", refused.stderr)
    assert ways.untouched(before, host) == {}
