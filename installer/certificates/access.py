"""Who may read a certificate and its key: root alone, unless the proxy reads them as an account of its own."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from palpo_installer.answers import CertificateFiles
from palpo_installer.layout import Layout


def way(layout: Layout, files: CertificateFiles) -> tuple[Path, ...]:
    """Return what of ours keeps others from a certificate that we ordered or issued, from the top down.

    Certbot makes its directories for root alone, those of a lineage and the certificates for everybody, and keys for
    root; a renewed key gets the group and the mode of the one before (certbot, "Changing the ownership of the files").
    """
    if files.key.is_relative_to(layout.acme):
        return (layout.etc, layout.acme, layout.acme / "live", layout.acme / "archive", files.key)
    if files.key.is_relative_to(layout.authority):
        return (layout.etc, layout.authority, files.key.parent, files.chain, files.key)
    return ()


def closed(path: Path, account: str) -> bool:
    """Return whether an account may not pass a directory, or not read a file; what is not there yet will be closed.

    Raises:
        KeyError: there is no such account.
    """
    entry = pwd.getpwnam(account)
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    groups = os.getgrouplist(account, entry.pw_gid)
    shift = 6 if status.st_uid == entry.pw_uid else 3 if status.st_gid in groups else 0
    wanted = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
    return not status.st_mode >> shift & wanted


def barrier(path: Path, account: str) -> Path | None:
    """Return the first directory or file on the way to a file that keeps an account out, None where it may read it."""
    whole = path.resolve()
    try:
        return next((each for each in (*reversed(whole.parents), whole) if closed(each, account)), None)
    except KeyError:
        return path


def group_of(account: str) -> str:
    """Return the group of an account.

    Raises:
        KeyError: there is none.
    """
    return grp.getgrgid(pwd.getpwnam(account).pw_gid).gr_name


def others(account: str) -> tuple[str, ...]:
    """Return the other accounts that have the group of an account, by their entries."""
    entry = pwd.getpwnam(account)
    primary = {each.pw_name for each in pwd.getpwall() if each.pw_gid == entry.pw_gid}
    return tuple(sorted({*primary, *grp.getgrgid(entry.pw_gid).gr_mem} - {account, "root"}))
