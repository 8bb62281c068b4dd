"""The engine of a run that is attacked: what an attack does to it beside its system calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from palpo_installer.changes import AnyActivation
from palpo_installer.engine.run import Run
from palpo_installer.host import Command, Completed, Host
from palpo_installer.operations.base import Json
from tests.lab.attacked_changes import waiting
from tests.lab.attacked_kinds import Kind
from tests.lab.attacked_proxies import is_command

IN_VAIN = 3.0
"""Seconds of waiting for right answers that cannot come; nginx itself tries a port that is taken for 2.5."""

HUNG = 1.0
"""Seconds for a command that hangs, counted from the moment in which it has started."""

Act = Callable[[], Json | None]


def break_down(kind: Kind, step: str) -> None:
    """Let the act of one step, which is of this kind, raise what nobody thought of, when its work is done."""
    name = "activate" if hasattr(kind, "activate") else "act"
    act: Callable[..., object] = getattr(kind, name)
    performed = _alter(step, lambda performing: performing)

    def broken(*arguments: object) -> object:
        result = act(*arguments)
        if performed():
            raise RuntimeError("nobody thought of this")
        return result

    setattr(kind, name, broken)


def hasten(step: str, hung: tuple[str, str] | None) -> None:
    """Let an activation have little patience, since what it waits for cannot come about.

    What else a run waits for, that of the way back too, has all the time that the plan gives it.

    Args:
        step: the activation.
        hung: program and a word of the command that hangs there, None where none does.
    """
    run = Host.run
    performed = _alter(step, _impatient)

    def run_shortly(host: Host, command: Command) -> Completed:
        hangs = hung is not None and performed() and is_command(hung, command.argv)
        return run(host, replace(command, timeout=HUNG) if hangs else command)

    setattr(Host, "run", run_shortly)  # noqa: B010


def _impatient(act: Act) -> Act:
    """Return the act of an activation with little patience."""
    assert isinstance(act, partial)
    activation: AnyActivation = act.func.__self__  # type: ignore[attr-defined]
    return partial(waiting(activation, patience=IN_VAIN).activate, *act.args)


def _alter(step: str, altered: Callable[[Act], Act]) -> Callable[[], bool]:
    """Alter the act of a step; return what says whether it is being performed."""
    perform: Callable[..., None] = Run._perform
    now = ""

    def performing(run: Run, number: str, title: str, act: Act) -> None:
        nonlocal now
        now = number
        try:
            perform(run, number, title, altered(act) if number == step else act)
        finally:
            now = ""

    setattr(Run, "_perform", performing)  # noqa: B010
    return lambda: now == step
