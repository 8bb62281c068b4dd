"""What SELinux and the firewall add to a plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import FirewallAnswer, Guards, SELinuxAnswer
from palpo_installer.changes import Plan
from palpo_installer.facts.firewalld import Firewalld, Zone
from palpo_installer.facts.nftables import InputChain
from palpo_installer.facts.ports import PortRange
from palpo_installer.facts.selinux import CONNECT, RELAY, Boolean, PortLabel
from palpo_installer.facts.ufw import Rule, Ufw
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.security import Setting, Withdraw
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.security import (
    NEEDLESS,
    NO_SEMANAGE,
    NOTHING,
    Needs,
    Share,
    firewall,
    guarding,
    selinux,
    withdrawals,
)
from palpo_installer.serialization import dump, load
from tests.planning.made import inputs_on

NEEDS = Needs((80,), (443, 8448), (8008,))
ALLOWED = Guards(SELinuxAnswer.ALLOW, FirewallAnswer.OPEN)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What a plan for the recorded AlmaLinux 9 is made from, with everything allowed."""
    found = inputs_on(tmp_path, {"federation.delegation": "srv"}, "alma_conf_d")
    return replace(found, answers=replace(found.answers, host=ALLOWED))


def leaving(inputs: Inputs) -> Inputs:
    """Return inputs where nothing was allowed."""
    return replace(inputs, answers=replace(inputs.answers, host=Guards()))


def looking(inputs: Inputs, **facts: object) -> Inputs:
    """Return inputs with other facts."""
    return replace(inputs, facts=replace(inputs.facts, **facts))  # type: ignore[arg-type]


def guarded_by(inputs: Inputs, *rules: Rule) -> Inputs:
    """Return inputs of a host with ufw alone."""
    return looking(inputs, firewalld=None, selinux=None, ufw=Ufw("deny", rules, ipv6=False))


def settings(plan: Plan) -> list[tuple[str, list[Setting]]]:
    """Return the settings of a plan by change."""
    made = [
        (change.title, [each for each in change.operations if isinstance(each, Setting)]) for change in plan.changes
    ]
    return [(title, operations) for title, operations in made if operations]


def test_what_selinux_lacks_is_set_and_nothing_else(inputs: Inputs) -> None:
    """The port for federation and the narrow boolean; 80, 443 and 8008 are the web's already."""
    (change,) = selinux(inputs, NEEDS).changes
    assert change.operations == (LabelPort(8448, "http_port_t", "unreserved_port_t", defined=False), SetBoolean(RELAY))


def test_the_policy_is_that_of_the_chosen_proxy(inputs: Inputs) -> None:
    """Not of whichever runs: a stopped nginx will be confined although an Apache that runs is not."""
    assert inputs.facts.selinux is not None
    running = replace(inputs.facts.selinux, running={"apache": "unconfined_service_t"})
    assert selinux(looking(inputs, selinux=running), NEEDS).changes == selinux(inputs, NEEDS).changes != ()
    unconfined = replace(running, running={"nginx": "unconfined_service_t"})
    assert selinux(looking(inputs, selinux=unconfined), NEEDS).changes == ()


def test_what_selinux_lacks_is_told_with_the_command(inputs: Inputs) -> None:
    """Without being asked nothing is set; the commands are those that would be run."""
    share = selinux(leaving(inputs), NEEDS)
    assert share.changes == ()
    label, boolean = share.findings
    assert label.endswith("yourself: semanage port --add -t http_port_t -p tcp 8448")
    assert boolean.endswith(
        f'status 502. Set host.selinux = "allow" to have it done, or do it yourself: setsebool -P {RELAY}=on'
    )


def test_a_policy_that_lets_is_left(inputs: Inputs) -> None:
    """With the reason; so is a host without SELinux, silently."""
    assert inputs.facts.selinux is not None
    policy = replace(
        inputs.facts.selinux,
        booleans=(Boolean(CONNECT, now=True, lasting=True),),
        labels=(*inputs.facts.selinux.labels, PortLabel("http_port_t", PortRange(8448, 8448), local=True)),
    )
    share = selinux(looking(inputs, selinux=policy), NEEDS)
    assert (share.changes, share.findings) == ((), ())
    assert [entry.subject for entry in share.unchanged] == ["SELinux"]
    assert selinux(looking(inputs, selinux=None), NEEDS).unchanged == ()


def test_a_port_with_an_entry_of_its_own_is_modified(inputs: Inputs) -> None:
    """Because semanage refuses to add what is defined, be it by the policy."""
    (change,) = selinux(inputs, Needs((80,), (8000,), ())).changes
    assert change.operations == (LabelPort(8000, "http_port_t", "soundd_port_t", defined=True),)


def test_a_range_that_somebody_labelled_is_left(inputs: Inputs) -> None:
    """No single port of it can have another type; that is told, and nothing is tried."""
    assert inputs.facts.selinux is not None
    label = PortLabel("mine_t", PortRange(8440, 8450), local=True)
    policy = replace(inputs.facts.selinux, labels=(label, *inputs.facts.selinux.labels))
    share = selinux(looking(inputs, selinux=policy), replace(NEEDS, upstream=()))
    assert (share.changes, share.unchanged) == ((), ())
    assert "8440-8450 mine_t" in share.findings[0]


def test_without_semanage_a_label_is_an_obstacle(inputs: Inputs) -> None:
    """Only where it was asked for; a boolean needs no semanage."""
    assert inputs.facts.selinux is not None
    bare = looking(inputs, selinux=replace(inputs.facts.selinux, managed=False))
    assert selinux(bare, NEEDS).obstacles == (NO_SEMANAGE,)
    assert selinux(leaving(bare), NEEDS).obstacles == ()
    (change,) = selinux(bare, replace(NEEDS, secure=(443,))).changes
    assert change.operations == (SetBoolean(RELAY),)


@pytest.mark.parametrize(
    ("label", "told"), [("var_lib_t", False), ("httpd_sys_content_t", False), ("admin_home_t", True), ("", False)]
)
def test_a_webroot_that_the_proxy_may_not_read_is_told(inputs: Inputs, label: str, told: bool) -> None:
    """As after moving the directory there from somewhere else; /var/lib itself may be read."""
    assert inputs.facts.selinux is not None
    share = selinux(looking(inputs, selinux=replace(inputs.facts.selinux, webroot=label)), NEEDS)
    assert any("restorecon -R" in finding for finding in share.findings) == told


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
    closing, releasing = withdrawals(made, NOTHING)
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
