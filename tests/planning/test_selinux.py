"""What SELinux adds to a plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.facts.ports import PortRange
from palpo_installer.facts.selinux import CONNECT, RELAY, Boolean, PortLabel
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.needs import Needs
from palpo_installer.planning.selinux import NO_SEMANAGE, selinux
from tests.planning.guarded import NEEDS, allowing, leaving, looking


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """What a plan for the recorded AlmaLinux 9 is made from, with everything allowed."""
    return allowing(tmp_path)


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
