from __future__ import annotations

from pathlib import Path

from palpo_installer import processes
from palpo_installer.facts.firewalls import parse_iptables, parse_nftables, parse_ufw_file, read
from tests.recorded import RecordedHost, Recording, Said, recorded

NFT = "nft list ruleset"
LOADED = {"/proc/modules": ("nf_tables 1 0 - Live 0x0",)}
DROPPING = """table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		tcp dport 22 accept
	}
}
"""
EMPTY = """table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
"""
CALLED = """table inet mine {
	chain guard {
		tcp dport 1-1023 reject
	}
	chain input {
		type filter hook input priority filter; policy accept;
		jump guard
	}
}
"""
OVER_IPTABLES = "# Warning: table ip filter is managed by iptables-nft, do not touch!\n" + DROPPING.replace(
    "inet filter", "ip filter"
)


def test_nftables_counts_where_something_is_kept_from_arriving() -> None:
    """An empty skeleton, a rule for what passes through and other programs' tables are no firewall."""
    assert parse_nftables(DROPPING) == ("nftables",)
    assert parse_nftables(CALLED) == ("nftables",)
    assert parse_nftables(EMPTY) == ()
    assert parse_nftables(DROPPING.replace("inet filter", "inet firewalld")) == ()
    assert parse_nftables("") == ()


def test_iptables_on_top_of_nftables_is_called_iptables() -> None:
    """The mark is that of the table it stands ahead of, not of the next one."""
    assert parse_nftables(OVER_IPTABLES) == ("iptables",)
    assert parse_nftables(OVER_IPTABLES + DROPPING) == ("iptables", "nftables")


def test_iptables_counts_by_policy_and_by_chains_that_input_reaches() -> None:
    """Docker drops what passes through; that keeps nothing from arriving here."""
    assert parse_iptables("-P INPUT DROP\n-P FORWARD ACCEPT\n")
    assert parse_iptables("-P INPUT ACCEPT\n-A INPUT -j guard\n-A guard -p tcp -j REJECT --reject-with tcp-reset\n")
    assert not parse_iptables("-P INPUT ACCEPT\n-P FORWARD DROP\n-A DOCKER -i br0 -j DROP\n")
    assert not parse_iptables("-P INPUT ACCEPT\n-A INPUT -j loop\n-A loop -j INPUT\n-A loop -p tcp -j ACCEPT\n")


def test_ufw_is_on_by_its_file() -> None:
    """Only the assignment counts, not a comment."""
    assert parse_ufw_file("# x\nENABLED=yes\n")
    assert not parse_ufw_file("# ENABLED=yes\nENABLED=no\n")


def test_ufw_may_say_that_it_was_stopped(tmp_path: Path) -> None:
    """The file is about the next boot; where ufw may be asked, its word counts."""
    files = {"/etc/ufw/ufw.conf": ("ENABLED=yes",)}
    for index, (commands, root, expected) in enumerate(
        (
            ({"ufw status": Said(("Status: active",))}, True, ("ufw",)),
            ({"ufw status": Said(("Status: inactive",))}, True, ()),
            ({"ufw status": Said(("Status: inactive",))}, False, ("ufw",)),
            ({}, True, ("ufw",)),
        )
    ):
        host = RecordedHost(Recording(files, commands, root=root), tmp_path / str(index))
        assert read(host, ()) == expected


def test_a_manager_stands_for_its_own_rules(tmp_path: Path) -> None:
    """A firewalld is found by its process, and bare rules are not asked for then."""
    host = recorded("alma_conf_d", tmp_path)
    assert read(host, processes.read(host)) == ("firewalld",)
    assert host.asked == []


def test_asking_never_loads_a_kernel_module(tmp_path: Path) -> None:
    """The programs nft and iptables load their modules when asked, so they are asked only where loaded."""
    commands = {NFT: Said((DROPPING,)), "iptables -S": Said(("-P INPUT DROP",))}
    unloaded = RecordedHost(Recording({"/proc/modules": ("ext4 1 0",)}, commands), tmp_path / "a")
    assert (read(unloaded, ()), unloaded.asked) == ((), [])
    loaded = RecordedHost(Recording({**LOADED, "/proc/net/ip_tables_names": ("filter",)}, commands), tmp_path / "b")
    assert read(loaded, ()) == ("iptables", "nftables")
