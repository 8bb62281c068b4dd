"""How a proxy goes on without our files, or stops again, and the proof that nothing of ours is served any more."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from palpo_installer import services
from palpo_installer.errors import GateFailed, HostError, NotPutBack
from palpo_installer.gates import markers
from palpo_installer.gates.neighbours import Neighbour, differences, in_short
from palpo_installer.host import Host
from palpo_installer.operations.base import Activation, Description, Json, Workbench
from palpo_installer.proxies import main_process
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.control import Control
from palpo_installer.proxies.controls import control, taking_up
from palpo_installer.proxies.restoration import Before, Restoration, look
from palpo_installer.proxies.standing import named
from palpo_installer.serialization import converter
from palpo_installer.services import Service


@dataclass(frozen=True)
class WithdrawProxy(Activation):
    """Lets a proxy take up its configuration without our files, or stops it where it was stopped before them.

    Attributes:
        proxy: its kind.
        service: the proxy, as the facts saw it.
        error_log: the file of its error log, None where it has none.
        expectations: every socket and name that the runs in force ever served.
        alone: the addresses and ports of these that no other site of the proxy has: they are to be closed.
        neighbours: what must be answered as before.
        own: our files, for telling our errors from others'.
        stop: whether the proxy is stopped.
        disable: whether its unit is kept from starting at boot.
        patience: seconds for our answers to go.
        limit: seconds for each command.
    """

    proxy: str
    service: Service
    error_log: Path | None
    expectations: tuple[Expectation, ...]
    alone: tuple[tuple[str, int], ...]
    neighbours: tuple[Neighbour, ...]
    own: tuple[Path, ...]
    stop: bool
    disable: bool
    patience: float = 15.0
    limit: float = 30.0

    @property
    def control(self) -> Control:
        """How the proxy is controlled."""
        return control(self.proxy)

    def describe(self, host: Host) -> Description:
        """Return how it shows itself."""
        proxy = self.control
        test, reload = proxy.dry_run(self.service, self.limit), taking_up(proxy, host, self.service, self.limit)
        commands = [] if self.stop else [test, reload]
        if self.disable:
            commands.append(services.disable_command(self.service.unit))
        sockets = {(e.address, e.port) for e in self.expectations}
        where = f"{len(sockets)} addresses and ports" if len(sockets) > 1 else "one address and port"
        ports = sorted({port for _, port in self.alone})
        return Description(
            title=f"{'Stop' if self.stop else 'Reload'} {proxy.title}",
            details=(
                *(f"{command} (at most {command.timeout:g} seconds)" for command in commands),
                f"proven on {where}: our configuration must answer no more",
                f"closed afterwards, as no other site uses {'it' if len(ports) == 1 else 'them'}: {named(ports)}"
                if ports
                else "",
                "" if self.stop else f"compared before and after: {len(self.neighbours)} requests to other sites",
            ),
        )

    def prepare(self, bench: Workbench) -> Json:
        """Record what is served and what runs now; writes nothing."""
        return look(self.control, self.service, self.expectations, self.neighbours, self.limit, bench)

    def activate(self, bench: Workbench, before: Json) -> None:
        """Test and reload, or stop; then prove that nothing of ours is left, and that the neighbours are as before.

        Raises:
            GateFailed: the rest of the configuration does not load, or something of ours is still served.
            Interrupted: the run was asked to stop.
        """
        record = converter.structure(before, Before)
        try:
            if record.running:
                self._take_up(bench, record)
            self._prove(bench, record)
            self.settle(bench, record)
            if record.running and not self.stop:
                # HAProxy refuses everything while it tries sockets, and serves as before where it gets none of them.
                # Now that its neighbours have answered it is beyond that.
                self._prove(bench, record)
        except HostError as error:
            raise GateFailed(error.what, where=error.where, next=error.next) from error

    def settle(self, bench: Workbench, record: Before) -> None:
        """Keep its unit from starting at boot where the plan says so, then compare the neighbours.

        Raises:
            GateFailed: other sites answer differently.
            HostError: the unit cannot be disabled.
        """
        if self.disable and record.enabled:
            services.carry_out(bench.host, record.service, services.disable_command(record.service.unit))
        different = () if self.stop else differences(self.neighbours, record.neighbours, bench)
        if different:
            raise GateFailed(
                f"other sites answer differently: {in_short(different)}",
                next=f"If their files were changed meanwhile, reload {self.control.title} first; then try again",
            )

    def _take_up(self, bench: Workbench, record: Before) -> None:
        host, service, title = bench.host, record.service, self.control.title
        if self.stop:
            bench.report(f"stopping {title}, which was stopped before the first run")
            services.stop(host, service)
            return
        self.test(bench, record)
        services.carry_out(host, service, taking_up(self.control, host, service, self.limit))

    def test(self, bench: Workbench, record: Before) -> None:
        """Test the configuration without our files, and foresee what a reload with it would cost.

        Raises:
            GateFailed: it does not load, or a reload would end the proxy, as over a socket that others want to open.
            HostError: it cannot be tested.
        """
        host, service, title = bench.host, record.service, self.control.title
        bench.report(f"testing {title}'s configuration without our files")
        verdict = self.control.examine(host, service, self.limit)
        if not verdict.loads:
            raise GateFailed(
                f"{title}'s configuration does not load without our files: {verdict.error}",
                where=f"{verdict.file}:{verdict.line}" if verdict.file else "",
                next=f"{title} was left as it was. Correct this line, then try again",
            )
        if hazard := self.control.hazard(host, service, ()):
            raise GateFailed(hazard, next=f"{title} was left as it was. Put this right, then try again")

    def _prove(self, bench: Workbench, record: Before) -> None:
        """Wait until nothing of ours is served; a failure tells its cause before its symptom."""
        bench.report("asking every address and port")
        until = time.monotonic() + self.patience
        try:
            markers.prove_gone(self.expectations, self._closed(record), until, bench)
        except GateFailed as unproven:
            goes_on = record.running and not self.stop
            cause = main_process.trouble(bench.host, record.service, self.control.title) if goes_on else ""
            what = f"{cause} ({unproven.what})" if cause else unproven.what
            raise GateFailed(what, where=unproven.where, next=unproven.next) from unproven

    def _closed(self, record: Before) -> tuple[bool, ...]:
        """Return which sockets shall refuse connections; one that somebody else holds by now is theirs."""
        ours = {(e.address, e.port) for e, was in zip(self.expectations, record.sockets, strict=True) if was.marker}
        closed = [bool(was.closed) for was in record.sockets]
        places = [(e.address, e.port) for e in self.expectations]
        return tuple(place in self.alone and (place in ours or was) for place, was in zip(places, closed, strict=True))

    def restore(self, bench: Workbench, before: Json) -> None:
        """After our files are back: let the proxy serve them again, and prove it.

        Raises:
            NotPutBack: the old answers do not come back, with the cause where it can be named.
        """
        record = converter.structure(before, Before)
        service = record.service
        try:
            if record.enabled and services.is_enabled(bench.host, service) is False:
                services.carry_out(bench.host, service, services.enable_command(service.unit))
        except HostError as error:
            raise NotPutBack(error.what, where=error.where, next=error.next) from error
        Restoration(self.proxy, record, self.expectations, self.neighbours, self.patience, self.limit).carry_out(bench)
