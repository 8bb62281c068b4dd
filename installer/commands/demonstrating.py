"""The demonstration as a command: by itself, or with a person at the wizard or the plain prompts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click

from palpo_installer import terminal
from palpo_installer.commands.options import yes_option
from palpo_installer.demo import requirements
from palpo_installer.demo.demonstration import Talk, demonstrate
from palpo_installer.demo.premises import Premises
from palpo_installer.demo.story import Story
from palpo_installer.host import Host
from palpo_installer.terminal import Mode

GREETING = (
    "The whole way on a made-up host: found, reviewed, applied, verified, repeated, failed, rolled back. nginx and "
    "palpo-installer are real; names and the homeserver are made up. No root, no domain, no network."
)


@click.command()
@yes_option
@click.option("--plain", is_flag=True, help="Plain prompts instead of the full screen.")
@click.option("--keep", is_flag=True, help="Keep the made-up host's files.")
@click.option("--install-nginx", "install", is_flag=True, help="Install nginx where it is missing, without asking.")
def demo(*, yes: bool, plain: bool, keep: bool, install: bool) -> int:
    """Go the whole way on a made-up host in a temporary directory; nothing else is changed."""
    mode = Mode.NONE if yes or without_input() else terminal.choose(terminal.look(), plain=plain)
    if mode is not Mode.NONE:
        terminal.connect(0, 1, 2)
    story = Story(click.echo)
    story.say(GREETING)
    agree = None if mode is Mode.NONE else _agree
    nginx = requirements.nginx(Host(), agree, click.echo, install=install)
    return demonstrate(nginx, story, talk(mode), _pause, keep=keep)


def without_input() -> bool:
    """Return whether standard input was given up on purpose: a terminal that could be opened is not wanted then."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(0), Path(os.devnull).stat())
    return True


def talk(mode: Mode) -> Talk | None:
    """Return the conversation that the terminal allows, None for none."""
    return {Mode.WIZARD: _by_wizard, Mode.PLAIN: _by_prompts}.get(mode)


def _by_wizard(premises: Premises) -> int:
    from palpo_installer.screens import app  # noqa: PLC0415 - only the wizard loads Textual

    return app.run(premises.host, premises.answers)


def _by_prompts(premises: Premises) -> int:
    from palpo_installer import plain  # noqa: PLC0415 - nor does anything else load these

    return plain.run(premises.host, premises.answers)


def _agree(question: str) -> bool:
    return click.confirm(question, default=True)


def _pause(prompt: str) -> None:
    """Wait for Enter; the end of the input is as good."""
    click.echo(f"   {prompt} ", nl=False)
    with suppress(EOFError):
        input()
