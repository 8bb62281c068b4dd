"""The operation that lets the proxy order a certificate itself, before anything that it serves depends on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates import ledger, store
from palpo_installer.certificates.explanation import refused_by
from palpo_installer.certificates.process import Watch
from palpo_installer.errors import HostError, InstallerError, NotPutBack
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, Operation, State, Workbench
from palpo_installer.proxies.controls import control
from palpo_installer.proxies.ordering import Errand, Failed, Orders
from palpo_installer.services import Service

LIMIT = 180.0
"""Seconds for an order; a CA takes some, and much longer only when it has trouble."""


@dataclass(frozen=True)
class OrderByProxy(Operation):
    """Lets the proxy order the certificate of one name, unless it has one; certificates stay for ever.

    Attributes:
        name: a host name.
        proxy: the kind of proxy.
        service: the proxy, as the facts saw it.
        directory: the ACME directory URL.
        email: the contact for the proxy's account, empty for none.
        ca_file: the PEM file of an authority to trust when talking to the directory, None for the system's.
        files: where the proxy will keep it.
        staging_directory: where the order is tried first, empty where the CA has no such directory.
        staging_files: where the proxy will keep what comes of that.
    """

    name: str
    proxy: str
    service: Service
    directory: str
    email: str
    ca_file: Path | None
    files: CertificateFiles
    staging_directory: str = ""
    staging_files: CertificateFiles | None = None

    @property
    def _orders(self) -> Orders:
        found = control(self.proxy)
        assert isinstance(found, Orders)  # noqa: S101 - planned for such proxies only
        return found

    def describe(self, host: Host) -> Description:
        """Show the name, who orders, from whom, and why."""
        try:
            why = self.problem(host)
        except HostError as error:
            why = str(error)
        title = self._orders.title
        trial = (f"tried first at {self.staging_directory}",) if self.staging_directory else ()
        details = (
            f"from {self.directory} (at most {LIMIT:g} seconds)",
            *trial,
            f"{title} is reloaded before and after, and renews the certificate itself",
            f"files of {title}'s: {self.files.chain}, {self.files.key}",
        )
        return Description(
            f"let {title} order a certificate for {self.name}", details=(*details, why) if why else details
        )

    def problem(self, host: Host) -> str:
        """Return why what the proxy has will not do, empty when it will; one that is due it renews itself."""
        return self._lacks(host, self.files)

    def _lacks(self, host: Host, files: CertificateFiles) -> str:
        return store.usable(store.read(host, files), self.name, datetime.now(UTC), remaining=0)

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Ask the ledger, before anything is changed for an order that may not be made.

        Raises:
            OrderRefused: it may not be made now.
        """
        if self.problem(bench.host):
            self._allowed(bench.host)
        return {}

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether there is a certificate that can be used."""
        return State.BEFORE if self.problem(bench.host) else State.AFTER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Let it be ordered once, and wait for it.

        Raises:
            OrderRefused: the CA or the ledger refuses.
            HostError: the CA cannot be reached, or the proxy cannot be told.
            Interrupted: the run was asked to stop.
        """
        if not self.problem(bench.host):
            bench.report(f"the certificate for {self.name} can be used; nothing is ordered")
        else:
            if self.staging_files is not None:
                bench.report(f"trying an order for {self.name} at {urlsplit(self.staging_directory).hostname}")
                self._order(bench, "trial", self.staging_directory, self.staging_files)
            bench.report(f"{self._orders.title} orders the certificate for {self.name}")
            self._order(bench, "order", self.directory, self.files)
        certificate = store.read(bench.host, self.files)
        return {"certificate": certificate.sha256 if certificate else ""}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Keep the certificate; let the proxy go on as configured where an order was cut off.

        Raises:
            NotPutBack: it does not.
        """
        try:
            self._orders.forget(bench.host, self.service)
        except HostError as error:
            raise NotPutBack(error.what, where=error.where, next=error.next) from error

    def _allowed(self, host: Host, directory: str = "") -> None:
        directory = directory or self.directory
        refused = ledger.refusal(ledger.attempts(host.layout.ledger), directory, self.name, datetime.now(UTC))
        if refused is not None:
            raise refused

    def _order(self, bench: Workbench, purpose: ledger.Purpose, directory: str, files: CertificateFiles) -> None:
        """Make one attempt that the ledger allows, and record how it ended."""
        host, path = bench.host, bench.host.layout.ledger
        self._allowed(host, directory)
        errand = Errand(self.name, directory, self.email, self.ca_file, LIMIT, files)
        attempt = ledger.begin(path, directory, self.name, purpose, datetime.now(UTC))

        def arrived() -> bool:
            return not self._lacks(host, files)

        try:
            self._orders.order(host, self.service, errand, Watch(bench.report, bench.check), arrived)
        except Failed as failed:
            problem = failed.problem
            ended = replace(attempt, outcome="failed", error=problem.type, not_again_before=problem.not_again_before)
            ledger.append(path, ended)
            raise refused_by(directory, problem, self._orders.title) from failed
        except InstallerError:
            if arrived():
                ledger.append(path, replace(attempt, outcome="issued"))
            raise
        ledger.append(path, replace(attempt, outcome="issued"))
