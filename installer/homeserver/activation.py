"""How Palpo takes up palpo.toml: it cannot reload, so it is restarted, and proven by what it answers."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer import services
from palpo_installer.answers import Address
from palpo_installer.errors import GateFailed, HostError, NotPutBack
from palpo_installer.gates.asking import uninterrupted, until_steady
from palpo_installer.host import Host
from palpo_installer.operations.base import Activation, Description, Json, Workbench
from palpo_installer.probe import Answer, Question
from palpo_installer.serialization import converter
from palpo_installer.services import Service

PATHS = ("/healthz", "/_matrix/client/versions")
"""Palpo's own health check, and the one request that every homeserver answers without a login."""


@dataclass(frozen=True)
class Before:
    """Palpo before the change.

    Attributes:
        running: whether its manager runs it.
        pid: its main process, None where it does not run.
        answered: whether it answered at its former address.
        sha256: of palpo.toml, empty where there was none.
    """

    running: bool
    pid: int | None
    answered: bool
    sha256: str


@dataclass(frozen=True)
class RestartPalpo(Activation):
    """Restarts Palpo after its file changed, if it runs; one that is stopped stays stopped.

    Attributes:
        service: Palpo; None where nothing was found that could restart it.
        configuration: palpo.toml.
        address: where it answers with the new file.
        former: where it answered with the old one, None where it did not.
        patience: seconds for its answer; a start migrates its database.
        limit: seconds for the restart itself.
    """

    service: Service | None
    configuration: Path
    address: Address
    former: Address | None
    patience: float = 60.0
    limit: float = 120.0

    def describe(self, host: Host) -> Description:
        """Return how it shows itself."""
        if self.service is None:
            return Description("Palpo is not restarted", details=("nothing was found that could restart it",))
        command = services.restart_command(self.service, self.limit)
        proof = f"proven by {PATHS[0]} at {reachable(self.address)}"
        return Description("Restart Palpo, if it runs", details=(f"{command} (at most {self.limit:g} seconds)", proof))

    def prepare(self, bench: Workbench) -> Json:
        """Record whether it runs and answers."""
        before = Before(
            running=self.service is not None and services.is_active(bench.host, self.service),
            pid=services.main_process(bench.host, self.service) if self.service is not None else None,
            answered=self.former is not None and not _problems(bench, self.former, time.monotonic()),
            sha256=_digest(bench.host, self.configuration),
        )
        plain: Json = converter.unstructure(before)
        return plain

    def activate(self, bench: Workbench, before: Json) -> None:
        """Restart, and wait for its answer.

        Where Palpo did not answer before, an answer that does not come is told and is no failure.

        Raises:
            GateFailed: it answered before and does not now.
            Interrupted: the run was asked to stop.
        """
        record = converter.structure(before, Before)
        if _digest(bench.host, self.configuration) == record.sha256:
            return
        if self.service is None or not record.running:
            bench.report(f"Palpo is not running; start it to take up {self.configuration}")
            return
        problem = self._restart(bench, self.service, self.address, self.patience)
        if problem and record.answered:
            raise GateFailed(problem, where=str(reachable(self.address)), next=self._look)
        if problem:
            bench.report(f"{problem}. It did not answer before either. {self._look}")

    def _restart(self, bench: Workbench, service: Service, address: Address, patience: float) -> str:
        """Restart and return what keeps Palpo from answering, empty when it answers."""
        command = services.restart_command(service, self.limit)
        bench.report(f"{command}, then waiting for Palpo's answer")
        try:
            services.carry_out(bench.host, service, command)
        except HostError as error:
            return f"Palpo could not be restarted: {error}"
        return _problems(bench, address, time.monotonic() + patience)

    @property
    def _look(self) -> str:
        """Where Palpo says why."""
        service = self.service
        if service is None or service.manager == "direct":
            return "See what Palpo itself says"
        logs = f"{service.runtime} logs {service.container}" if service.container else f"journalctl -u {service.unit}"
        return f"See: {logs}"

    def refresh(self, bench: Workbench, before: Json) -> Json:
        """Return the record for a rollback: what its owner stopped or started since is not ours to undo."""
        record = converter.structure(before, Before)
        running = self.service is not None and services.is_active(bench.host, self.service)
        plain: Json = converter.unstructure(replace(record, running=running, answered=record.answered and running))
        return plain

    def restore(self, bench: Workbench, before: Json) -> None:
        """Restart with the file that is back, unless Palpo still runs as it did before.

        One that was stopped was never started by us, and is left alone.

        Raises:
            NotPutBack: it answered before and does not now.
        """
        record = converter.structure(before, Before)
        service, calm = self.service, uninterrupted(bench)
        if service is None or not record.running:
            if service is not None and services.is_active(bench.host, service):
                bench.report("Palpo was started by somebody else meanwhile, and goes on as it was started")
            return
        address = self.address if self.former is None else self.former
        patience = self.patience if record.answered else 0.0
        try:
            restarted = services.main_process(bench.host, service) != record.pid
        except HostError as error:
            raise NotPutBack(error.what, where=error.where, next=error.next) from error
        if restarted:
            problem = self._restart(calm, service, address, patience)
        else:
            problem = _problems(calm, address, time.monotonic() + patience)
        if problem and record.answered:
            raise NotPutBack(f"{self.configuration} is back, but {problem}", where="Palpo", next=self._look)


def reachable(address: Address) -> Address:
    """Return where a listener can be asked: at loopback if it is bound to every address."""
    return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)  # noqa: S104


def _problems(bench: Workbench, address: Address, until: float) -> str:
    """Wait for Palpo's answers until a deadline and return what is wrong with them, empty when they are right."""
    at = reachable(address)
    headers = {"User-Agent": "palpo-installer"}
    questions = [Question(at.host, at.port, tls=False, target=path, headers=headers) for path in PATHS]
    complaints = until_steady(questions, _complaint, bench, until, times=1)
    return "; ".join(f"{PATHS[number]} at {at}: {text}" for number, text in complaints.items())


def _complaint(number: int, answer: Answer) -> str:
    if answer.problem:
        return f"no answer: {answer.problem}"
    if answer.status != 200:
        return f"status {answer.status}"
    return "" if PATHS[number] == "/healthz" or b'"versions"' in answer.body else "not the answer of a homeserver"


def _digest(host: Host, path: Path) -> str:
    data = host.read(path)
    return "" if data is None else hashlib.sha256(data).hexdigest()
