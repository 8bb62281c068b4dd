"""The package manager of a distribution: which one it is, and what to type where it is not driven by us."""

from __future__ import annotations

from collections.abc import Mapping

from palpo_installer.host import Host
from palpo_installer.packages.catalogue import OFFERS, Offer

BY_HAND: Mapping[str, tuple[str, ...]] = {
    "apt-get": ("apt-get", "install"),
    "dnf": ("dnf", "install"),
    "apk": ("apk", "add"),
    "zypper": ("zypper", "install"),
    "pacman": ("pacman", "-S"),
}
"""How a package is installed by hand, by the program of the manager, in the order in which they are looked for."""

DRIVEN = "apt-get"
"""The one that was tried with this program; the others print their command."""


def manager_of(host: Host) -> str:
    """Return the program of this host's package manager, empty for none that is known."""
    return next((program for program in BY_HAND if host.which(program) is not None), "")


def by_hand(manager: str, offer: Offer) -> str:
    """Return the command that installs a proxy; a way to look for one where the manager is not known."""
    if manager not in offer.names:
        return f"your distribution's way to install {offer.title}"
    return " ".join((*BY_HAND[manager], offer.names[manager]))


def how_to_install(host: Host, kind: str) -> str:
    """Return what a person can do where a proxy is not installed."""
    offer, manager = next((each for each in OFFERS if each.kind == kind), None), manager_of(host)
    if offer is None:
        return f"Install {kind} yourself, then plan again"
    ours = f"To have it installed first: palpo-installer apply --install-proxy {kind}. " if manager == DRIVEN else ""
    return f"{ours}To install it yourself: {by_hand(manager, offer)}"
