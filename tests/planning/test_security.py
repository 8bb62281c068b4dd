"""What SELinux and the firewall add to a plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.changes import Plan
from palpo_installer.facts.firewalld import Firewalld, Zone
from palpo_installer.facts.nftables import InputChain
from palpo_installer.facts.ports import PortRange
from palpo_installer.facts.selinux import CONNECT, RELAY
from palpo_installer.operations.security import Setting, Withdraw
from palpo_installer.operations.selinux import SetBoolean
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.needs import Needs
from palpo_installer.planning.security import NEEDLESS, guarding, withdrawals
from palpo_installer.planning.shares import Share
from palpo_installer.serialization import dump, load
from tests.planning.guarded import ALLOWED, NEEDS, allowing, looking
from tests.planning.made import inputs_on


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What a plan for the recorded AlmaLinux 9 is made from, with everything allowed."""
    return allowing(tmp_path)


def settings(plan: Plan) -> list[tuple[str, list[Setting]]]:
    """Return the settings of a plan by change."""
    made = [
        (change.title, [each for each in change.operations if isinstance(each, Setting)]) for change in plan.changes
    ]
    return [(title, operations) for title, operations in made if operations]


def test_bare_rules_are_named_and_never_edited(inputs: Inputs) -> None:
    """The chain, the ports that it lacks, and the line; for iptables, which we do not read so closely, a hint."""
    chain = InputChain("inet filter input", (PortRange(443, 443),))
    nobody = looking(inputs, firewalld=None, selinux=None, chains=(chain,))
    found = guarding(nobody, NEEDS)
    assert found.plain.changes == found.secure.changes == ()
    assert "nft insert rule inet filter input tcp dport { 80, 8448 } accept" in found.findings[0]
    system = replace(nobody.facts.system, firewalls=("iptables",))
    (hint,) = guarding(looking(nobody, chains=(), system=system), NEEDS).findings
    assert "--dports 80,443,8448 -j ACCEPT" in hint


def test_ports_are_opened_when_the_proxy_listens_and_labels_come_first(tmp_path: Path) -> None:
    """The order of the whole plan: SELinux, plain HTTP, its port, orders, TLS, its ports; and it travels as JSON."""
    inputs = inputs_on(tmp_path, {"federation.delegation": "srv"}, "nginx_stopped")
    alma = inputs_on(tmp_path / "alma", None, "alma_conf_d").facts
    inputs = replace(
        inputs,
        answers=replace(inputs.answers, host=ALLOWED),
        facts=replace(inputs.facts, selinux=alma.selinux, firewalld=Firewalld((Zone("public", "default", (), ()),))),
    )
    plan = make(inputs)
    titles = [change.title for change in plan.changes]
    order = [
        "SELinux lets the proxy do its work",
        "plain HTTP",
        "the firewall lets port 80 in",
        "a certificate",
        "HTTPS on",
        "the firewall lets ports 443",
    ]
    places = [next(index for index, title in enumerate(titles) if part in title) for part in order]
    assert places == sorted(places)
    assert [len(operations) for _, operations in settings(plan)] == [2, 2, 4]
    assert load(dump(plan), Plan) == plan


def in_force(inputs: Inputs, *made: tuple[Setting, dict[str, str]]) -> Inputs:
    """Return inputs of a host where run 0001 made settings."""
    return replace(inputs, in_force=tuple(Withdraw(setting, before, "0001") for setting, before in made))


def test_what_is_needed_no_more_is_taken_back_while_it_is_ours(inputs: Inputs) -> None:
    """The port of a federation that was given up, before TLS changes; what is needed stays."""
    was = {"path": "ufw, port 8448/tcp", "ipv4": "no", "ipv6": "no"}
    rules = inputs.layout.at("/etc/ufw/user.rules")
    rules.parent.mkdir(parents=True)
    made = in_force(inputs, (AllowUfwPort(443), was | {"path": "443"}), (AllowUfwPort(8448), was))
    without = replace(NEEDS, secure=(443,))
    assert guarding(made, without).closing.changes == ()
    rules.write_text("### tuple ### allow tcp 8448 0.0.0.0/0 any 0.0.0.0/0 in\n")
    (change,) = guarding(made, without).closing.changes
    assert (change.title, change.operations) == (NEEDLESS, (made.in_force[1],))
    assert guarding(made, NEEDS).closing.changes == ()
    closing, releasing = withdrawals(made, Needs((), (), ()))
    assert [change.operations for change in closing.changes] == [(made.in_force[1],)]
    assert releasing == Share()


def test_a_boolean_is_needed_while_nothing_else_would_do(inputs: Inputs) -> None:
    """The wide one is given back when the upstream has a port of the web again, and it is still on."""
    policy = inputs.facts.selinux
    assert policy is not None
    on = tuple(replace(each, now=True, lasting=True) if each.name == CONNECT else each for each in policy.booleans)
    both = tuple(
        replace(each, now=True, lasting=True) if each.name in {CONNECT, RELAY} else each for each in policy.booleans
    )
    was = {"path": f"SELinux boolean {CONNECT}", "now": "off", "lasting": "off"}
    made = in_force(looking(inputs, selinux=replace(policy, booleans=on)), (SetBoolean(CONNECT), was))
    assert guarding(made, NEEDS).releasing.changes == ()
    # On this recorded host it is off by now, so that there is nothing to take back.
    assert guarding(looking(made, selinux=replace(policy, booleans=both)), NEEDS).releasing.changes == ()
    inputs.host.recording = replace(  # type: ignore[attr-defined]
        inputs.host.recording,  # type: ignore[attr-defined]
        files={**inputs.host.recording.files, f"/sys/fs/selinux/booleans/{CONNECT}": ("1 1",)},  # type: ignore[attr-defined]
    )
    (change,) = guarding(looking(made, selinux=replace(policy, booleans=both)), NEEDS).releasing.changes
    assert change.operations == made.in_force
    assert (
        guarding(
            looking(made, selinux=replace(policy, booleans=both)), replace(NEEDS, upstream=(6167,))
        ).releasing.changes
        == ()
    )
