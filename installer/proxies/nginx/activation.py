"""How nginx takes up a change, and the proof that it did.

``nginx -t`` and a reload can both succeed while nginx goes on with its old configuration: a port that another
program holds is only found out by the master process, after the reload returned. See nginx, "Controlling nginx".
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
from palpo_installer.proxies.nginx import diagnosis, process
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.neighbours import neighbours
from palpo_installer.proxies.nginx.restoration import Before, Restoration, look
from palpo_installer.serialization import converter
from palpo_installer.services import Service


@dataclass(frozen=True)
class ActivateNginx(Activation):
    """Tests nginx's configuration, reloads or starts nginx, and proves what it serves.

    Attributes:
        service: nginx, as the facts saw it.
        error_log: the file of its error log, None where it has none.
        expectations: what the change must show.
        neighbours: what must be answered as before.
        own: our files, for telling our errors from others'.
        start: whether nginx is stopped and the plan starts it.
        enable: whether the plan makes its unit start at boot.
        patience: seconds for the right answers to come; nginx alone tries a taken port for 2.5.
        limit: seconds for each command.
        edited: those of our files that have somebody's edit in them.
    """

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

    def describe(self, host: Host) -> Description:
        """Return how it shows itself."""
        take_up = services.start_command if self.start else services.reload_command
        commands = [diagnosis.dry_run(self.service, self.limit), take_up(self.service, self.limit)]
        if self.enable and self.service.unit:
            commands.append(services.enable_command(self.service.unit))
        sockets = {(e.address, e.port) for e in self.expectations}
        return Description(
            title="Start nginx" if self.start else "Reload nginx",
            details=(
                *(f"{command} (at most {command.timeout:g} seconds)" for command in commands),
                f"proven by the marker and the certificate on {len(sockets)} addresses and ports",
                f"compared before and after: {len(self.neighbours)} requests to other sites",
            ),
        )

    def prepare(self, bench: Workbench) -> Json:
        """Record what is served and what runs now; writes nothing."""
        return look(self.service, self.expectations, self.neighbours, self.limit, bench)

    def activate(self, bench: Workbench, before: Json) -> None:
        """Test, reload or start, then prove marker, certificate and neighbours.

        Raises:
            GateFailed: nginx does not answer as promised, with the cause where it can be named.
            Interrupted: the run was asked to stop.
        """
        record = converter.structure(before, Before)
        try:
            self._test(bench, record)
            self._take_up(bench, record)
            self._compare(bench, record)
            if self.enable and record.enabled is False:
                services.carry_out(bench.host, record.service, services.enable_command(record.service.unit))
        except HostError as error:
            raise GateFailed(error.what, where=error.where, next=error.next) from error

    def _test(self, bench: Workbench, record: Before) -> None:
        bench.report("testing nginx's configuration")
        verdict = diagnosis.examine(bench.host, record.service, self.limit)
        if not verdict.loads:
            whose = "our own file" if verdict.file in self.own else "a file that is not ours"
            if verdict.file is not None and verdict.file.resolve() in {path.resolve() for path in self.edited}:
                whose = "our own file with your edit in it, which may be why"
            raise GateFailed(
                f"nginx's configuration does not load: {verdict.error}" + (f", in {whose}" if verdict.file else ""),
                where=f"{verdict.file}:{verdict.line}" if verdict.file else "",
                next="nginx was left as it was. Correct this line, then try again",
            )
        names = {e.name for e in self.expectations}
        conflicts = diagnosis.new_conflicts(record.warnings, verdict.warnings, names)
        if conflicts:
            rivals = sorted({neighbour.site for neighbour in self.neighbours if neighbour.host in names})
            raise GateFailed(
                f"another site of nginx has the same name: {'; '.join((*conflicts, *rivals))}",
                next="nginx was left as it was. Remove the name from one of the two, then try again",
            )

    def _take_up(self, bench: Workbench, record: Before) -> None:
        """Reload or start, and prove; a failure tells its cause before its symptom."""
        host, service, since = bench.host, record.service, time.time()
        log = diagnosis.mark(host, self.error_log)
        running = services.is_active(host, service)
        if not running and not self.start:
            raise GateFailed("nginx is not running, and the plan was made for a running one", next="Plan again")
        command = (services.reload_command if running else services.start_command)(service, self.limit)
        bench.report(f"{command}, then asking every address and port")

        def check() -> None:
            bench.check()
            if any(diagnosis.GAVE_UP in message for message in diagnosis.emergencies(host, self.error_log, log)):
                raise GateFailed("nginx keeps its old configuration")

        try:
            services.carry_out(host, service, command)
            markers.prove(self.expectations, time.monotonic() + self.patience, replace(bench, check=check))
        except (GateFailed, HostError) as unproven:
            messages = diagnosis.emergencies(host, self.error_log, log)
            if not messages and service.manager == "systemd":
                messages = diagnosis.journal_emergencies(host, service.unit, since)
            cause = diagnosis.explain(host, messages) or process.trouble(host, service)
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
                next="If their files were changed meanwhile, reload nginx first; then try again",
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
        Restoration(record, self.expectations, self.neighbours, self.patience, self.limit).carry_out(bench)


def activate_nginx(
    nginx: Nginx,
    system: System,
    expectations: Sequence[Expectation],
    own: Sequence[Path],
    hosts: Collection[str] = (),
    *,
    enable: bool,
) -> ActivateNginx:
    """Return the activation of a change to an nginx as the facts saw it.

    Args:
        nginx: as found.
        system: for the addresses of this host.
        expectations: what the change must show.
        own: all our files in its configuration, old and new.
        hosts: the names whose sites take a line of ours.
        enable: whether its unit shall start at boot.
    """
    return ActivateNginx(
        service=process.service_of(nginx),
        error_log=Path(nginx.error_log) if nginx.error_log else None,
        expectations=tuple(expectations),
        neighbours=neighbours(nginx.servers, system, expectations, own, hosts),
        own=tuple(own),
        start=nginx.pid is None,
        enable=enable,
    )
