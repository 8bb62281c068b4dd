"""Sites of somebody else's that a run switched off, and that come back when everything is taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.changes import AnyOperation
from palpo_installer.gates.neighbours import Neighbour
from palpo_installer.operations.files import MakeLink, RemoveFile
from palpo_installer.operations.removing import PutBack
from palpo_installer.planning.scene import Scene
from palpo_installer.planning.traces import Taken
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.neighbours import UNKNOWN
from palpo_installer.proxies.restoration import Before
from palpo_installer.proxies.sockets import Socket
from palpo_installer.serialization import converter

NAMELESS = frozenset({"", UNKNOWN})
"""What a request without a known name gives as its host."""


@dataclass(frozen=True)
class Comeback:
    """What sites take again that come back.

    Attributes:
        activations: those of the runs that switched them off, each with what it found.
    """

    activations: tuple[tuple[ActivateProxy, Before], ...]

    @classmethod
    def of(cls, scene: Scene, operations: Iterable[AnyOperation]) -> Comeback:
        """Return what comes back with the operations on the proxy's files."""
        back = {each.path for each in operations if isinstance(each, PutBack | MakeLink)}
        runs = {each.run for each in scene.traces.operations if _removed(each.operation) in back}
        taken = (each for each in scene.traces.activations if each.run in runs)
        return cls(tuple(found for each in taken if (found := _found(each)) is not None))

    @property
    def sockets(self) -> frozenset[Socket]:
        """Where somebody else answered before these runs: nothing is closed there."""
        return frozenset(
            (each.address, each.port)
            for activation, before in self.activations
            for each, was in zip(activation.expectations, before.sockets, strict=True)
            if not was.closed and not was.marker
        )

    def takes(self, neighbour: Neighbour) -> bool:
        """Return whether a request without a known name may be answered by another site then.

        A run leaves it out of its comparison where it switches off the site that answers.
        """
        socket = (neighbour.address, neighbour.port)
        return neighbour.host in NAMELESS and any(_left_out(activation, socket) for activation, _ in self.activations)


def _removed(operation: AnyOperation) -> Path | None:
    return operation.path if isinstance(operation, RemoveFile) else None


def _found(taken: Taken) -> tuple[ActivateProxy, Before] | None:
    if not isinstance(taken.activation, ActivateProxy):
        return None
    return taken.activation, converter.structure(taken.found, Before)


def _left_out(activation: ActivateProxy, socket: Socket) -> bool:
    there = [each for each in activation.neighbours if (each.address, each.port) == socket]
    known = there or any((each.address, each.port) == socket for each in activation.expectations)
    return bool(known) and not any(each.host in NAMELESS for each in there)
