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


def kinds(scene: Scene) -> tuple[str, ...]:
    """Return the proxies that runs in force told of our files, the one that serves them now first."""
    told = (each.activation for each in scene.traces.activations)
    return tuple(dict.fromkeys(reversed([each.proxy for each in told if isinstance(each, ActivateProxy)])))


def proxy_of(operation: AnyOperation, scene: Scene) -> str:
    """Return the proxy that takes up an operation: the one that an earlier run told of the same path, or of the like.

    A file of somebody's, renamed since, is that of the proxy which reads it.
    """
    path, first = getattr(operation, "path", None), kinds(scene)[0]
    told = [(each.operation, each.activation) for each in scene.traces.operations]
    proxies = [(made, act.proxy) for made, act in told if isinstance(act, ActivateProxy | WithdrawProxy)]
    same_path = (kind for made, kind in proxies if path is not None and getattr(made, "path", None) == path)
    readers = (each.kind for each in scene.facts.proxies if any(read.path.resolve() == path for read in each.files))
    alike = (kind for made, kind in reversed(proxies) if type(made) is type(operation))
    found = (*same_path, *readers, *(alike if path is None else ()))
    return next((kind for kind in found if kind in kinds(scene)), first)


def withdrawn_proxy(scene: Scene, operations: tuple[AnyOperation, ...], kind: str = "") -> TakingUp:
    """Return how a proxy goes on without our files, or stops where it was stopped before them.

    Args:
        scene: what a removal is planned from.
        operations: what happens to its files.
        kind: the proxy; empty for the one that serves our files now.

    Raises:
        RefusedPlan: its configuration cannot be read, so that it is not known who else is served.
    """
    kind = kind or kinds(scene)[0]
    if kind != kinds(scene)[0] and not operations:
        # It left when another one took over, and was judged then.
        return TakingUp()
    first = _first_of(scene, kind).activation
    assert isinstance(first, ActivateProxy)  # noqa: S101 - chosen by that
    proxy = scene.facts.proxy(kind)
    if proxy is None:
        return TakingUp(summary=(f"{first.control.title} is not there any more; its files of ours are removed.",))
    _refuse_unreadable(proxy)
    own = _own(scene, kind)
    others = tuple(block for block in proxy.servers if block.file not in own)
    fate = _fate(scene, proxy, others)
    expectations = _expectations(scene, kind)
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


def _refuse_unreadable(proxy: Proxy) -> None:
    """Check that the configuration of a proxy that runs can be read.

    Raises:
        RefusedPlan: it cannot.
    """
    if proxy.problems and proxy.pid is not None:
        problem = proxy.problems[0]
        raise RefusedPlan(
            f"{proxy.title}'s configuration cannot be read: {problem.message}",
            where=f"{problem.file}:{problem.line}",
            next="Correct this line, then try again. Nothing was changed",
        )


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
    first = _first_of(scene, proxy.kind)
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


def _own(scene: Scene, kind: str) -> tuple[Path, ...]:
    """Return our files in a proxy's configuration, those that are gone among them."""
    return tuple(dict.fromkeys(path for each in _told(scene, kind) for path in each.own))


def _expectations(scene: Scene, kind: str) -> tuple[Expectation, ...]:
    """Return every socket and name that a run in force ever let a proxy serve, once, without what it showed."""
    shown = (expectation for each in _told(scene, kind) for expectation in each.expectations)
    return tuple(dict.fromkeys(replace(each, marker="", certificate=None) for each in shown))


def _told(scene: Scene, kind: str) -> Iterator[ActivateProxy]:
    for taken in scene.traces.activations:
        if isinstance(taken.activation, ActivateProxy) and taken.activation.proxy == kind:
            yield taken.activation


def _first_of(scene: Scene, kind: str) -> Taken:
    """Return the first activation of a proxy: it saw the proxy as it was before us."""
    seen = (each for each in scene.traces.activations if isinstance(each.activation, ActivateProxy))
    return next(each for each in seen if getattr(each.activation, "proxy", "") == kind)


def _first(scene: Scene, kind: type) -> Taken:
    return next(each for each in scene.traces.activations if isinstance(each.activation, kind))
