"""How a proxy takes up a change, and the proof that it did.

A test of the configuration and a reload can both succeed while the proxy goes on with its old configuration: a port
that another program holds is only found out by its main process, after the reload returned.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer import services
from palpo_installer.errors import GateFailed, HostError
from palpo_installer.facts.system import System
from palpo_installer.gates import markers
from palpo_installer.gates.neighbours import Neighbour, differences, in_short, of_open_sockets
from palpo_installer.host import Host
from palpo_installer.operations.base import Activation, Description, Json, Workbench
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.control import Control
from palpo_installer.proxies.controls import control, taking_up
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.neighbours import neighbours
from palpo_installer.proxies.restoration import Before, Restoration, look
from palpo_installer.serialization import converter
from palpo_installer.services import Service


@dataclass(frozen=True)
class ActivateProxy(Activation):
    """Tests a proxy's configuration, reloads or starts the proxy, and proves what it serves.

    Attributes:
        proxy: its kind.
        service: the proxy, as the facts saw it.
        error_log: the file of its error log, None where it has none.
        expectations: what the change must show.
        neighbours: what must be answered as before.
        own: our files, for telling our errors from others'.
        start: whether the proxy is stopped and the plan starts it.
        enable: whether the plan makes its unit start at boot.
        patience: seconds for the right answers to come; nginx alone tries a taken port for 2.5.
        limit: seconds for each command.
        edited: those of our files that have somebody's edit in them.
    """

    proxy: str
    service: Service
    error_log: Path | None
    expectations: tuple[Expectation, ...]
    neighbours: tuple[Neighbour, ...]
    own: tuple[Path, ...]
    start: bool
    enable: bool
    patience: float = 15.0
    limit: float = 30.0
    edited: tuple[Path, ...] = ()

    @property
    def control(self) -> Control:
        """How the proxy is controlled."""
        return control(self.proxy)

    def describe(self, host: Host) -> Description:
        """Return how it shows itself."""
        proxy = self.control
        start = proxy.start(self.service, self.limit) if self.start else None
        take_up = start or taking_up(proxy, host, self.service, self.limit)
        commands = [proxy.dry_run(self.service, self.limit), take_up]
        if self.enable and self.service.unit:
            commands.append(services.enable_command(self.service.unit))
        sockets = {(e.address, e.port) for e in self.expectations}
        where = f"{len(sockets)} addresses and ports" if len(sockets) > 1 else "one address and port"
        certified = ", with the certificate on disk" if any(e.certificate for e in self.expectations) else ""
        return Description(
            title=f"{'Start' if self.start else 'Reload'} {proxy.title}",
            details=(
                *(f"{command} (at most {command.timeout:g} seconds)" for command in commands),
                f"proven on {where}: the new configuration must answer{certified}",
                f"compared before and after: {len(self.neighbours)} requests to other sites",
            ),
        )

    def prepare(self, bench: Workbench) -> Json:
        """Record what is served and what runs now; writes nothing."""
        return look(self.control, self.service, self.expectations, self.neighbours, self.limit, bench)

    def activate(self, bench: Workbench, before: Json) -> None:
        """Test, reload or start, then prove marker, certificate and neighbours.

        Raises:
            GateFailed: the proxy does not answer as promised, with the cause where it can be named.
            Interrupted: the run was asked to stop.
        """
        record = converter.structure(before, Before)
        try:
            self.test(bench, record)
            self.take_up(bench, record)
            self.settle(bench, record)
        except HostError as error:
            raise GateFailed(error.what, where=error.where, next=error.next) from error

    def settle(self, bench: Workbench, record: Before) -> None:
        """Compare the neighbours, then let its unit start at boot where the plan says so.

        Raises:
            GateFailed: other sites answer differently.
            HostError: the unit cannot be enabled.
        """
        self._compare(bench, record)
        if self.enable and record.enabled is False:
            services.carry_out(bench.host, record.service, services.enable_command(record.service.unit))

    def test(self, bench: Workbench, record: Before) -> None:
        """Test the configuration on disk.

        Raises:
            GateFailed: it does not load, or another site has one of our names.
            HostError: it cannot be tested.
        """
        title = self.control.title
        bench.report(f"testing {title}'s configuration")
        verdict = self.control.examine(bench.host, record.service, self.limit)
        if not verdict.loads:
            whose = "our own file" if verdict.file in self.own else "a file that is not ours"
            if verdict.file is not None and verdict.file.resolve() in {path.resolve() for path in self.edited}:
                whose = "our own file with your edit in it, which may be why"
            raise GateFailed(
                f"{title}'s configuration does not load: {verdict.error}" + (f", in {whose}" if verdict.file else ""),
                where=f"{verdict.file}:{verdict.line}" if verdict.file else "",
                next=f"{title} was left as it was. Correct this line, then try again",
            )
        names = {e.name for e in self.expectations}
        conflicts = self.control.conflicts(record.warnings, verdict.warnings, names)
        if conflicts:
            rivals = sorted({neighbour.site for neighbour in self.neighbours if neighbour.host in names})
            raise GateFailed(
                f"another site of {title} has the same name: {'; '.join((*conflicts, *rivals))}",
                next=f"{title} was left as it was. Remove the name from one of the two, then try again",
            )

    def take_up(self, bench: Workbench, record: Before) -> None:
        """Reload or start, and prove; a failure tells its cause before its symptom.

        Raises:
            GateFailed: the right answers do not come.
            Interrupted: the run was asked to stop.
        """
        host, service, proxy = bench.host, record.service, self.control
        log = proxy.mark(host, self.error_log)
        running = services.is_active(host, service)
        if not running and not self.start:
            raise GateFailed(
                f"{proxy.title} is not running, and the plan was made for a running one", next="Plan again"
            )
        if running and (hazard := proxy.hazard(host, service, {(e.address, e.port) for e in self.expectations})):
            raise GateFailed(hazard, next=f"{proxy.title} was left as it was. Put this right, then try again")
        start = None if running else proxy.start(service, self.limit)
        command = start or taking_up(proxy, host, service, self.limit)
        bench.report(f"{command}, then asking every address and port")

        def check() -> None:
            bench.check()
            if proxy.gave_up(host, self.error_log, log):
                raise GateFailed(f"{proxy.title} keeps its old configuration")

        try:
            services.carry_out(host, service, command)
            markers.prove(self.expectations, time.monotonic() + self.patience, replace(bench, check=check))
        except (GateFailed, HostError) as unproven:
            cause = proxy.cause(host, service, self.error_log, log)
            what = f"{cause} ({unproven.what})" if cause else unproven.what
            raise GateFailed(what, where=unproven.where, next=f"{unproven.next}{self._doubt}") from unproven

    @property
    def _doubt(self) -> str:
        """What else may be why, where somebody's edit is in our files."""
        return f". Your edit of {', '.join(map(str, self.edited))} may be why" if self.edited else ""

    def _compare(self, bench: Workbench, record: Before) -> None:
        """Compare the neighbours; a socket that was closed may answer now."""
        bench.report("asking other sites again")
        different = differences(self.neighbours, of_open_sockets(record.neighbours), bench)
        if different:
            raise GateFailed(
                f"other sites answer differently: {in_short(different)}",
                next=f"If their files were changed meanwhile, reload {self.control.title} first; then try again",
            )

    def refresh(self, bench: Workbench, before: Json) -> Json:
        """Return the record for a rollback: neighbours are compared with what they are just before it."""
        plain: Json = converter.unstructure(replace(converter.structure(before, Before), late=True))
        return plain

    def restore(self, bench: Workbench, before: Json) -> None:
        """Take up the files that are back, or stop what was stopped, and prove the old answers.

        Raises:
            NotPutBack: the old answers do not come back, with the cause where it can be named.
        """
        record = converter.structure(before, Before)
        Restoration(self.proxy, record, self.expectations, self.neighbours, self.patience, self.limit).carry_out(bench)


def activate(
    proxy: Proxy,
    service: Service,
    system: System,
    expectations: Sequence[Expectation],
    own: Sequence[Path],
    hosts: Collection[str] = (),
    *,
    enable: bool,
) -> ActivateProxy:
    """Return the activation of a change to a proxy as the facts saw it.

    Args:
        proxy: as found.
        service: the same as a service.
        system: for the addresses of this host.
        expectations: what the change must show.
        own: all our files in its configuration, old and new.
        hosts: the names whose sites take a line of ours.
        enable: whether its unit shall start at boot.
    """
    return ActivateProxy(
        proxy=proxy.kind,
        service=service,
        error_log=Path(proxy.error_log) if proxy.error_log else None,
        expectations=tuple(expectations),
        neighbours=neighbours(proxy.servers, system, expectations, own, hosts),
        own=tuple(own),
        start=proxy.pid is None,
        enable=enable,
    )
