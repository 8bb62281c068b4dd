"""How what runs set in SELinux and in firewalls is taken back."""

from __future__ import annotations

from typing import get_args

from palpo_installer.changes import AnyOperation, Unchanged
from palpo_installer.operations.base import State
from palpo_installer.operations.security import Setting, Withdraw
from palpo_installer.planning.scene import Scene, Way
from palpo_installer.planning.traces import Trace


def host_settings(traces: tuple[Trace, ...], scene: Scene) -> Way:
    """Return how each setting that no later run took back is taken back where it is still as it was left."""
    made: dict[str, tuple[type, Withdraw]] = {}
    for trace in traces:
        before = {key: str(value) for key, value in trace.found.items()}
        if isinstance(trace.operation, get_args(Setting)):
            made[before["path"]] = (type(trace.activation), Withdraw(trace.operation, before, trace.run))
        elif isinstance(trace.operation, Withdraw):
            made.pop(trace.operation.before["path"], None)
    operations: list[tuple[type, AnyOperation]] = []
    stays = []
    for subject, (taken_up_by, withdraw) in made.items():
        match withdraw.setting.state(scene.host, withdraw.before):
            case State.AFTER:
                operations.append((taken_up_by, withdraw))
            case State.OTHER:
                stays.append(Unchanged(subject, "was changed by somebody since, and stays as it is"))
            case State.BEFORE:
                continue
    return Way(tuple(operations), stays=tuple(stays))
