"""nginx for the demonstration: where it is, and how this distribution installs it, never without being told to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from palpo_installer.errors import AnswersError, HostError
from palpo_installer.host import SEARCH_PATH, Host

Command = tuple[str, ...]
Say = Callable[[str], None]

MANAGERS: dict[str, tuple[Command, ...]] = {
    "apt-get": (("apt-get", "update"), ("apt-get", "install", "--yes", "--no-install-recommends", "nginx")),
    "dnf": (("dnf", "install", "--assumeyes", "nginx"),),
    "zypper": (("zypper", "--non-interactive", "install", "nginx"),),
    "apk": (("apk", "add", "nginx"),),
    "pacman": (("pacman", "-S", "--noconfirm", "nginx"),),
}
"""By package manager, the commands that install nginx."""

NOTE = "The package may start a service of its own on port 80; the demonstration does not use it."


def nginx(host: Host, agree: Callable[[str], bool] | None, say: Say, *, install: bool) -> Path:
    """Return nginx's program, installed first where it is missing and that is wished.

    Args:
        host: this machine.
        agree: asks the person, None where there is nobody to ask.
        say: prints a line.
        install: whether it may be installed without asking.

    Raises:
        AnswersError: it is missing and stays so; says what to install.
        HostError: it could not be installed.
    """
    found = host.which("nginx")
    if found is not None:
        return found
    commands = installing(host, asked=agree is not None)
    if not commands:
        raise AnswersError(MISSING, next="Install its package nginx, then run this again")
    words = " && ".join(" ".join(command) for command in commands)
    if not install:
        say(f"{MISSING[0].upper()}{MISSING[1:]}. This installs it: {words}")
        say(NOTE)
        if agree is None or not agree("Install it now?"):
            raise AnswersError(MISSING, next=f"Run: {words}; or as root this again with --install-nginx")
    for command in commands:
        _run(command, say)
    installed = host.which("nginx")
    if installed is None:
        raise HostError("nginx is not there, though its package was installed", where=words)
    return installed


MISSING = "nginx is not installed, and the demonstration runs the real one"


def installing(host: Host, *, asked: bool) -> tuple[Command, ...]:
    """Return the commands that install nginx here, none where no package manager is known.

    ``asked`` is whether somebody is there to type a password.
    """
    manager = next((name for name in MANAGERS if host.which(name)), "")
    return tuple((*_as_root(host, asked=asked), *command) for command in MANAGERS.get(manager, ()))


def _as_root(host: Host, *, asked: bool) -> Command:
    if os.geteuid() == 0:
        return ()
    helper = next((name for name in ("sudo", "doas") if host.which(name)), "")
    return (helper, *(() if asked else ("-n",))) if helper else ()


def _run(command: Command, say: Say) -> None:
    """Run a command whose output, and questions, are the person's to see."""
    say(f"Running: {' '.join(command)}")
    environment = {**os.environ, "PATH": SEARCH_PATH, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        status = subprocess.run(command, check=False, env=environment).returncode
    except OSError as error:
        raise HostError(f"cannot be started: {error.strerror}", where=command[0]) from error
    if status != 0:
        raise HostError(f"ended with status {status}, so nginx is not installed", where=" ".join(command))
