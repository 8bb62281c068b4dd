"""How nginx and the renewal timer go on, or stop, when our files are gone."""

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
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.nginx import process
from palpo_installer.proxies.nginx.activation import ActivateNginx
from palpo_installer.proxies.nginx.configuration import Nginx, ServerBlock
from palpo_installer.proxies.nginx.neighbours import neighbours, served
from palpo_installer.proxies.nginx.restoration import FRESH
from palpo_installer.proxies.nginx.restoration import Before as FormerNginx
from palpo_installer.proxies.nginx.withdrawal import WithdrawNginx
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


def withdrawn_nginx(scene: Scene, operations: tuple[AnyOperation, ...]) -> TakingUp:
    """Return how nginx goes on without our files, or stops where it was stopped before them.

    Raises:
        RefusedPlan: its configuration cannot be read, so that it is not known who else is served.
    """
    nginx = scene.facts.nginx
    if nginx is None:
        return TakingUp(summary=("nginx is not there any more; its files of ours are removed.",))
    if nginx.problems and nginx.pid is not None:
        problem = nginx.problems[0]
        raise RefusedPlan(
            f"nginx's configuration cannot be read: {problem.message}",
            where=f"{problem.file}:{problem.line}",
            next="Correct this line, then try again. Nothing was changed",
        )
    own = _own(scene)
    others = tuple(block for block in nginx.servers if block.file not in own)
    fate = _fate(scene, nginx, others)
    expectations = _expectations(scene)
    taken = {(listen.address, listen.port) for listen in nginx.streams} | served(others, scene.facts.system)
    places = sorted({(e.address, e.port) for e in expectations})
    comeback = Comeback.of(scene, operations)
    compared = neighbours(nginx.servers, scene.facts.system, (), own) if nginx.pid is not None and not fate.stop else ()
    activation = WithdrawNginx(
        service=process.service_of(nginx),
        error_log=Path(nginx.error_log) if nginx.error_log else None,
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
    """What becomes of nginx itself."""

    stop: bool
    disable: bool
    summary: tuple[str, ...]
    stays: tuple[Unchanged, ...] = ()


def _fate(scene: Scene, nginx: Nginx, others: Sequence[ServerBlock]) -> Fate:
    """Return what becomes of an nginx that was stopped, or did not start at boot, before the first run.

    It is as it was again, unless others may have come to rely on it: it has other sites, and time has passed.
    """
    first = _first(scene, ActivateNginx)
    former = converter.structure(first.found, FormerNginx)
    stopped = not former.running and nginx.pid is not None
    disabled = former.enabled is False and nginx.unit_enabled is True
    goes_on = ("nginx goes on with its other sites, which answer as before.",) if nginx.pid is not None else ()
    if not stopped and not disabled:
        return Fate(stop=False, disable=False, summary=goes_on)
    was = " and ".join(word for word, so in (("was stopped", stopped), ("did not start at boot", disabled)) if so)
    if others and time.time() - former.at > FRESH:
        reason = (
            f"stays as it is now. It {was} before run {first.run} of {first.began:%Y-%m-%d}, but other sites may rely "
            f"on it: {others[0].file}:{others[0].line}. To go back yourself: systemctl disable --now nginx"
        )
        return Fate(stop=False, disable=False, summary=goes_on, stays=(Unchanged("nginx", reason),))
    sentence = f"nginx {was} before run {first.run}, and that is so again."
    return Fate(stop=stopped, disable=disabled, summary=(sentence,) if stopped else (*goes_on, sentence))


def _own(scene: Scene) -> tuple[Path, ...]:
    """Return our files in nginx's configuration, those that are gone among them."""
    activations = (each.activation for each in scene.traces.activations)
    recorded = (path for each in activations if isinstance(each, ActivateNginx) for path in each.own)
    return tuple(dict.fromkeys(recorded))


def _expectations(scene: Scene) -> tuple[Expectation, ...]:
    """Return every socket and name that a run in force ever served, once, without what it showed."""
    return tuple(dict.fromkeys(_shown(scene)))


def _shown(scene: Scene) -> Iterator[Expectation]:
    for taken in scene.traces.activations:
        if isinstance(taken.activation, ActivateNginx):
            yield from (replace(each, marker="", certificate=None) for each in taken.activation.expectations)


def _first(scene: Scene, kind: type) -> Taken:
    return next(each for each in scene.traces.activations if isinstance(each.activation, kind))
