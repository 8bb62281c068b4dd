"""Installing a proxy, as a step of its own before a plan: what it would bring, the consent, the work, the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.engine import lock
from palpo_installer.errors import HostError, Interrupted, RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.host import Command, Host
from palpo_installer.packages import apt, ledger
from palpo_installer.packages.catalogue import OFFERS, Offer
from palpo_installer.packages.ledger import Installation, Ledger
from palpo_installer.packages.managers import DRIVEN, by_hand, manager_of
from palpo_installer.packages.policy import lift, nothing_started
from palpo_installer.packages.streaming import Streamed, stream

LIMIT = 900.0
"""Seconds for fetching and unpacking; a slow line brings a few megabytes in that."""

PATIENCE = 300.0
"""Seconds to wait for another program that holds the lock on the packages."""

AGAIN = "try again"


@dataclass(frozen=True)
class Preview:
    """What an installation would do.

    Attributes:
        offer: the proxy.
        command: what is run, or what to type where we do not run it.
        packages: what would come.
        refused: why it is not done by us, empty when it can be.
        holders: who has a port that the proxy would need, in words.
    """

    offer: Offer
    command: str
    packages: tuple[str, ...]
    refused: str
    holders: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield it in sentences, for the consent."""
        title = self.offer.title
        yield f"{title} comes from this host's distribution: {self.command}"
        if self.packages:
            yield f"New or newer packages: {', '.join(self.packages)}"
        else:
            yield "The lists of packages are fetched first (apt-get update)."
        yield f"{title} is not started by that. The plan that follows starts it, after you have seen every change."
        for holder in self.holders:
            yield f"{holder}. {title} cannot have that port before it is free; nothing is stopped for it."
        yield "A rollback leaves the packages there; an uninstall offers to purge them."


def preview(host: Host, offer: Offer, listeners: Sequence[Listener]) -> Preview:
    """Return what an installation would do; changes nothing."""
    manager = manager_of(host)
    wanted = {host.layout.http_port, host.layout.https_port}
    held = {each.port: each for each in listeners if each.port in wanted}
    holders = tuple(f"Port {port} is held by {each.owner}" for port, each in sorted(held.items()))
    command = by_hand(manager, offer)
    if host.layout.root != Path("/") or manager != DRIVEN:
        why = (
            "works on a copy of a host's files" if manager == DRIVEN else f"does not drive {manager or 'this host'} yet"
        )
        return Preview(
            offer, command, (), f"palpo-installer {why}. To install {offer.title} yourself: {command}", holders
        )
    simulated = apt.simulate(host, "install", "--no-remove", offer.names[manager])
    return Preview(offer, command, simulated.installed, "", holders)


def install(
    host: Host, offer: Offer, say: Callable[[str], None], wanted: Callable[[], bool] = lambda: True
) -> tuple[str, ...]:
    """Install a proxy and record exactly what came; return the packages.

    Args:
        host: the machine.
        offer: the proxy.
        say: takes each line of what is going on.
        wanted: whether somebody still wants it.

    Raises:
        RefusedPlan: it is not ours to do here, with the command.
        HostError: it failed: the cause, and what is there now.
        Interrupted: somebody asked to stop.
        Locked: a run is at work.
    """
    if refused := preview(host, offer, ()).refused:
        raise RefusedPlan(refused)
    with lock.hold(host.layout, f"the installation of {offer.title}"):
        settle(host)
        name = offer.names[DRIVEN]
        simulated = apt.simulate(host, "install", "--no-remove", name)
        if simulated.problem or not simulated.installed:
            _wait_for_lock(host, say, wanted)
            say("$ apt-get update")
            stream(_command("update"), say, wanted=wanted)
            simulated = apt.simulate(host, "install", "--no-remove", name)
        if simulated.problem:
            what, then = apt.cause(simulated.problem)
            raise HostError(f"{what}: {simulated.problem}", where=name, next=f"Nothing was changed. {then} {AGAIN}")
        return _carry_out(host, offer, simulated, say, wanted)


def _carry_out(
    host: Host, offer: Offer, simulated: apt.Simulated, say: Callable[[str], None], wanted: Callable[[], bool]
) -> tuple[str, ...]:
    name = offer.names[DRIVEN]
    _wait_for_lock(host, say, wanted)
    known = apt.states(host)
    before = {each: known.get(each, "") for each in simulated.installed}
    earlier = ledger.read(host.layout).installations
    ledger.write(Ledger((*earlier, Installation(offer.kind, name, before, {}, {}))), host.layout)
    command = _command("install", "--no-remove", name)
    say(f"$ {command}")
    with nothing_started(host) as held:
        ended = stream(command, say, held, wanted)
    added = tuple(sorted(set(settle(host).added) & set(before)))
    if ended.status == 0 and not ended.stopped and apt.states(host).get(name) == "installed":
        return added
    raise _failure(ended, name, added)


def _failure(ended: Streamed, name: str, added: Sequence[str]) -> HostError | Interrupted:
    """Return why it failed, with what is there now."""
    half = f"These packages came, some perhaps half: {', '.join(added)}" if added else "No package came"
    recorded = ". An uninstall offers to purge them" if added else ""
    half = f"{half}{recorded}. To end what dpkg began: dpkg --configure -a"
    if ended.stopped:
        kind = Interrupted if ended.stopped == "stopped on request" else HostError
        return kind(ended.stopped, where=f"the installation of {name}", next=f"{half}. To go on: {AGAIN}")
    what, then = apt.cause(ended.output)
    return HostError(what, where=f"the installation of {name}", next=f"{half}. {then} {AGAIN}")


def _wait_for_lock(host: Host, say: Callable[[str], None], wanted: Callable[[], bool]) -> None:
    until, told = time.monotonic() + PATIENCE, ""
    while holder := apt.lock_holder(host):
        if holder != told:
            say(f"{holder} holds the lock on the packages; waiting for its end, at most {PATIENCE:g} seconds")
            told = holder
        if not wanted():
            raise Interrupted("stopped on request", next="Nothing was changed")
        if time.monotonic() > until:
            raise HostError(
                f"{holder} still holds the lock on the packages after {PATIENCE:g} seconds",
                next=f"Nothing was changed. Wait for its end, then {AGAIN}",
            )
        time.sleep(0.5)


def settle(host: Host) -> Ledger:
    """Return the ledger; what an installation that was cut off left is looked at and recorded, its policy lifted.

    Raises:
        HostError: the ledger, or dpkg's records, cannot be read.
    """
    lift(host)
    places = {offer.kind: host.layout.at(offer.configuration) for offer in OFFERS}
    return ledger.settle(host, places)


def _command(*arguments: str) -> Command:
    return Command(("apt-get", *apt.OPTIONS, *arguments), LIMIT, apt.ENVIRONMENT)
