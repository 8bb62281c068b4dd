"""How the proxy and the renewal timer go on, or stop, when our files are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.certificates.timer import ActivateTimer, StopTimer
from palpo_installer.certificates.timer import Before as FormerTimer
from palpo_installer.changes import AnyOperation, Unchanged
from palpo_installer.errors import RefusedPlan
from palpo_installer.planning.comeback import Comeback
from palpo_installer.planning.scene import Scene, TakingUp
from palpo_installer.planning.traces import Taken
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.adapters import adapter
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.found import Proxy, ServerBlock
from palpo_installer.proxies.neighbours import neighbours, served
from palpo_installer.proxies.restoration import FRESH
from palpo_installer.proxies.restoration import Before as FormerProxy
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.serialization import converter


def forgotten_timer(scene: Scene, operations: tuple[AnyOperation, ...]) -> TakingUp:  # noqa: ARG001
    """Return how systemd knows of the timer again what it knew before the first run."""
    first = _first(scene, ActivateTimer)
    activation = first.activation
    assert isinstance(activation, ActivateTimer)  # noqa: S101 - chosen by that
    unknown = FormerTimer(enabled=False, active=False, directories=())
    former = converter.structure(first.found, FormerTimer) if first.found else unknown
    stop = StopTimer(activation.scheduler, former, activation.timer)
    return TakingUp(stop, ("Certificates are not renewed any more: what starts that twice a day is removed.",))


def withdrawn_proxy(scene: Scene, operations: tuple[AnyOperation, ...]) -> TakingUp:
    """Return how the proxy goes on without our files, or stops where it was stopped before them.

    Raises:
        RefusedPlan: its configuration cannot be read, so that it is not known who else is served.
    """
    first = _first(scene, ActivateProxy).activation
    assert isinstance(first, ActivateProxy)  # noqa: S101 - chosen by that
    proxy, title = scene.facts.proxy(first.proxy), first.control.title
    if proxy is None:
        return TakingUp(summary=(f"{title} is not there any more; its files of ours are removed.",))
    if proxy.problems and proxy.pid is not None:
        problem = proxy.problems[0]
        raise RefusedPlan(
            f"{title}'s configuration cannot be read: {problem.message}",
            where=f"{problem.file}:{problem.line}",
            next="Correct this line, then try again. Nothing was changed",
        )
    own = _own(scene)
    others = tuple(block for block in proxy.servers if block.file not in own)
    fate = _fate(scene, proxy, others)
    expectations = _expectations(scene)
    taken = {(listen.address, listen.port) for listen in proxy.streams} | served(others, scene.facts.system)
    places = sorted({(e.address, e.port) for e in expectations})
    comeback = Comeback.of(scene, operations)
    compared = neighbours(proxy.servers, scene.facts.system, (), own) if proxy.pid is not None and not fate.stop else ()
    activation = WithdrawProxy(
        proxy=proxy.kind,
        service=adapter(proxy).service,
        error_log=Path(proxy.error_log) if proxy.error_log else None,
        expectations=expectations,
        alone=tuple(place for place in places if fate.stop or place not in taken | comeback.sockets),
        neighbours=tuple(each for each in compared if not comeback.takes(each)),
        own=own,
        stop=fate.stop,
        disable=fate.disable,
    )
    return TakingUp(activation, fate.summary, fate.stays)


@dataclass(frozen=True)
class Fate:
    """What becomes of the proxy itself."""

    stop: bool
    disable: bool
    summary: tuple[str, ...]
    stays: tuple[Unchanged, ...] = ()


def _fate(scene: Scene, proxy: Proxy, others: Sequence[ServerBlock]) -> Fate:
    """Return what becomes of a proxy that was stopped, or did not start at boot, before the first run.

    It is as it was again, unless others may have come to rely on it: it has other sites, and time has passed.
    """
    first = _first(scene, ActivateProxy)
    former = converter.structure(first.found, FormerProxy)
    stopped = not former.running and proxy.pid is not None
    disabled = former.enabled is False and proxy.unit_enabled is True
    goes_on = (f"{proxy.title} goes on with its other sites, which answer as before.",) if proxy.pid is not None else ()
    if not stopped and not disabled:
        return Fate(stop=False, disable=False, summary=goes_on)
    was = " and ".join(word for word, so in (("was stopped", stopped), ("did not start at boot", disabled)) if so)
    if others and time.time() - former.at > FRESH:
        reason = (
            f"stays as it is now. It {was} before run {first.run} of {first.began:%Y-%m-%d}, but other sites may rely "
            f"on it: {others[0].file}:{others[0].line}. To go back yourself: systemctl disable --now {proxy.unit}"
        )
        return Fate(stop=False, disable=False, summary=goes_on, stays=(Unchanged(proxy.title, reason),))
    sentence = f"{proxy.title} {was} before run {first.run}, and that is so again."
    return Fate(stop=stopped, disable=disabled, summary=(sentence,) if stopped else (*goes_on, sentence))


def _own(scene: Scene) -> tuple[Path, ...]:
    """Return our files in the proxy's configuration, those that are gone among them."""
    activations = (each.activation for each in scene.traces.activations)
    recorded = (path for each in activations if isinstance(each, ActivateProxy) for path in each.own)
    return tuple(dict.fromkeys(recorded))


def _expectations(scene: Scene) -> tuple[Expectation, ...]:
    """Return every socket and name that a run in force ever served, once, without what it showed."""
    return tuple(dict.fromkeys(_shown(scene)))


def _shown(scene: Scene) -> Iterator[Expectation]:
    for taken in scene.traces.activations:
        if isinstance(taken.activation, ActivateProxy):
            yield from (replace(each, marker="", certificate=None) for each in taken.activation.expectations)


def _first(scene: Scene, kind: type) -> Taken:
    return next(each for each in scene.traces.activations if isinstance(each.activation, kind))
