"""The operations on SELinux against a real policy and its store, on a host whose kernel runs without SELinux.

What the kernel does with it (a boolean's present value, what is denied) is not seen here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from palpo_installer.operations.security import Withdraw
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from tests.lab import setting_runs, trees
from tests.lab.booted import BootedHost, installed
from tests.lab.running import require_root

PACKAGES = ("netbase", "policycoreutils-python-utils", "selinux-policy-default", "setools")
RELAY = "httpd_can_network_relay"
FREE, TAKEN = 9448, 8000
"""Of no type of its own in Debian's policy, and of type soundd_port_t there."""

LABEL = LabelPort(FREE, "http_port_t", "unreserved_port_t", defined=False)
SETTINGS: tuple[LabelPort | SetBoolean, ...] = (
    LABEL,
    LabelPort(TAKEN, "http_port_t", "soundd_port_t", defined=True),
    SetBoolean(RELAY),
)
SEEN = """
from palpo_installer.facts.selinux import CONNECT, SELinux, boolean, labels
from palpo_installer.host import Host
host = Host()
policy = SELinux("httpd_t", (boolean(host, "httpd_can_network_relay"),), labels(host), "", True)
types = [policy.type_of(port) for port in (80, 8000, 8008, 9448, 10005)]
print(types, policy.lacking((8008,)), policy.lacking((9448,)))
"""
SEARCH = ("sesearch", "--allow", "--source", "httpd_t", "--class")


@pytest.fixture(scope="module")
def store() -> Iterator[BootedHost]:
    """A booted host with Debian's policy; each test leaves it as it was."""
    require_root()
    debian = BootedHost(installed(), tree=trees.with_packages("selinux", PACKAGES))
    try:
        yield debian
    finally:
        debian.stop()


def local(host: BootedHost) -> dict[int, str]:
    """Return the administrator's types of ports."""
    lines = (line.split(None, 2) for line in host.output(["semanage", "port", "-l", "-n", "-C"]).splitlines() if line)
    return {int(port): kind for kind, _, ports in lines for port in ports.split(",")}


def relay(host: BootedHost) -> str:
    """Return what the policy says of the boolean, now and for good."""
    lines = host.output(["semanage", "boolean", "-l", "-n"]).splitlines()
    return next(line for line in lines if line.startswith(f"{RELAY} ")).partition("Allow")[0]


def complete(host: BootedHost, *operations: LabelPort | SetBoolean | Withdraw) -> None:
    """Let a run make settings."""
    assert setting_runs.engine(host, "kill", setting_runs.register(host, operations), "99") == 0


@pytest.mark.slow
@pytest.mark.booted
def test_settings_are_made_and_taken_back(store: BootedHost) -> None:
    """A free port is added, a defined one modified, the boolean set for good; and the facts see it."""
    before = local(store), relay(store)
    assert before[0] == {}
    seen = [setting_runs.python(store), "-c", SEEN]
    kinds = "['http_port_t', 'soundd_port_t', 'http_port_t', 'unreserved_port_t', 'http_cache_port_t']"
    assert store.output(seen).strip() == f"{kinds} ('{RELAY}',) ('httpd_can_network_connect',)"
    complete(store, *SETTINGS)
    assert local(store) == {TAKEN: "http_port_t", FREE: "http_port_t"}
    assert relay(store).split("(")[1].split() == ["on", ",", "on)"]
    kinds = "['http_port_t', 'http_port_t', 'http_port_t', 'http_port_t', 'http_cache_port_t']"
    assert store.output(seen).strip() == f"{kinds} () ()"
    assert store.tool("rollback", "--yes").returncode == 0
    assert (local(store), relay(store)) == before


@pytest.mark.slow
@pytest.mark.booted
def test_the_administrators_own_label_comes_back(store: BootedHost) -> None:
    """One that was there before; and one that was given since is left, by a rollback that says so."""
    store.output(["semanage", "port", "-a", "-t", "http_cache_port_t", "-p", "tcp", str(FREE)])
    complete(store, LabelPort(FREE, "http_port_t", "http_cache_port_t", defined=True))
    assert store.tool("rollback", "--yes").returncode == 0
    assert local(store) == {FREE: "http_cache_port_t"}
    store.output(["semanage", "port", "-d", "-p", "tcp", str(FREE)])

    complete(store, LABEL)
    store.output(["semanage", "port", "-m", "-t", "squid_port_t", "-p", "tcp", str(FREE)])
    refused = store.tool("rollback", "--yes")
    assert refused.returncode != 0
    assert f"SELinux type of port {FREE}" in refused.stdout + refused.stderr
    assert local(store) == {FREE: "squid_port_t"}
    assert store.tool("rollback", "--yes", "--discard-edits").returncode == 0
    assert local(store) == {}


@pytest.mark.slow
@pytest.mark.booted
def test_a_later_run_withdraws_what_is_still_as_it_was_left(store: BootedHost) -> None:
    """Taken back from the earlier run's journal, and made again by a rollback of the later one."""
    complete(store, LABEL)
    was = {"path": f"SELinux type of port {FREE}", "local": "", "after": "http_port_t"}
    complete(store, Withdraw(LABEL, was, "0001"))
    assert local(store) == {}
    assert store.tool("rollback", "--yes").returncode == 0
    assert local(store) == {FREE: "http_port_t"}
    assert store.tool("rollback", "--yes").returncode == 0
    assert local(store) == {}


@pytest.mark.slow
@pytest.mark.booted
def test_a_kill_anywhere_leaves_the_store_as_it_was(store: BootedHost) -> None:
    """After every record of the journal."""
    assert setting_runs.killed_everywhere(store, SETTINGS, lambda: (local(store), relay(store))) == 9


@pytest.mark.slow
@pytest.mark.booted
def test_the_policy_says_what_we_take_for_granted(store: BootedHost) -> None:
    """What the domain may bind, connect to with which boolean, and read, as far as Debian's policy goes."""
    policy = store.output(["sh", "-c", "echo /etc/selinux/default/policy/policy.*"]).strip()
    bound = store.output([*SEARCH, "tcp_socket", "--perms", "name_bind", policy])
    assert {"http_port_t:tcp_socket", "http_cache_port_t:tcp_socket"} <= set(bound.split())
    connected = store.output([*SEARCH, "tcp_socket", "--perms", "name_connect", policy])
    for kind in ("http_port_t", "http_cache_port_t", "squid_port_t", "gopher_port_t", "ftp_port_t"):
        assert f"allow httpd_t {kind}:tcp_socket name_connect; [ {RELAY} ]:True" in connected
    assert "allow httpd_t port_type:tcp_socket name_connect; [ httpd_can_network_connect ]:True" in connected
    readable = store.output([*SEARCH, "file", "--target", "var_lib_t", "--perms", "read", policy])
    assert "allow httpd_t var_lib_t:file" in readable
