"""What the host's firewall adds to a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.facts.firewalld import Firewalld, Zone
from palpo_installer.facts.ports import PortRange
from palpo_installer.facts.ufw import Rule
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.planning.firewalls import firewall
from palpo_installer.planning.inputs import Inputs
from tests.planning.guarded import allowing, guarded_by, leaving, looking


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What a plan for the recorded AlmaLinux 9 is made from, with everything allowed."""
    return allowing(tmp_path)


def test_only_the_missing_half_of_a_port_is_opened_in_firewalld(inputs: Inputs) -> None:
    """80 is open until a reload; 443 not at all; zone by zone."""
    (change,) = firewall(inputs, (80, 443)).changes
    assert change.operations == (
        OpenFirewalldPort("public", 80, "permanent"),
        OpenFirewalldPort("public", 443, "now"),
        OpenFirewalldPort("public", 443, "permanent"),
    )
    zone = Zone("trusted", "ACCEPT", (), ())
    share = firewall(looking(inputs, firewalld=Firewalld((zone,))), (80, 443))
    assert share.changes == ()
    assert share.unchanged[0].reason == "lets ports 80 and 443 in"


def test_a_closed_port_is_told_with_the_commands(inputs: Inputs) -> None:
    """Also that a port is open until a reload only."""
    share = firewall(leaving(inputs), (80, 443))
    assert share.changes == ()
    assert [finding.partition("yourself: ")[2] for finding in share.findings] == [
        "firewall-cmd --permanent --zone=public --add-port=80/tcp",
        "firewall-cmd --zone=public --add-port=443/tcp",
        "firewall-cmd --permanent --zone=public --add-port=443/tcp",
    ]


def test_ufw_lets_in_what_no_rule_is_about(inputs: Inputs) -> None:
    """A rule that somebody made for a port stays, and is told."""
    closed, limited = Rule("DENY", (PortRange(443, 443),), ipv6=False), Rule("LIMIT", (PortRange(80, 80),), ipv6=False)
    share = firewall(
        guarded_by(inputs, closed, limited, Rule("ALLOW", (PortRange(22, 22),), ipv6=False)), (80, 443, 8448, 22)
    )
    assert [change.operations for change in share.changes] == [(AllowUfwPort(8448),)]
    assert [entry.reason for entry in share.unchanged] == ["lets port 22 in"]
    assert [finding.partition(":")[0] for finding in share.findings] == ["Port 80", "Port 443"]
