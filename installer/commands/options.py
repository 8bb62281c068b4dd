"""The options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

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


json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
yes_option = click.option("--yes", is_flag=True, help="Answer the plain confirmations with yes.")


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
