from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.facts.ports import PortRange, parse_ranges
from palpo_installer.facts.selinux import (
    CONNECT,
    RELAY,
    SHUTDOWN,
    Boolean,
    PortLabel,
    SELinux,
    lasting,
    parse_booleans,
    parse_context,
    read,
)
from tests.recorded import RecordedHost, Recording, recorded

LOCAL = PortLabel("http_port_t", PortRange(8448, 8448), local=True)


@pytest.fixture
def policy(tmp_path: Path) -> SELinux:
    """The policy of the recorded AlmaLinux 9."""
    found = read(recorded("alma_conf_d", tmp_path), {"nginx": 900})
    assert found is not None
    return found


def switched_on(policy: SELinux, *names: str) -> SELinux:
    """Return a policy with booleans that are on for good."""
    return replace(
        policy, booleans=tuple(replace(b, now=True, lasting=True) if b.name in names else b for b in policy.booleans)
    )


def test_ports_have_the_type_of_the_narrowest_entry(policy: SELinux) -> None:
    """A single port goes before the range around it, and what the administrator said before the policy."""
    types = {port: policy.type_of(port) for port in (443, 8008, 8000, 8448, 10005, 40000, 80)}
    assert types == {
        80: "http_port_t",
        443: "http_port_t",
        8000: "soundd_port_t",
        8008: "http_port_t",
        8448: "unreserved_port_t",
        10005: "http_cache_port_t",
        40000: "ephemeral_port_t",
    }
    assert replace(policy, labels=(*policy.labels, LOCAL)).type_of(8448) == "http_port_t"
    assert (
        replace(policy, labels=(*policy.labels, replace(LOCAL, ports=PortRange(7999, 9000)))).type_of(8000)
        == "http_port_t"
    )


def test_nginx_may_listen_on_ports_of_the_web_only(policy: SELinux) -> None:
    """8448 is nobody's in the policy of Red Hat's systems; a proxy that is not confined may listen anywhere."""
    assert policy.unlistenable((80, 443, 8448)) == (8448,)
    assert replace(policy, labels=(*policy.labels, LOCAL)).unlistenable((8448,)) == ()
    assert replace(policy, domain="unconfined_service_t").unlistenable((8448,)) == ()


@pytest.mark.parametrize(
    ("ports", "on", "lacking"),
    [
        ((8008,), (), (RELAY,)),
        ((8008,), (RELAY,), ()),
        ((8008,), (SHUTDOWN,), ()),
        ((8008,), (CONNECT,), ()),
        ((10005,), (SHUTDOWN,), (RELAY,)),
        ((6167,), (), (CONNECT,)),
        ((6167,), (RELAY, SHUTDOWN), (CONNECT,)),
        ((8008, 8000), (), (CONNECT,)),
        ((8008, 8000), (RELAY,), (CONNECT,)),
    ],
)
def test_the_narrowest_boolean_that_is_enough(
    policy: SELinux, ports: tuple[int, ...], on: tuple[str, ...], lacking: tuple[str, ...]
) -> None:
    """The relay for ports of the web, any connection for others, and nothing where something else is enough."""
    assert switched_on(policy, *on).lacking(ports) == lacking


def test_a_boolean_that_is_on_until_the_next_boot_is_lacking(policy: SELinux) -> None:
    """Somebody tried it without -P: it works, and will not after a reboot."""
    relay = Boolean(RELAY, now=True, lasting=False)
    assert replace(policy, booleans=(relay,)).lacking((8008,)) == (RELAY,)
    assert replace(policy, booleans=(replace(relay, lasting=None),)).lacking((8008,)) == ()


def test_without_root_ports_of_the_web_are_known_and_others_not(tmp_path: Path) -> None:
    """The store is root's; the mode and the booleans are not."""
    host = recorded("alma_conf_d", tmp_path)
    host.recording = replace(host.recording, root=False)
    found = read(host, {"nginx": 900})
    assert found is not None
    assert (found.labels, found.type_of(8008), found.type_of(8448)) == ((), "http_port_t", "")
    assert [each.now for each in found.booleans] == [False, False, False]
    assert host.asked == []


def test_a_host_without_selinux_has_no_policy(tmp_path: Path) -> None:
    """The kernel's file is not there, and nothing is asked."""
    host = recorded("debian_sites", tmp_path)
    assert read(host, {}) is None
    assert host.asked == []


def test_without_semanage_the_stores_own_file_tells_what_lasts(tmp_path: Path) -> None:
    """Only what somebody set stands in it."""
    store = "/var/lib/selinux/targeted/active/booleans.local"
    files = {"/etc/selinux/config": ("SELINUXTYPE=targeted",), store: ("# generated", "", f"{RELAY}=1", f"{CONNECT}=0")}
    assert lasting(RecordedHost(Recording(files), tmp_path)) == {RELAY: True, CONNECT: False}


def test_the_lasting_value_is_the_second_one() -> None:
    """What semanage writes is the value now and then that of the store."""
    assert parse_booleans(f"{RELAY}        (on   ,  off)  Allow httpd to act as a relay\nno line\n") == {RELAY: False}


def test_a_context_has_its_type_third() -> None:
    """Also with categories, with the kernel's zero byte, and for a kernel of other security."""
    assert parse_context("system_u:system_r:httpd_t:s0:c1,c2\0") == "httpd_t"
    assert parse_context("unconfined\n") == ""


def test_ranges_are_read_in_every_notation() -> None:
    """With spaces, commas, a dash or a colon."""
    assert parse_ranges("80, 443 8000-8010,9000:9001 x") == (
        PortRange(80, 80),
        PortRange(443, 443),
        PortRange(8000, 8010),
        PortRange(9000, 9001),
    )


def test_each_proxy_has_its_own_domain(policy: SELinux) -> None:
    """That of its process where it runs, else the usual one: another proxy that runs says nothing about it."""
    found = replace(policy, running={"nginx": "unconfined_t", "apache": "", "haproxy": "haproxy_t"})
    assert [found.of(kind).domain for kind in ("nginx", "apache", "caddy")] == ["unconfined_t", "httpd_t", "httpd_t"]
    assert found.of("apache").unlistenable((8448,)) == (8448,)
    assert found.of("nginx").unlistenable((8448,)) == ()
    stopped = replace(policy, running={"nginx": "httpd_t"}).of("haproxy")
    assert (stopped.domain, stopped.lacking((9000,))) == ("haproxy_t", ()), "the booleans of httpd are not about it"
