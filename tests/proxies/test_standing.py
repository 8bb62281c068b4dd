"""What each proxy serves now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer.facts.listeners import Listener
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import ReadFile
from palpo_installer.proxies.standing import freeing, holder, leaving, named, standings
from tests.situations import facts, nginx_with

OURS = "/etc/nginx/sites-enabled/zz-palpo-installer-tls.conf"


def held(port: int, process: str, pid: int, unit: str = "", container: str = "") -> Listener:
    """Return a socket that a process holds."""
    return Listener("0.0.0.0", port, False, process, pid, unit, container)


def test_every_proxy_is_told_with_ports_sites_and_unit() -> None:
    """Installed ones that we read, and those that only hold a port; ours are no other sites."""
    site, own = nginx_with("shop.example.org"), nginx_with("matrix.example.com", file=OURS)
    nginx = replace(site, servers=(*site.servers, *site.servers, *own.servers), pid=7, unit="nginx.service")
    listeners = (
        held(80, "nginx", 7, "nginx.service"),
        held(443, "nginx", 7, "nginx.service"),
        held(8443, "traefik", 9, container="edge"),
        held(8080, "nginx", 11, container="blog"),
        held(5432, "postgres", 12),
    )
    found = standings(replace(facts(nginx=nginx), listeners=listeners))
    assert [str(each) for each in found] == [
        "nginx runs and holds ports 80 and 443, 1 other site, nginx.service",
        "Traefik runs and holds port 8443, container edge",
        "nginx runs and holds port 8080, container blog",
    ]
    assert [freeing(each) for each in found] == [
        "systemctl disable --now nginx.service",
        "stop container edge",
        "stop container blog",
    ]


def test_the_holder_of_https_counts_more_than_that_of_http() -> None:
    """Two may share the ports of the web."""
    listeners = (held(80, "haproxy", 5), held(443, "caddy", 6))
    found = holder(replace(facts(), listeners=listeners), Layout())
    assert found is not None
    assert found.kind == "caddy"
    assert holder(facts(), Layout()) is None


def test_a_port_is_left_by_the_proxy_that_has_it_for_us_alone() -> None:
    """Not by one with a site of somebody else's there, nor where another process has it, too."""
    own = nginx_with("matrix.example.com", file=OURS)
    port = own.servers[0].listens[0].port
    alone = replace(own, pid=7)
    found = leaving(facts(nginx=alone), port, {7})
    assert found is not None
    assert found.title == "nginx"
    assert leaving(facts(nginx=alone), port, {7, 9}) is None
    shared = replace(alone, servers=(*own.servers, *nginx_with("shop.example.org").servers))
    assert leaving(facts(nginx=shared), port, {7}) is None


def test_what_is_ours_is_what_runs_installed() -> None:
    """A site of theirs may be called like ours, as a copy is; and one of theirs with lines of ours serves for us."""
    copied = replace(nginx_with("shop.example.org", file=OURS), pid=7)
    port = copied.servers[0].listens[0].port
    known = replace(facts(nginx=copied), installed=())
    assert [(each.sites, each.ours) for each in standings(known)] == [(1, False)]
    assert leaving(known, port, {7}) is None
    recorded = replace(known, installed=(Path(OURS),))
    assert [(each.sites, each.ours) for each in standings(recorded)] == [(0, True)]
    assert leaving(recorded, port, {7}) is not None
    shared = nginx_with("shop.example.org")
    leaflet = ReadFile(Path("/etc/nginx/palpo-installer/example.org-443.conf"), "")
    led_to = replace(known, nginx=replace(shared, files=(leaflet,)), installed=(leaflet.path,))
    assert [(each.sites, each.ours) for each in standings(led_to)] == [(1, True)]


def test_one_that_is_stopped_says_so() -> None:
    """With its sites, since they come back with it."""
    nginx = replace(nginx_with("shop.example.org"), pid=None, configuration=Path("/etc/nginx/nginx.conf"))
    (found,) = standings(facts(nginx=nginx))
    assert "nginx is stopped, 1 other site" in str(found)
    assert named((80,)) == "port 80"
    assert named((80, 443, 8448)) == "ports 80, 443 and 8448"
