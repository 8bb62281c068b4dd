"""Does every name that is served have addresses, and are they this machine's?"""

from __future__ import annotations

import ipaddress

from palpo_installer.verify.report import Check, cannot_tell, failed, passed
from palpo_installer.verify.resolution import is_literal
from palpo_installer.verify.view import View

NAME = "name"


def check_names(view: View) -> tuple[Check, ...]:
    """Return a check for each name that clients and other servers look up."""
    names = dict.fromkeys(endpoint.name for endpoint in view.endpoints)
    return tuple(_check(view, name) for name in names if not is_literal(name))


def _check(view: View, name: str) -> Check:
    found = view.lookup(name)
    if found.problem:
        return cannot_tell(
            NAME,
            name,
            f"DNS could not be asked for {name}: {found.problem}.",
            "Look at the name servers of the domain and at this machine's resolver, then run verify again.",
        )
    if not found.addresses:
        return failed(NAME, name, f"{name} has no address in DNS.", _missing(view, name))
    alias = f" is an alias of {found.alias} and" if found.alias else ""
    return passed(NAME, name, f"{name}{alias} has {_addresses(view, found.addresses)}.")


def _missing(view: View, name: str) -> str:
    ours = sorted(address for address in view.own if ipaddress.ip_address(address).is_global)
    if name == view.website.name and not view.website.ours:
        return f"Publish A and AAAA records for {name} that lead to its website."
    lines = [f"{name}. 3600 IN {'AAAA' if ':' in address else 'A'} {address}" for address in ours]
    known = "\n".join(["Publish its addresses in DNS; this machine has:", *lines])
    return known if lines else f"Publish A and AAAA records for {name} with this machine's public addresses."


def _addresses(view: View, addresses: tuple[str, ...]) -> str:
    own = [address for address in addresses if view.is_own(address)]
    others = [address for address in addresses if not view.is_own(address)]
    parts = []
    if own:
        parts.append(f"{', '.join(own)} (this machine)")
    if others:
        parts.append(f"{', '.join(others)} (another machine, or a router in front of this one)")
    return " and ".join(parts)
