"""Operations on certificates: ask for the proof as the CA will, order, or issue for trying out."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from palpo_installer.answers import CertificateFiles, Certificates
from palpo_installer.certificates import authority, ordering, store
from palpo_installer.certificates.directory import STAGING
from palpo_installer.certificates.ordering import Order
from palpo_installer.certificates.process import Watch
from palpo_installer.certificates.responder import answering
from palpo_installer.errors import GateFailed, HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Description, Json, Operation, State, Workbench
from palpo_installer.operations.paths import existing_ancestor, fsync_directory
from palpo_installer.probe import Answer, Question, ask
from palpo_installer.site import CHALLENGE_PATH


class CertificateOperation(Operation):
    """What is never taken back: certificates, accounts and the ledger stay, and a retry uses them."""

    lasting: ClassVar[bool] = True

    def undo(self, bench: Workbench, before: Json) -> None:
        """Leave everything."""

    def finish(self, bench: Workbench, before: Json) -> None:
        """Nothing was staged."""


@dataclass(frozen=True)
class OrderCertificate(Order, CertificateOperation):
    """Orders the certificate of one name, unless the one on disk can be used.

    Attributes:
        files: where the certificate will be.
        staging_directory: where the order is tried first, empty where the CA has no such directory.
    """

    files: CertificateFiles
    staging_directory: str

    @classmethod
    def for_name(cls, name: str, certificates: Certificates, layout: Layout, responder: str = "") -> OrderCertificate:
        """Return the order of a name's certificate for these answers; ``responder`` as in ``Order``."""
        return cls(
            name=name,
            files=store.ordered(layout, name),
            email=certificates.email,
            agree_terms=certificates.agree_terms,
            directory=certificates.directory,
            ca_file=certificates.ca_file,
            eab_file=certificates.eab_file,
            proxy=certificates.proxy,
            staging_directory=STAGING.get(certificates.directory, ""),
            webroot=layout.webroot,
            responder=responder,
        )

    def describe(self, host: Host) -> Description:
        """Show the name, the CA and why."""
        try:
            why = self.problem(host)
        except HostError as error:
            why = str(error)
        trial = (f"tried first at {self.staging_directory}",) if self.staging_directory else ()
        details = (f"from {self.directory}", *trial, f"files: {self.files.chain}, {self.files.key}")
        return Description(f"order a certificate for {self.name}", details=(*details, why) if why else details)

    def problem(self, host: Host) -> str:
        """Return why the certificate on disk will not do, empty when it will."""
        issued_by = store.issued_by(host, host.layout, self.name)
        if issued_by and issued_by != self.directory:
            return f"the certificate on disk is from {issued_by}"
        return store.usable(store.read(host, self.files), self.name, datetime.now(UTC))

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Ask the ledger, before anything is changed for an order that may not be made.

        Raises:
            OrderRefused: it may not be made now.
        """
        if self.problem(bench.host):
            refused = ordering.refusal(self, bench.host.layout)
            if refused:
                raise refused
        return {}

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether the certificate on disk can be used."""
        return State.BEFORE if self.problem(bench.host) else State.AFTER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Try the order where that costs nothing, then make it once.

        Raises:
            OrderRefused: the CA or the ledger refuses.
            AnswersError: an answer about the account is wrong.
            HostError: the CA cannot be reached, or this host is in the way.
            Interrupted: the run was asked to stop.
        """
        layout, watch = bench.host.layout, Watch(bench.report, bench.check)
        # One that outlived a killed engine may be about to bring the certificate.
        ordering.settle(layout, watch)
        if self.problem(bench.host):
            if self.staging_directory:
                ordering.trial(replace(self, directory=self.staging_directory), layout, watch)
            ordering.order(self, layout, watch)
        else:
            bench.report(f"the certificate for {self.name} can be used; nothing is ordered")
        return _digest(bench.host, self.files)


@dataclass(frozen=True)
class IssueSelfSigned(CertificateOperation):
    """Issues a certificate of the local authority, for trying out; ``files`` is where it will be."""

    name: str
    files: CertificateFiles

    def describe(self, host: Host) -> Description:
        """Show the name and that nobody trusts it."""
        details = (f"files: {self.files.chain}, {self.files.key}", "clients and other servers will not trust it")
        return Description(f"issue a certificate for {self.name}, for trying out only", details=details)

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Nothing to look at."""
        return {}

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether the certificate on disk can be used."""
        return State.BEFORE if authority.problem(bench.host, self.name, datetime.now(UTC)) else State.AFTER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Issue it where it is missing or due.

        Raises:
            HostError: the files cannot be written.
        """
        if authority.problem(bench.host, self.name, datetime.now(UTC)):
            authority.issue(self.name, bench.host.layout)
        return _digest(bench.host, self.files)


@dataclass(frozen=True)
class ProbeChallenge(Operation):
    """Asks the host's own sockets for a proof as the CA will, before an order depends on it.

    Attributes:
        names: the names to ask for.
        sockets: address, port, and whether the socket expects a PROXY line, of each socket for plain HTTP.
        webroot: where proofs are written.
        responder: where they are answered meanwhile for a proxy that serves no files, empty for one that does.
    """

    names: tuple[str, ...]
    sockets: tuple[tuple[str, int, bool], ...]
    webroot: Path
    responder: str = field(default="", kw_only=True)

    @property
    def directory(self) -> Path:
        """Where the files of proofs lie."""
        return self.webroot / CHALLENGE_PATH.lstrip("/")

    def describe(self, host: Host) -> Description:
        """Show what is asked where."""
        sockets = ", ".join(f"{address} port {port}" for address, port, _ in self.sockets)
        details = (f"names: {', '.join(self.names)}", f"sockets: {sockets}", f"files: {self.directory}")
        return Description("ask for a proof as the certificate authority will", details=details)

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Look which directories are missing, and draw the name of the proof."""
        ours = [self.directory, *self.directory.parents]
        known = existing_ancestor(self.directory)
        missing = ours[: ours.index(known)] if not self.directory.is_dir() else []
        return {"missing": [str(path) for path in missing], "token": f"palpo-installer-{secrets.token_hex(16)}"}

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether there is a place for proofs."""
        return State.AFTER if self.directory.is_dir() else State.BEFORE

    def act(self, bench: Workbench, before: Json) -> Json:
        """Make the place, write a proof, ask every socket for it with every name, and remove it.

        Raises:
            GateFailed: an answer is not the proof; with address, name and what came instead.
            Interrupted: the run was asked to stop.
        """
        for path in (self.directory, *self.directory.parents)[::-1]:
            if not path.is_dir():
                path.mkdir()
                path.chmod(0o755)
        token, body = self.directory / str(before["token"]), secrets.token_hex(32)
        try:
            token.write_text(body)
            token.chmod(0o644)
            with answering(self.responder, self.webroot):
                for address, port, proxy_protocol in self.sockets:
                    for name in self.names:
                        bench.check()
                        self._ask(Question(address, port, False, name, proxy_protocol=proxy_protocol), token.name, body)
        finally:
            token.unlink(missing_ok=True)
        return {}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Remove the proof and the directories that were missing, unless something else lies in them."""
        (self.directory / str(before["token"])).unlink(missing_ok=True)
        missing = before["missing"]
        for path in map(Path, missing if isinstance(missing, list) else []):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
                fsync_directory(path.parent)

    def _ask(self, question: Question, token: str, body: str) -> None:
        target = f"{CHALLENGE_PATH}/{token}"
        answer = ask(replace(question, target=target))
        if answer.status == 200 and answer.body == body.encode():
            return
        raise GateFailed(
            f"the proof for {question.host} is not served: {instead(answer)}",
            where=f"{question.address} port {question.port}, {target}",
            next="See which site of the proxy answers there, and that the proxy may read the file",
        )


def instead(answer: Answer) -> str:
    """Return what came instead of a proof, in words."""
    if answer.problem:
        return f"no answer came ({answer.problem})"
    if answer.header("location"):
        return f"it answers {answer.status} and sends on to {answer.header('location')}"
    if answer.status != 200:
        return f"it answers {answer.status}"
    start = answer.body[:60].decode(errors="replace")
    return f"it answers with something else, which begins {start!r}"


def _digest(host: Host, files: CertificateFiles) -> Json:
    certificate = store.read(host, files)
    return {"certificate": certificate.sha256 if certificate else ""}
