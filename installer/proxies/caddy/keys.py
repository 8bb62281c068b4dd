"""Whether Caddy may read a certificate's files: packages run it as an account of its own."""

from __future__ import annotations

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates.access import barrier, way
from palpo_installer.errors import RefusedPlan
from palpo_installer.layout import Layout

ROOT = frozenset({"", "root"})


def refuse_unreadable(files: CertificateFiles, user: str, layout: Layout) -> None:
    """Refuse a certificate that Caddy may not read: it would keep its old configuration, or not start at all.

    Args:
        files: chain and key; to those that are ours the plan lets it get.
        user: the account that Caddy runs as.
        layout: where those are.

    Raises:
        RefusedPlan: with the file or directory that keeps it out.
    """
    ours = way(layout, files)
    for path in (layout.etc.parent,) if ours else (files.chain, files.key):
        closed = None if user in ROOT else barrier(path, user)
        if closed is not None:
            raise RefusedPlan(
                f"Caddy runs as {user}, which may not read this key or certificate",
                where=str(closed),
                next=f"Bring certificates that {user} may read, e.g. by its group (certificates.method = files), or "
                "choose another proxy",
            )
