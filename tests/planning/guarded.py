"""Hosts with SELinux and firewalls, and what is allowed there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer.answers import FirewallAnswer, Guards, SELinuxAnswer
from palpo_installer.facts.ufw import Rule, Ufw
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.needs import Needs
from tests.planning.made import inputs_on

NEEDS = Needs((80,), (443, 8448), (8008,))
ALLOWED = Guards(SELinuxAnswer.ALLOW, FirewallAnswer.OPEN)


def allowing(tmp_path: Path) -> Inputs:
    """Return what a plan for the recorded AlmaLinux 9 is made from, with everything allowed."""
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
