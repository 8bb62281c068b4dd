"""The way back: a proxy takes up the files as they were before a change, or stops again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from palpo_installer import services
from palpo_installer.errors import GateFailed, HostError, NotPutBack
from palpo_installer.gates import markers
from palpo_installer.gates.asking import uninterrupted
from palpo_installer.gates.neighbours import (
    NOTHING,
    REFUSED,
    Neighbour,
    Observation,
    differences,
    in_short,
    observe,
    of_open_sockets,
)
from palpo_installer.host import Host
from palpo_installer.operations.base import Json, Workbench
from palpo_installer.proxies import main_process
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.control import Control
from palpo_installer.proxies.controls import control, taking_up
from palpo_installer.serialization import converter
from palpo_installer.services import Service

FRESH = 6 * 3600.0
"""Seconds after which others may have come to rely on a proxy that the run started."""


@dataclass(frozen=True)
class Before:
    """What is served and what runs before a change.

    Attributes:
        service: the proxy with the manager that it really runs under.
        running: whether it runs.
        failed: whether its unit failed.
        enabled: whether its unit starts at boot; None where no unit can say.
        pid_file: whether the file for its process number is there.
        warnings: what its own test warns of; None where it is stopped, since the test may write files.
        sockets: what the change's own sockets answer, in the order of its expectations.
        neighbours: what the neighbours answer, in their order.
        at: when all this was seen, in seconds since 1970.
        late: whether it is to come back in a rollback, after others may have changed what is theirs.
    """

    service: Service
    running: bool
    failed: bool
    enabled: bool | None
    pid_file: bool
    warnings: tuple[str, ...] | None
    sockets: tuple[markers.Former, ...]
    neighbours: tuple[Observation, ...]
    at: float
    late: bool = False


def look(
    proxy: Control,
    configured: Service,
    expectations: Sequence[Expectation],
    neighbours: Sequence[Neighbour],
    limit: float,
    bench: Workbench,
) -> Json:
    """Return, as the journal keeps it, what is served and what runs now; writes nothing."""
    host = bench.host
    service = proxy.as_running(host, configured)
    running = services.is_active(host, service)
    bench.report(f"asking other sites ({len(neighbours)} requests), for the comparison afterwards")
    before = Before(
        service=service,
        running=running,
        failed=services.has_failed(host, service),
        enabled=services.is_enabled(host, service),
        pid_file=service.pid_file is not None and host.status(service.pid_file) is not None,
        warnings=proxy.examine(host, service, limit).warnings if running else None,
        sockets=markers.record(expectations, bench),
        neighbours=observe(neighbours, bench),
        at=time.time(),
    )
    plain: Json = converter.unstructure(before)
    return plain


@dataclass(frozen=True)
class Restoration:
    """Brings a proxy back to the files on disk, which are the earlier ones again, and proves the old answers.

    A running proxy is always reloaded, since an earlier reload may still be under way in its main process. Where the
    configuration does not load because of somebody else's error, the proxy is left alone: that is no failure as long as
    it still serves what it served before. A wish to stop is not heard.

    In a rollback a neighbour may have been changed meanwhile, and is compared with itself only. A proxy that was
    stopped goes on in a rollback long after the run, since other sites may live on it by now.

    Attributes:
        proxy: its kind.
        before: what is to come back.
        expectations: what the change showed.
        neighbours: what must be answered as before.
        patience: seconds for the old answers to come.
        limit: seconds for each command.
    """

    proxy: str
    before: Before
    expectations: tuple[Expectation, ...]
    neighbours: tuple[Neighbour, ...]
    patience: float
    limit: float

    @property
    def control(self) -> Control:
        """How the proxy is controlled."""
        return control(self.proxy)

    def carry_out(self, interruptible: Workbench) -> None:
        """Do it; right also where the change never became live, and a second time.

        Raises:
            NotPutBack: the old answers do not come back, with the cause where it can be named.
        """
        bench = uninterrupted(interruptible)
        sockets, neighbours = self._wanted(bench)
        trouble, title = "", self.control.title
        try:
            if self._stays(bench.host):
                trouble = self._take_up(bench)
            else:
                self._stop(bench)
            self._prove(bench, sockets, neighbours)
        except (GateFailed, HostError) as error:
            what = f"{trouble}. {title} was left alone and goes on with the change: {error}" if trouble else str(error)
            cure = f"The files are back. Correct this, then: palpo-installer recover. Else restart {title}"
            raise NotPutBack(what, where=title, next=cure) from error
        if trouble:
            bench.report(f"{trouble}; what {title} serves is what it served before")

    def _wanted(self, bench: Workbench) -> tuple[Sequence[markers.Former], Sequence[Observation]]:
        """Return what the sockets and the neighbours shall answer."""
        if not self.before.late:
            return self.before.sockets, self.before.neighbours
        now = of_open_sockets(observe(self.neighbours, bench))
        # What refused before the run was opened by it, and is to refuse again.
        pairs = zip(self.before.neighbours, now, strict=True)
        neighbours = [NOTHING if then.outcome == REFUSED else seen for then, seen in pairs]
        return [socket.by_marker for socket in self.before.sockets], neighbours

    def _stays(self, host: Host) -> bool:
        """Whether the proxy shall run afterwards."""
        old = self.before.late and time.time() - self.before.at > FRESH
        return self.before.running or (old and services.is_active(host, self.before.service))

    def _stop(self, bench: Workbench) -> None:
        host, service = bench.host, self.before.service
        bench.report(f"stopping {self.control.title}, which was stopped before")
        # A change that ended right after its start command was before the proxy's number.
        if services.is_active_soon(host, service):
            services.stop(host, service)
        if services.has_failed(host, service) and not self.before.failed:
            services.forget_failure(host, service.unit)
        if not self.before.pid_file:
            self.control.clear(host, service)
        self._disable(host)

    def _disable(self, host: Host) -> None:
        service = self.before.service
        if self.before.enabled is False and services.is_enabled(host, service):
            services.carry_out(host, service, services.disable_command(service.unit))

    def _take_up(self, bench: Workbench) -> str:
        """Let the proxy take up the files on disk; return why it could not be told to, empty if it could."""
        host, service, title = bench.host, self.before.service, self.control.title
        if self.before.running:
            self._disable(host)
        try:
            verdict = self.control.examine(host, service, self.limit)
        except HostError as error:
            return f"{title}'s configuration cannot be tested ({error})"
        if not verdict.loads:
            place = f"{verdict.file}:{verdict.line}: " if verdict.file else ""
            return f"the earlier configuration does not load any more, with our files back: {place}{verdict.error}"
        if not services.is_active(host, service):
            bench.report(f"starting {title}, which was running before")
            services.carry_out(host, service, self.control.start(service, self.limit))
            return ""
        if hazard := self.control.hazard(host, service, ()):
            return hazard
        bench.report(f"reloading {title} with the files as they were")
        try:
            services.carry_out(host, service, taking_up(self.control, host, service, self.limit))
        except HostError as error:
            self.control.hang_up(host, service)
            return f"{title} could not be reloaded in the usual way ({error})"
        return ""

    def _prove(self, bench: Workbench, sockets: Sequence[markers.Former], neighbours: Sequence[Observation]) -> None:
        others = self._opened_by_others(bench.host)
        asked = [
            (expectation, former)
            for expectation, former in zip(self.expectations, sockets, strict=True)
            if not (former.closed and others(expectation.address, expectation.port))
        ]
        expectations, former = [each for each, _ in asked], [each for _, each in asked]
        markers.prove_former(expectations, former, time.monotonic() + self.patience, bench)
        wanted = [
            NOTHING if seen.outcome == REFUSED and others(neighbour.address, neighbour.port) else seen
            for neighbour, seen in zip(self.neighbours, neighbours, strict=True)
        ]
        different = differences(self.neighbours, wanted, bench)
        if different:
            raise GateFailed(f"other sites do not answer as before: {in_short(different)}")

    def _opened_by_others(self, host: Host) -> Callable[[str, int], bool]:
        """Return what says whether another program listens at an address: that it is open is not ours to end."""
        own = main_process.family(host, self.before.service)
        open_now = host.listening()
        # A reload goes on meanwhile: workers that have just begun or ended hold these sockets as well.
        own |= main_process.family(host, self.before.service)
        found = {(socket.address, socket.port) for socket in open_now if socket.pid and socket.pid not in own}
        everywhere = ("0.0.0.0", "::")  # noqa: S104
        return lambda address, port: any((each, port) in found for each in (address, *everywhere))
