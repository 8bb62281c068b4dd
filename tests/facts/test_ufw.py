from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.facts.ufw import parse, read
from tests.recorded import RecordedHost, Recording, Said

STATUS = """Status: active
Logging: on (low)
Default: deny (incoming), allow (outgoing), disabled (routed)
New profiles: skip

To                         Action      From
--                         ------      ----
8448/tcp                   ALLOW IN    Anywhere
80,443/tcp (Nginx Full)    ALLOW IN    Anywhere
9000:9010/tcp              DENY IN     Anywhere
9005/tcp                   ALLOW IN    Anywhere
22/tcp                     LIMIT IN    Anywhere
5432/tcp                   ALLOW IN    10.0.0.0/8
99 on lo                   ALLOW IN    Anywhere
53                         ALLOW IN    Anywhere                   # names
7000/udp                   ALLOW IN    Anywhere
7001/tcp                   ALLOW IN    Anywhere
192.0.2.7 7003/tcp         ALLOW IN    Anywhere
7004/tcp                   ALLOW OUT   Anywhere
80,443/tcp (Nginx Full (v6)) ALLOW IN    Anywhere (v6)
8448/tcp (v6)              ALLOW IN    Anywhere (v6)
22/tcp (v6)                LIMIT IN    Anywhere (v6)
53 (v6)                    ALLOW IN    Anywhere (v6)              # names
"""


@pytest.mark.parametrize(
    ("port", "verdict"),
    [
        (8448, "open"),
        (80, "open"),
        (443, "open"),
        (53, "open"),
        (9005, "refused"),
        (22, "limited"),
        (5432, "closed"),
        (99, "closed"),
        (7000, "closed"),
        (7001, "closed"),
        (7003, "closed"),
        (7004, "closed"),
    ],
)
def test_what_happens_to_a_port(port: int, verdict: str) -> None:
    """The first rule about everybody decides, for both families; rules for some only open a port to nobody else."""
    assert parse(STATUS, ipv6=True).verdict(port) == verdict


def test_a_family_without_rules_is_left_out() -> None:
    """Where ufw is told to leave IPv6 alone, its rules for IPv4 decide."""
    assert parse(STATUS, ipv6=False).verdict(7001) == "open"


def test_a_firewall_that_lets_in_by_default() -> None:
    """Then only a rule closes a port."""
    lenient = parse(STATUS.replace("deny (incoming)", "allow (incoming)"), ipv6=True)
    assert (lenient.verdict(7001), lenient.verdict(9005)) == ("open", "refused")
    everything = parse(STATUS.replace("8448/tcp  ", "Anywhere  ", 1), ipv6=False)
    assert everything.verdict(9005) == "open"


def test_it_is_asked_as_root_and_where_it_is_active(tmp_path: Path) -> None:
    """The setting for IPv6 is read too."""
    files = {"/etc/default/ufw": ("IPV6=no",)}
    commands = {"ufw status verbose": Said(tuple(STATUS.splitlines()))}
    notes: list[str] = []
    found = read(RecordedHost(Recording(files, commands), tmp_path), True, notes.append)
    assert found is not None
    assert (found.ipv6, found.incoming) == (False, "deny")
    assert read(RecordedHost(Recording({}, commands), tmp_path), False, notes.append) is None
    assert notes == []
    assert read(RecordedHost(Recording({}, commands, root=False), tmp_path), True, notes.append) is None
    assert notes == ["ufw is active and does not tell what it lets in; it needs root."]
