"""Where our files go in an nginx configuration: last, so that we never become a default server."""

from __future__ import annotations

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.base import File, Link
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.placement import Placement, available, enabled, last_directory


def installed(placement: Placement, name: str, text: str) -> tuple[tuple[File, ...], tuple[Link, ...]]:
    """Return a file, with the link that enables it where the distribution has it that way."""
    path = placement.path(name)
    # Debian's own link for its default site is absolute as well.
    return enabled(path, text, str(available(path.parent) / path.name))


def place(nginx: Nginx) -> Placement:
    """Return where our files go.

    Raises:
        RefusedPlan: the configuration includes no directory, or by a pattern that no name of ours fits.
    """
    if not nginx.includes:
        directory = nginx.configuration.parent / "conf.d"
        raise RefusedPlan(
            "nginx includes no directory of server blocks",
            where=str(nginx.configuration),
            next=f"Add as the last line inside http {{ … }}: include {directory}/*.conf; and run this again",
        )
    return last_directory(nginx, nginx.includes)
