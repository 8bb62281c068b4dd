"""What of the packages that we added may go again, and purging it, with a consent of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from palpo_installer.engine import lock
from palpo_installer.errors import HostError
from palpo_installer.host import Command, Host
from palpo_installer.packages import apt, ledger
from palpo_installer.packages.catalogue import OFFERS
from palpo_installer.packages.installing import LIMIT, settle
from palpo_installer.packages.ledger import Installation, Ledger, Way, files_of
from palpo_installer.packages.policy import nothing_started
from palpo_installer.packages.streaming import stream


@dataclass(frozen=True)
class Judged:
    """What becomes of the packages that we added.

    Attributes:
        going: those that go, and how.
        staying: those that stay, and why.
    """

    going: Mapping[str, Way]
    staying: Mapping[str, str]

    def lines(self) -> Iterator[str]:
        """Yield it in sentences."""
        for way, verb in (("purge", "purged, with configuration and logs"), ("remove", "removed")):
            names = [name for name, its in self.going.items() if its == way]
            if names:
                yield f"Installed by palpo-installer, and can be {verb}: {', '.join(names)}"
        for name, why in self.staying.items():
            yield f"{name} stays: {why}"


def judge(host: Host) -> Judged:
    """Return what may go: what nobody else needs, and whose configuration is as it came.

    Raises:
        HostError: dpkg's records cannot be read.
    """
    recorded = settle(host)
    known = apt.states(host) if recorded.installations else {}
    there = {name: way for name, way in recorded.added.items() if known.get(name, "not-installed") != "not-installed"}
    staying: dict[str, str] = {}
    ways = dict(there)
    for one in recorded.installations:
        if why := _somebody_elses(host, one):
            staying |= {name: why for name in (one.package,) if name in there}
        elif _keeps(host, one):
            ways |= {name: "remove" for name in one.added if name in there}
    needed = apt.needed_by(host, there.keys() - staying.keys()) if there else {}
    staying |= {name: f"{user} needs it" for name, user in needed.items()}
    return Judged({name: way for name, way in ways.items() if name not in staying}, staying)


def _somebody_elses(host: Host, one: Installation) -> str:
    """Return which file of the proxy's configuration is not as it came, empty for none."""
    offer = next(each for each in OFFERS if each.kind == one.kind)
    now = files_of(host.layout.at(offer.configuration))
    changed = sorted(path for path, what in now.items() if one.configuration.get(path) != what)
    return f"{changed[0]} is not as it came with the package, so that somebody uses it" if changed else ""


def _keeps(host: Host, one: Installation) -> bool:
    """Return whether a purge would delete certificates."""
    offer = next(each for each in OFFERS if each.kind == one.kind)
    return bool(offer.keeps) and bool(host.names(host.layout.at(offer.keeps)))


def purge(host: Host, judged: Judged, say: Callable[[str], None]) -> None:
    """Purge what may go, and nothing else; what goes is out of the ledger.

    Raises:
        HostError: it failed, or something else would have to go too.
        Locked: a run is at work.
    """
    with lock.hold(host.layout, "the purge of packages"):
        for way in ("purge", "remove"):
            names = [name for name, its in judged.going.items() if its == way]
            if names:
                _remove(host, way, names, say)
        left = apt.states(host)
        ledger.write(_without(settle(host), left, judged), host.layout)


def _remove(host: Host, way: str, names: list[str], say: Callable[[str], None]) -> None:
    simulated = apt.simulate(host, way, *names)
    others = sorted(set(simulated.removed) - set(names))
    if simulated.problem or others:
        what = simulated.problem or f"{', '.join(others)} would have to go too"
        raise HostError(what, where=f"apt-get {way} {' '.join(names)}", next="Nothing was removed")
    command = Command(("apt-get", *apt.OPTIONS, way, *names), LIMIT, apt.ENVIRONMENT)
    say(f"$ {command}")
    # Removing a package may bring another one that starts something.
    with nothing_started(host) as held:
        ended = stream(command, say, held)
    if ended.status != 0 or ended.stopped:
        what, then = (ended.stopped, "Then") if ended.stopped else apt.cause(ended.output)
        raise HostError(what, where=str(command), next=f"{then} try again: palpo-installer uninstall --purge-packages")


def _without(recorded: Ledger, left: Mapping[str, str], judged: Judged) -> Ledger:
    """Return what is still ours: what stays, and a package that should have gone and did not."""
    still = {
        name
        for name in recorded.added
        if name in judged.staying or left.get(name, "not-installed") not in {"not-installed", "config-files"}
    }
    kept = (
        replace(each, added={name: way for name, way in each.added.items() if name in still})
        for each in recorded.installations
    )
    return Ledger(tuple(each for each in kept if each.added))
