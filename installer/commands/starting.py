"""``palpo-installer`` without a command: the wizard, plain prompts, or a word on what to pass."""

from __future__ import annotations

from pathlib import Path

import click

from palpo_installer import plain, terminal
from palpo_installer.commands.options import require_history
from palpo_installer.host import Host
from palpo_installer.questions.resolution import folded
from palpo_installer.session import given
from palpo_installer.terminal import Mode


def start(host: Host, file: Path | None, settings: tuple[str, ...], *, plainly: bool) -> int:
    """Talk to the person in the way that the terminal allows; return the exit code.

    Raises:
        AnswersError: the answers to begin with cannot be used.
        NeedsRoot: there were earlier runs, which only root may read.
    """
    seen = terminal.look()
    mode = terminal.choose(seen, plain=plainly)
    if mode is Mode.NONE:
        click.echo(terminal.NO_TERMINAL, err=True)
        return 2
    require_history(host, "")
    raw = folded(given(host, file, settings))
    if mode is Mode.WIZARD:
        # Only the wizard loads Textual.
        from palpo_installer.screens.app import run  # noqa: PLC0415

        terminal.connect(0, 1, 2)
        return run(host, raw)
    terminal.connect(0, 1)
    if not plainly:
        click.echo(f"Plain prompts, since {terminal.limits(seen) or 'standard error is no terminal'}.")
    return plain.run(host, raw)
