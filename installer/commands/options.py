"""The options that several commands share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from palpo_installer.choices import ALL_EDITS, Choices
from palpo_installer.errors import NeedsRoot
from palpo_installer.host import Host

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def answers_options(command: Decorated) -> Decorated:
    """Add ``--answers`` and ``--set``."""
    file = click.option(
        "--answers",
        "file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The answers as a file; without it those of the last complete run.",
    )
    settings = click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One answer, over those of the file."
    )
    return file(settings(command))


EDITS = "What you changed by hand in files of ours stays (usual), or is given up; a copy is kept."
RENAMING = "Give up the server name in force, with its accounts and rooms, for that of the answers."

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
yes_option = click.option("--yes", is_flag=True, help="Answer the plain confirmations with yes.")


def choices_options(command: Decorated) -> Decorated:
    """Add what a person can choose for one run beside the answers; it reaches the command as ``choices``."""

    @click.option("--keep-edits/--overwrite-edits", "keep", default=True, help=EDITS)
    @click.option("--change-server-name", "renaming", is_flag=True, help=RENAMING)
    @functools.wraps(command)
    def with_choices(*arguments: Any, keep: bool, renaming: bool, **options: Any) -> Any:  # noqa: ANN401 - as click calls it
        choices = Choices(frozenset() if keep else ALL_EDITS, renaming)
        return command(*arguments, choices=choices, **options)

    return cast("Decorated", with_choices)


def require_root(host: Host, command: str) -> None:
    """Check that we may change the host.

    Raises:
        NeedsRoot: we may not.
    """
    if not host.is_root:
        raise NeedsRoot(f"{command} changes this host and needs root", next=f"Try: sudo palpo-installer {command}")


def require_history(host: Host, command: str) -> None:
    """Check that we see the earlier runs of this host, if there were any: root alone may read them.

    Raises:
        NeedsRoot: we do not, and would take our own files for somebody else's.
    """
    runs = host.layout.runs
    if host.status(runs) is not None and not os.access(runs, os.R_OK | os.X_OK):
        raise NeedsRoot(
            "the earlier runs on this host can be read by root only",
            next=f"Try: sudo palpo-installer {command}".rstrip(),
        )
