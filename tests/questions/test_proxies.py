"""Which proxy is offered, and what is said for choosing one."""

from __future__ import annotations

from dataclasses import replace

from palpo_installer.facts import Facts
from palpo_installer.facts.listeners import Listener
from palpo_installer.layout import Layout
from palpo_installer.proxies.apache.configuration import Apache, Awake
from palpo_installer.questions import Situation
from palpo_installer.questions.proxies import is_open, proxies_now, proxy_default
from tests.situations import facts, nginx_with


def host(*listeners: Listener, nginx: bool = False, running: int | None = None, apache: bool = False) -> Situation:
    """Return a host with these proxies, and who listens on it."""
    known: Facts = facts(nginx=replace(nginx_with("shop.example.org"), pid=running) if nginx else None)
    found = nginx_with()
    shared = {name: getattr(found, name) for name in ("version", "configuration", "files", "streams", "problems")}
    other = Apache(
        **shared,
        binary=found.binary, servers=(), user="www-data", error_log="", pid_file="", pid=3, unit="apache2.service",
        unit_enabled=True, arrangement="debian", modules=(), available=(), mpm="event", listens=(), includes=(),
        server_root=found.configuration.parent, awake=Awake((), ()), unaided=(), enabled=(), header_limits=(0, 0),
    ) if apache else None  # fmt: skip
    return Situation(replace(known, apache=other, listeners=listeners), Layout(), {})


def held(port: int, process: str, pid: int) -> Listener:
    """Return a socket that a process holds."""
    return Listener("0.0.0.0", port, False, process, pid, "", "")


def test_the_one_that_holds_the_ports_is_offered_before_the_one_that_is_installed() -> None:
    """Else one that is installed, else the recommended one."""
    assert proxy_default(host()) == "nginx"
    assert proxy_default(host(nginx=True)) == "nginx"
    assert proxy_default(host(nginx=True, apache=True)) == "apache"
    assert proxy_default(host(held(80, "nginx", 7), nginx=True, running=7, apache=True)) == "nginx"
    assert proxy_default(host(held(443, "apache2", 3), nginx=True, apache=True)) == "apache"
    assert proxy_default(host(held(443, "relayd", 9))) == "nginx"


def test_there_is_nothing_to_choose_where_one_proxy_has_the_ports_to_itself() -> None:
    """One that this version cannot set up, or another one in its way, is a matter to choose about."""
    assert not is_open(host())
    assert not is_open(host(held(80, "nginx", 7), nginx=True, running=7))
    assert is_open(host(nginx=True, apache=True))
    assert is_open(host(held(80, "relayd", 9), nginx=True))


def test_what_another_choice_takes_is_said_beforehand() -> None:
    """Who holds the ports, that nothing is stopped for another one, and how a person frees them."""
    said = proxies_now(host(held(443, "apache2", 3), nginx=True, apache=True))
    assert "Apache runs and holds port 443, 0 other sites, apache2.service." in said
    assert "nginx is stopped, 1 other site" in said
    assert "Not installed here: Caddy, HAProxy." in said
    assert "another proxy gets it only when Apache leaves it" in said
    assert "To free it yourself: systemctl disable --now apache2.service." in said
    assert "relayd runs and holds port 80 (this version cannot set it up yet)." in proxies_now(
        host(held(80, "relayd", 9))
    )
    assert "None is installed here" in proxies_now(host())
