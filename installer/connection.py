"""Whether the person sits before the host, or could lose the way to it by what is changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import psutil

SIGNS = ("SSH_CONNECTION", "SSH_TTY")
"""What sshd puts into the environment of a session (sshd(8), ssh(1))."""

SERVERS = frozenset({"sshd", "sshd-session", "dropbear"})
"""Names of processes that a session over SSH descends from; sshd-session since OpenSSH 9.8."""


def over_ssh(environment: Mapping[str, str], ancestors: Sequence[str]) -> bool:
    """Return whether a process runs in a session over SSH.

    Args:
        environment: its variables; sudo takes those of SSH away (sudoers(5), env_reset).
        ancestors: names of the processes that it descends from.
    """
    return any(environment.get(sign) for sign in SIGNS) or not SERVERS.isdisjoint(ancestors)


def is_remote() -> bool:
    """Return whether this process runs in a session over SSH."""
    return over_ssh(os.environ, _ancestors())


def _ancestors() -> list[str]:
    try:
        return [process.name() for process in psutil.Process().parents()]
    except psutil.Error:
        return []
