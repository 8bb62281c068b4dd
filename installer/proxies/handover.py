"""One proxy leaves the ports that only our sites hold, and another one takes them, with little time between.

Everything that can be known beforehand is tried while the old one still serves: the new one's configuration with our
files, and the old one's without them. Then the old one lets go, and the new one is told in the moment in which the last
socket is free; a proxy that is to stop ends its last connections while the new one serves already.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from palpo_installer import services
from palpo_installer.errors import GateFailed, HostError, NotPutBack
from palpo_installer.gates import markers
from palpo_installer.host import Host
from palpo_installer.operations.base import Activation, Description, Json, Workbench
from palpo_installer.probe import ask
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.controls import taking_up
from palpo_installer.proxies.restoration import Before
from palpo_installer.proxies.sockets import Socket
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.serialization import converter
from palpo_installer.site import MARKER_HEADER

PAUSE = 0.01
"""Seconds between two looks whether a socket is free: each is a part of the time without an answer."""


@dataclass(frozen=True)
class HandOver(Activation):
    """Lets a proxy go on without our files, or stop, and another one serve them in its place.

    Attributes:
        old: how the proxy that served until now takes up that our files are gone.
        new: how the other one takes up that they are there.
        leaving: the paths of the change that belong to the old one.
        meanwhile: the sockets on which the old one answers since an earlier change of the run. What is asked there when
            this one is taken back is for that change to prove, which is taken back next.
    """

    old: WithdrawProxy
    new: ActivateProxy
    leaving: tuple[Path, ...]
    meanwhile: tuple[Socket, ...] = ()

    def describe(self, host: Host) -> Description:
        """Return how it shows itself."""
        old, new = self.old.describe(host), self.new.describe(host)
        return Description(
            title=f"{old.title}, then {new.title[:1].lower()}{new.title[1:]}",
            details=(
                *old.details[: 0 if self.old.stop else 2],
                *new.details,
                "nobody answers from the moment in which the first lets go of its ports until the second has them",
            ),
        )

    def prepare(self, bench: Workbench) -> Json:
        """Record what both serve now; writes nothing."""
        return {"old": self.old.prepare(bench), "new": self.new.prepare(bench)}

    def activate(self, bench: Workbench, before: Json) -> None:
        """Try both configurations, change over, and prove it.

        Raises:
            GateFailed: one of them does not answer as promised.
            Interrupted: the run was asked to stop.
        """
        old, new = _parts(before)
        was, comes = converter.structure(old, Before), converter.structure(new, Before)
        try:
            self.new.test(bench, comes)
            if was.running and not self.old.stop:
                self.old.test(bench, was)
            with ThreadPoolExecutor(1) as pool:
                leaving = pool.submit(self._let_go, bench, was)
                self._until_free(bench, lambda: leaving.result() if leaving.done() else None)
                self.new.take_up(bench, comes)
                leaving.result()
            self.new.settle(bench, comes)
            self.old.settle(bench, was)
        except HostError as error:
            raise GateFailed(error.what, where=error.where, next=error.next) from error

    def _let_go(self, bench: Workbench, was: Before) -> None:
        if not was.running:
            return
        host, service = bench.host, was.service
        if self.old.stop:
            services.stop(host, service)
        else:
            services.carry_out(host, service, taking_up(self.old.control, host, service, self.old.limit))

    def _until_free(self, bench: Workbench, check: Callable[[], object]) -> None:
        """Wait until nothing of the old one holds a socket that the new one needs.

        Raises:
            GateFailed: it does not let go.
            HostError: it could not be told.
        """
        until = time.monotonic() + self.old.patience
        needed = {(e.address, e.port) for e in self.new.expectations} & set(self.old.alone)
        bench.report(f"waiting for {self.old.control.title} to let go of {len(needed)} addresses and ports")
        while held := sorted(place for place in needed if _answers(*place)):
            check()
            if time.monotonic() > until:
                address, port = held[0]
                raise GateFailed(
                    f"{self.old.control.title} does not let go of {address} port {port}",
                    next=f"See what else it serves there; {self.new.control.title} was not started",
                )
            time.sleep(PAUSE)

    def refresh(self, bench: Workbench, before: Json) -> Json:
        """Return the record for a rollback: neighbours are compared with what they are just before it."""
        old, new = _parts(before)
        late = replace(converter.structure(old, Before), late=True)
        return {"old": converter.unstructure(late), "new": self.new.refresh(bench, new)}

    def restore(self, bench: Workbench, before: Json) -> None:
        """Let the new one go back first, so that its ports are free, and then the old one serve again.

        Raises:
            NotPutBack: the old answers do not come back; of both, where both do not.
        """
        old, new = _parts(before)
        failed: list[NotPutBack] = []
        for restore in (partial(self._take_back, bench, new), partial(self._serve_again, bench, old)):
            try:
                restore()
            except NotPutBack as error:
                failed.append(error)
        if failed:
            what = "; ".join(error.what for error in failed)
            raise NotPutBack(what, where=failed[0].where, next=failed[0].next) from failed[0]

    def _take_back(self, bench: Workbench, before: Json) -> None:
        """Let the new one go back, and wait until it has let go of what the old one had.

        What answers there is for the old one to prove: it may serve already, or still.
        """
        record, places = converter.structure(before, Before), {(e.address, e.port) for e in self.old.expectations}
        pairs = list(zip(self.new.expectations, record.sockets, strict=True))
        own = [(e, was) for e, was in pairs if (e.address, e.port) not in places]
        shared = [e for e, _ in pairs if (e.address, e.port) in places]
        kept = replace(record, sockets=tuple(was for _, was in own))
        replace(self.new, expectations=tuple(e for e, _ in own)).restore(bench, converter.unstructure(kept))
        until = time.monotonic() + self.new.patience
        while any(self._still_serves(e) for e in shared) and time.monotonic() < until:
            time.sleep(PAUSE)

    def _serve_again(self, bench: Workbench, before: Json) -> None:
        """Let the old one serve again."""
        record = converter.structure(before, Before)
        pairs = zip(self.old.expectations, record.sockets, strict=True)
        own = [(e, was) for e, was in pairs if (e.address, e.port) not in self.meanwhile]
        kept = replace(record, sockets=tuple(was for _, was in own))
        replace(self.old, expectations=tuple(e for e, _ in own)).restore(bench, converter.unstructure(kept))

    @staticmethod
    def _still_serves(expectation: Expectation) -> bool:
        (question,) = markers.questions([expectation])
        return ask(question).header(MARKER_HEADER) == expectation.marker


def _parts(before: Json) -> tuple[Json, Json]:
    """Return the records of both."""
    return cast("Json", before["old"]), cast("Json", before["new"])


def _answers(address: str, port: int) -> bool:
    """Return whether somebody takes connections."""
    with suppress(OSError), socket.create_connection((address, port), timeout=1.0):
        return True
    return False
