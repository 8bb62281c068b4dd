"""The sites of every kind of proxy, as a plan asks for them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.nginx.virtual_hosts import NginxVirtualHosts
from palpo_installer.proxies.sites import known, virtual_hosts
from palpo_installer.proxies.sockets import in_words, reached
from palpo_installer.proxies.who_answers import answering
from tests.proxies.nginx.sites import block
from tests.proxies.nginx.sites import nginx as nginx_with


@dataclass(frozen=True)
class Unknown(Proxy):
    """A proxy that nobody here knows how to talk to."""

    kind: ClassVar[str] = "unknown"
    title: ClassVar[str] = "Unknown"


def unknown() -> Unknown:
    """Return one that has a site."""
    found = nginx_with(block("443 ssl"))
    return Unknown(**{name: getattr(found, name) for name in (each.name for each in fields(Unknown))})


def test_a_proxy_without_a_way_in_is_refused_with_the_way_out() -> None:
    """Nobody answers by rules that are not known, and the refusal names the proxy and the other choices."""
    with pytest.raises(RefusedPlan, match="Unknown") as raised:
        virtual_hosts(unknown(), Host())
    assert "base_domain = ours or elsewhere" in str(raised.value)
    assert known(unknown(), Host()) is None
    assert answering(unknown(), "neighbour.example", 443) == ()


def test_each_proxy_has_its_own() -> None:
    """What is asked of nginx is nginx's, and only the sites that are handed over are judged."""
    found = nginx_with(block("443 ssl"))
    assert isinstance(virtual_hosts(found, Host()), NginxVirtualHosts)
    (answer,) = answering(found, "neighbour.example", 443)
    assert str(answer).startswith("0.0.0.0:443: /etc/nginx/sites-enabled/neighbour:1 (server_name neighbour.example)")
    assert answer.tls
    assert answering(replace(found, servers=()), "neighbour.example", 443) == ()


def test_a_specific_address_takes_requests_from_a_wildcard() -> None:
    """Also from one that takes both families, and addresses in words have brackets where they need them."""
    both, specific = ("::", 443), ("192.0.2.1", 443)
    sockets = {specific: frozenset({"ssl"}), both: frozenset({"ssl", "ipv6only=off"})}
    assert reached(sockets, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]) == {
        "192.0.2.1": specific,
        "192.0.2.2": both,
        "2001:db8::1": both,
    }
    assert reached({both: frozenset()}, ["192.0.2.2", "2001:db8::1"]) == {"2001:db8::1": both}
    assert list(map(in_words, sockets)) == ["192.0.2.1:443", "[::]:443"]


def test_where_files_of_guests_lie_is_known_by_the_path(tmp_path: Path) -> None:
    """So that what earlier runs recorded can be told apart from the proxy's other files."""
    there = virtual_hosts(nginx_with(), Host())
    folder = there.proxy.configuration.parent / "palpo-installer"
    assert there.keeps(folder / "example.com-443.conf")
    assert not there.keeps(folder / "example.com-443.txt")
    assert not there.keeps(tmp_path / "example.com-443.conf")
