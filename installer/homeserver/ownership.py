"""Who may read palpo.toml: Palpo, and nobody else."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.palpo import Palpo


@dataclass(frozen=True)
class Owner:
    """Owner and mode of a file."""

    uid: int
    gid: int
    mode: int


def owner(palpo: Palpo) -> Owner:
    """Return who owns a new palpo.toml: Palpo's user, or we with its group, or we; never readable by all.

    Accounts are looked up on this host; numbers stand for themselves, as those of containers do.

    Raises:
        RefusedPlan: Palpo runs as an account that this host does not know, so it could not read the file.
    """
    group = _group(palpo.group) if palpo.group else None
    uid, own_group = _user(palpo.user) if palpo.user else (os.geteuid(), os.getegid())
    if uid == 0 and group:
        return Owner(0, group, 0o640)
    return Owner(uid, own_group if group is None else group, 0o600)


def _user(name: str) -> tuple[int, int]:
    """Return the number of a user and of its own group."""
    try:
        entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        if name.isdecimal():
            return int(name), int(name)
        raise _unknown("user", name) from None
    return entry.pw_uid, entry.pw_gid


def _group(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise _unknown("group", name) from None


def _unknown(kind: str, name: str) -> RefusedPlan:
    return RefusedPlan(
        f"Palpo runs as the {kind} {name}, which this host does not know",
        where="owner of palpo.toml",
        next=f"Create the {kind}, or make palpo.toml yourself: an existing file keeps its owner",
    )
