"""Stopped proxies that would want our ports at the next boot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.planning.rivals import findings, ports_of, refuse_return, refuse_waiting
from palpo_installer.planning.switching import Leaving
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.services import Service
from tests.planning.test_ports import RENDERING
from tests.proxies.apache.apaches import apache
from tests.situations import facts, nginx_with

NEEDED = ports_of(RENDERING)


def said(nginx: Nginx) -> list[str]:
    """Return what there is to know about an nginx beside a chosen Apache."""
    return list(findings(facts(nginx=nginx), apache(), NEEDED))


def test_who_starts_at_boot_with_a_port_of_ours_is_named() -> None:
    """With the command; not one that runs, stays off, has other ports, or has only files of ours there."""
    rival = nginx_with("shop.example.org")
    assert {80, 443, 8448} == NEEDED
    (told,) = said(rival)
    assert "nginx is stopped, but nginx.service starts at boot, and its configuration has port 443" in told
    assert told.endswith("If nobody needs it: systemctl disable nginx.service")
    block = rival.servers[0]
    elsewhere = replace(block, listens=(replace(block.listens[0], port=8080),))
    file = Path("/etc/nginx/sites-enabled/zz-palpo-installer-tls.conf")
    ours = replace(block, listens=(replace(block.listens[0], file=file),))
    harmless = (
        replace(rival, pid=7),
        replace(rival, unit_enabled=False),
        replace(rival, servers=(elsewhere,)),
        replace(rival, servers=(ours,)),
    )
    assert [said(each) for each in harmless] == [[]] * 4
    assert list(findings(facts(nginx=rival), rival, NEEDED)) == []


def test_apache_opens_its_ports_without_a_site() -> None:
    """Its ``Listen`` alone would take the port, though it has no virtual host."""
    stopped = replace(apache(), servers=())
    (told,) = findings(replace(facts(), apache=stopped), nginx_with(), NEEDED)
    assert "Apache is stopped, but apache2.service starts at boot, and its configuration has port 80" in told
    off = Leaving(stopped, (), replace(left().withdrawal, proxy="apache"), ())
    with pytest.raises(RefusedPlan, match="starts at boot"):
        refuse_return(off, nginx_with(), NEEDED)


def left(*, stop: bool = True, disable: bool = False, enabled: bool = True) -> Leaving:
    """Return an nginx that is left, with a site of somebody else's that nobody asked for until now."""
    nginx = replace(nginx_with("shop.example.org"), pid=7, unit_enabled=enabled)
    service = Service("nginx", "systemd", unit="nginx.service")
    return Leaving(nginx, (), WithdrawProxy("nginx", service, None, (), (), (), (), stop, disable), ())


def test_a_former_proxy_that_would_come_back_at_boot_is_refused() -> None:
    """It was stopped and enabled before us, so that it would be so again; unless the person lets it not start."""
    with pytest.raises(RefusedPlan, match=r"nginx\.service starts at boot, .* has port 443 without us") as refused:
        refuse_return(left(), apache(), NEEDED)
    assert "systemctl disable nginx.service" in refused.value.next
    for harmless in (None, left(stop=False), left(disable=True), left(enabled=False)):
        refuse_return(harmless, apache(), NEEDED)
    refuse_return(left(), apache(), {80})


def test_a_running_proxy_whose_files_have_the_ports_by_themselves_is_refused() -> None:
    """Its next reload takes them, also the one of the way back; not one that is stopped, or that has them already."""
    https = Listener("0.0.0.0", 443, False, "nginx", 7, "nginx.service", "")
    known = replace(facts(), listeners=(https,))
    waiting = replace(nginx_with("shop.example.org"), pid=8)
    with pytest.raises(RefusedPlan, match="its own sites have port 443 in files that it has not taken up") as refused:
        refuse_waiting(left(), waiting, NEEDED, known)
    assert refused.value.where == "/etc/nginx/sites-enabled/site:2"
    assert "systemctl stop nginx.service" in refused.value.next
    refuse_waiting(None, waiting, NEEDED, known)
    refuse_waiting(left(), replace(waiting, pid=None), NEEDED, known)
    refuse_waiting(left(), waiting, {80}, known)
    refuse_waiting(left(), waiting, NEEDED, facts())
    refuse_waiting(left(), waiting, NEEDED, replace(known, listeners=(https, replace(https, pid=8))))
