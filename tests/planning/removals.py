"""A recorded host whose files runs really wrote, and the removal that is planned there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from palpo_installer.changes import Change, Plan
from palpo_installer.operations.files import WriteFile
from palpo_installer.operations.paths import state_of
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.scene import Scene
from palpo_installer.secret import Text
from palpo_installer.session import scene_of
from tests.planning.made import again, carry_out, without_activations
from tests.trees import tree


def applied(inputs: Inputs, plan: Plan | None = None) -> None:
    """Apply the plan for the answers, or another one, to the files."""
    carry_out(without_activations(plan or make(again(inputs))), inputs)


def scene(inputs: Inputs, kept_edits: Path | None = None) -> Scene:
    """Return what a removal on that host is planned from, with the facts of the inputs."""
    return replace(scene_of(inputs.host, kept_edits), facts=inputs.facts)


def write(path: Path, text: str) -> Plan:
    """Return a plan that writes one file, as it stands now."""
    operation = WriteFile(path, Text(text), 0o600, os.geteuid(), os.getegid(), state_of(path).sha256)
    return Plan((), (Change("a file", (operation,)),), (), (), ())


def outside(inputs: Inputs) -> Mapping[str, object]:
    """Return the tree of the host without what is never taken back."""
    stays = ("var/lib/palpo-installer", "etc/palpo-installer/keys", "etc/palpo-installer/self-signed")
    return {
        path: state
        for path, state in tree(inputs.layout.root).items()
        if not path.startswith(stays) and path not in {"etc/palpo-installer", "var/lib", "var"}
    }


def stays(plan: Plan) -> dict[str, str]:
    """Return what stays, with the reasons."""
    return {each.subject: each.reason for each in plan.unchanged}
