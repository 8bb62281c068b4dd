"""Which proxy is offered, and what is said for choosing one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer.answers import Method
from palpo_installer.conversation import talk
from palpo_installer.facts import Facts
from palpo_installer.facts.listeners import Listener
from palpo_installer.layout import Layout
from palpo_installer.proxies.apache.configuration import Apache, Awake
from palpo_installer.questions import QUESTIONS, Situation
from palpo_installer.questions.proxies import each_now, is_open, proxies_now, proxy_default, what_it_takes
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


def test_each_choice_has_beside_it_what_that_proxy_serves() -> None:
    """With its ports where it has those of the web; and one that cannot be chosen is told below."""
    seen = host(held(443, "apache2", 3), nginx=True, apache=True)
    beside = each_now(seen)
    assert beside["apache"] == "has port 443 now; no site"
    assert beside["nginx"] == "stopped; 1 site"
    assert beside["haproxy"] == "not installed"
    assert proxies_now(seen) == ""
    assert "relayd runs and holds port 80 (this version cannot set it up yet)." in proxies_now(
        host(held(80, "relayd", 9))
    )
    assert "None is installed here" in proxies_now(host())


def test_what_a_choice_takes_is_said_before_the_review() -> None:
    """Sites of others have to be moved first; ours change over by themselves; the one with the ports needs nothing."""
    seen = host(held(80, "nginx", 7), held(443, "nginx", 7), nginx=True, running=7, apache=True)
    assert what_it_takes("nginx", seen) == ""
    assert what_it_takes("apache", host(nginx=True, apache=True)) == ""
    asked = what_it_takes("apache", seen)
    assert "nginx has ports 80 and 443 now, with 1 site of yours" in asked
    assert "move this site to Apache, or to other ports, or stop nginx with all that it serves (systemctl" in asked

    nginx = seen.facts.nginx
    assert nginx is not None
    ours = replace(nginx.servers[0], names=("example.com",), file=Path("/etc/nginx/zz-palpo-installer-tls.conf"))
    both = replace(seen, facts=replace(seen.facts, nginx=replace(nginx, servers=(*nginx.servers, ours))))
    assert "or to other ports. Palpo's own site changes over by itself then." in what_it_takes("apache", both)
    assert each_now(both)["nginx"] == "has ports 80 and 443 now; 1 site beside ours"
    alone = replace(seen, facts=replace(seen.facts, nginx=replace(nginx, servers=(ours,))))
    assert "for Palpo alone. Apache is made ready first" in what_it_takes("apache", alone)
    empty = replace(seen, facts=replace(seen.facts, nginx=replace(nginx, servers=())))
    assert "so that Apache can serve Palpo, stop nginx with all that it serves" in what_it_takes("apache", empty)


def test_the_conversation_shows_what_the_chosen_one_takes() -> None:
    """Below the question, for the choice that is made, and gone with another."""
    seen = host(held(80, "nginx", 7), held(443, "nginx", 7), nginx=True, running=7, apache=True)
    given: dict[str, object] = {"names.server_name": "example.com"}
    for kind, told in (("apache", True), ("nginx", False)):
        fields = talk({**given, "proxy.kind": kind}, seen.facts, seen.layout).fields
        (field,) = (each for each in fields if each.question.key == "proxy.kind")
        assert ("moves and stops nothing of yours: so that Apache can" in field.help) is told
        assert next(each.help for each in field.choices if each.value == "haproxy") == "not installed"


def test_a_proxy_without_the_port_cannot_order_yet() -> None:
    """Caddy's own certificates come after a change to it; that is said where they are chosen."""
    seen = host(held(80, "nginx", 7), nginx=True, running=7)
    question = next(each for each in QUESTIONS if each.key == "certificates.method")
    to_caddy = replace(seen, earlier={"proxy.kind": "caddy"})
    assert "Caddy can order only when it has port 80, which nginx has now" in question.entails(Method.PROXY, to_caddy)
    assert question.entails(Method.HTTP_01, to_caddy) == ""
    assert question.entails(Method.PROXY, replace(seen, earlier={"proxy.kind": "nginx"})) == ""
