"""Whether Caddy may read a certificate's files: packages run it as an account of its own."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from palpo_installer.answers import CertificateFiles
from palpo_installer.errors import RefusedPlan

ROOT = frozenset({"", "root"})


def refuse_unreadable(files: CertificateFiles, user: str) -> None:
    """Refuse a certificate that Caddy may not read: it would keep its old configuration, or not start at all.

    Args:
        files: chain and key; those that are yet to be ordered will be root's.
        user: the account that Caddy runs as.

    Raises:
        RefusedPlan: with the file or directory that keeps it out.
    """
    for path in (files.chain, files.key):
        closed = None if user in ROOT else barrier(path, user)
        if closed is not None:
            raise RefusedPlan(
                f"Caddy runs as {user}, which may not read this key or certificate",
                where=str(closed),
                next=f"Bring certificates that {user} may read, e.g. by its group (certificates.method = files), or "
                "choose another proxy",
            )


def barrier(path: Path, user: str) -> Path | None:
    """Return the first directory or file on the way to a file that keeps an account out, None where it may read it."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return path
    groups = os.getgrouplist(user, account.pw_gid)
    whole = path.resolve()
    for each in (*reversed(whole.parents), whole):
        try:
            status = each.stat()
        except OSError:
            return each
        shift = 6 if status.st_uid == account.pw_uid else 3 if status.st_gid in groups else 0
        wanted = 0o1 if stat.S_ISDIR(status.st_mode) else 0o4
        if not status.st_mode >> shift & wanted:
            return each
    return None
