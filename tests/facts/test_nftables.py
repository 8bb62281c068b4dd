from __future__ import annotations

from pathlib import Path

from palpo_installer.facts.nftables import parse, read
from tests.recorded import RecordedHost, Recording, Said

RULESET = """table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		tcp dport { 22, 80, 8000-8010 } accept
		ct state new tcp dport 443 counter accept
		tcp dport 8448 drop
		udp dport 53 accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
table ip nat {
	chain input {
		type nat hook input priority 100; policy accept;
	}
}
table inet firewalld {
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy drop;
	}
}
"""


def test_the_chain_and_what_it_lacks() -> None:
    """Its name as nft takes it, and the ports that no rule accepts; a manager's table is not somebody's own work."""
    (chain,) = parse(RULESET)
    assert chain.name == "inet filter input"
    assert chain.lacking((22, 80, 443, 8005, 8448, 53)) == (8448, 53)


def test_nft_is_asked_only_where_it_filters(tmp_path: Path) -> None:
    """Asking would load its module."""
    host = RecordedHost(Recording({}, {"nft list ruleset": Said(tuple(RULESET.splitlines()))}), tmp_path)
    assert read(host, ("ufw",)) == ()
    assert host.asked == []
    assert len(read(host, ("nftables",))) == 1
