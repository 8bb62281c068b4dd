"""The rule for ``[[listeners]]``: the address from the answers is there, the person's other ones stay."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, MutableSequence
from typing import TypeVar

from palpo_installer.errors import RefusedPlan
from palpo_installer.homeserver.reading import FILE

Listener = TypeVar("Listener", bound=MutableMapping[str, object])

DEFAULT = "0.0.0.0:8008"
"""What Palpo listens on when the file names no address: not what anybody chose."""


def overlap(first: str, second: str) -> bool:
    """Return whether two addresses cannot be bound at once (Linux: ``::`` takes IPv4 as well)."""
    (first_host, first_port), (second_host, second_port) = _split(first), _split(second)
    hosts = {first_host, second_host}
    if first_port != second_port:
        return False
    if "0.0.0.0" in hosts:  # noqa: S104
        return "::" in hosts or not any(":" in host for host in hosts)
    return len(hosts) == 1 or "::" in hosts or ("localhost" in hosts and bool(hosts & {"127.0.0.1", "::1"}))


def place(listeners: MutableSequence[Listener], address: str, new: Callable[[str], Listener], former: str = "") -> None:
    """Bring ``address`` into the listeners, in place of the default and of what it cannot be bound beside.

    Args:
        listeners: the tables as they are; other keys in them stay.
        address: ``host:port``, taken as given: in a container it is a wildcard and stays one.
        new: makes a table for an address.
        former: an address that we brought in earlier and that gives way, empty for none.

    Raises:
        RefusedPlan: the listener in the way speaks TLS, and a proxy talks plain HTTP to Palpo.
    """
    taken = [number for number, listener in enumerate(listeners) if _gives_way(listener, address, former)]
    exact = [number for number in taken if listeners[number].get("address") == address]
    for number in taken:
        if _speaks_tls(listeners[number]):
            raise RefusedPlan(
                f"the listener {_address(listeners[number])} speaks TLS, but the proxy talks plain HTTP to Palpo",
                where=f"{FILE}, [[listeners]] number {number + 1}",
                next="Remove its [listeners.tls], or choose another address for homeserver.listen",
            )
    if not taken:
        listeners.append(new(address))
        return
    keep = (exact or taken)[0]
    if not exact:
        listeners[keep]["address"] = address
    for number in reversed(taken):
        if number != keep:
            del listeners[number]


def _gives_way(listener: MutableMapping[str, object], address: str, former: str) -> bool:
    own = _address(listener)
    return overlap(own, address) or (own in {DEFAULT, former} and not _speaks_tls(listener))


def _address(listener: MutableMapping[str, object]) -> str:
    return str(listener.get("address", DEFAULT))


def _speaks_tls(listener: MutableMapping[str, object]) -> bool:
    tls = listener.get("tls")
    return isinstance(tls, MutableMapping) and bool(tls.get("enable", True))


def _split(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.strip("[]").lower(), port
