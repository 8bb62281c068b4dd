"""``palpo-installer`` without a command: the wizard, plain prompts, or a word on what to pass."""

from __future__ import annotations

from pathlib import Path

import click

from palpo_installer import terminal
from palpo_installer.commands.options import require_history
from palpo_installer.host import Host
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
    raw = answers_so_far(host, file, settings)
    if mode is Mode.WIZARD:
        from palpo_installer.screens import app  # noqa: PLC0415 - only the wizard loads Textual

        return app.run(host, raw, terminal.connect(0, 1, 2))
    from palpo_installer import plain  # noqa: PLC0415 - the wizard's first frame does not wait for it

    terminal.connect(0, 1)
    if not plainly:
        click.echo(f"Plain prompts, since {terminal.limits(seen) or 'standard error is no terminal'}.")
    return plain.run(host, raw)


def answers_so_far(host: Host, file: Path | None, settings: tuple[str, ...]) -> dict[str, object]:
    """Return the answers to begin with; a host that has none does not wait for what would read them.

    Raises:
        AnswersError: they cannot be used.
    """
    if file is None and not settings and host.status(host.layout.answers) is None:
        return {}
    from palpo_installer.questions.resolution import folded  # noqa: PLC0415
    from palpo_installer.session import given  # noqa: PLC0415

    return folded(given(host, file, settings))
