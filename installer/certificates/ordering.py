"""Orders and renewals: certbot in a process of its own, watched from here, with every attempt in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from palpo_installer import naming
from palpo_installer.certificates import external_account, ledger, store
from palpo_installer.certificates.explanation import explain
from palpo_installer.certificates.process import LIMIT, Watch, run
from palpo_installer.certificates.protocol import Result
from palpo_installer.certificates.workplace import Workplace, is_busy, wait_until_idle
from palpo_installer.errors import OrderRefused
from palpo_installer.host import Host
from palpo_installer.layout import Layout

ISSUANCE = 180
"""Seconds that a CA gets between the proof and the certificate."""


@dataclass(frozen=True)
class Order:
    """What is ordered, and from whom.

    Attributes:
        name: a host name.
        directory: the ACME directory URL.
        email: the contact for the account, empty for none.
        agree_terms: whether the CA's terms of service were agreed to.
        ca_file: the PEM file of an authority to trust when talking to the directory, None for the system's.
        eab_file: the external account, None where the CA needs none.
        proxy: the URL of an HTTP proxy for talking to the directory, empty for none.
        webroot: where the proof is written, for the proxy to serve.
        responder: where it is answered meanwhile for a proxy that serves no files, empty for one that does.
    """

    name: str
    directory: str
    email: str
    agree_terms: bool
    ca_file: Path | None
    eab_file: Path | None
    proxy: str
    webroot: Path
    responder: str = field(default="", kw_only=True)


def trial(wanted: Order, layout: Layout, watch: Watch) -> None:
    """Order without keeping anything, to see whether the CA finds the proof.

    Raises:
        OrderRefused: the CA refuses, or the ledger does; with the CA's words and what to do next.
        AnswersError: an answer about the account is wrong.
        HostError: the CA cannot be reached, or this host is in the way.
        Interrupted: the run was asked to stop.
    """
    watch.report(f"trying an order for {wanted.name} at {_host(wanted)}")
    attempt = _attempt("trial", wanted, (*_certonly(wanted), "--dry-run"), layout, watch)
    ledger.append(layout.ledger, replace(attempt, outcome="issued"))


def order(wanted: Order, layout: Layout, watch: Watch) -> None:
    """Order the certificate of one name, also where its lineage has one that cannot be used.

    Raises:
        OrderRefused, AnswersError, HostError, Interrupted: as for ``trial``.
    """
    watch.report(f"ordering the certificate for {wanted.name} at {_host(wanted)}")
    again = (layout.acme / "renewal" / f"{store.lineage(wanted.name)}.conf").exists()
    arguments = (*_certonly(wanted), "--force-renewal" if again else "--keep-until-expiring")
    attempt = _attempt("order", wanted, arguments, layout, watch)
    ledger.append(layout.ledger, replace(attempt, outcome="issued"))
    certificate = store.read(Host(layout), store.ordered(layout, wanted.name))
    problem = store.usable(certificate, wanted.name, datetime.now(UTC), remaining=0)
    if problem:
        raise OrderRefused(f"the CA issued a certificate for {wanted.name}, but {problem}", where=wanted.directory)


def renew(wanted: Order, layout: Layout, watch: Watch) -> bool:
    """Renew the certificate of one name if it is due, and return whether it was.

    Certbot decides: the CA's own wish (RFC 9773), else a third of the lifetime left, half of a short one. The
    directory and the way of proving are those that the lineage was ordered with.

    Raises:
        OrderRefused, AnswersError, HostError, Interrupted: as for ``trial``.
    """
    watch.report(f"renewing the certificate for {wanted.name} if it is due")
    settle(layout, watch)
    host, files = Host(layout), store.ordered(layout, wanted.name)
    before = store.read(host, files)
    # An external account is asked for once, when the account is made.
    directory = store.issued_by(host, layout, wanted.name) or wanted.directory
    used = replace(wanted, directory=directory, eab_file=None)
    if not store.usable(before, wanted.name, datetime.now(UTC)) and refusal(used, layout):
        return False
    arguments = ("renew", *_common(wanted), "--no-random-sleep-on-renew")
    attempt = _attempt("renewal", used, arguments, layout, watch)
    renewed = store.read(host, files) != before
    ledger.append(layout.ledger, replace(attempt, outcome="issued" if renewed else "not due"))
    return renewed


def refusal(wanted: Order, layout: Layout) -> OrderRefused | None:
    """Return why this order must not be made now, None when it may be.

    Raises:
        HostError: the ledger cannot be read.
    """
    if naming.is_literal(wanted.name):
        # Certbot can lose such a certificate after it was issued: one with the address as common name.
        return OrderRefused(
            f"no certificate is ordered for the address {wanted.name}",
            where="certificates.method",
            next="Bring one with the method files, or use a name",
        )
    known = ledger.attempts(layout.ledger)
    return ledger.refusal(known, wanted.directory, wanted.name, datetime.now(UTC))


def settle(layout: Layout, watch: Watch) -> None:
    """Wait for an order that outlived the run it belonged to.

    Raises:
        TimedOut: it is still being made.
        Interrupted: the run was asked to stop.
    """
    if is_busy(layout):
        watch.report("waiting for an order that is still being made")
        wait_until_idle(layout, LIMIT, watch.check)


def _attempt(
    purpose: ledger.Purpose, wanted: Order, arguments: tuple[str, ...], layout: Layout, watch: Watch
) -> ledger.Attempt:
    """Make one attempt that the ledger allows, and return it when certbot was content."""
    place = Workplace.of(layout)
    refused = refusal(wanted, layout)
    if refused:
        raise refused
    if wanted.eab_file:
        external_account.read(wanted.eab_file)
    settle(layout, watch)
    place.prepare()
    attempt = ledger.begin(layout.ledger, wanted.directory, wanted.name, purpose, datetime.now(UTC))
    external = ("--external-account", str(wanted.eab_file)) if wanted.eab_file else ()
    answering = ("--answer", wanted.responder, str(wanted.webroot)) if wanted.responder else ()
    program = (*external, *answering, "--", *arguments, *place.arguments())
    ended = run(program, place.environment(wanted.ca_file, wanted.proxy), place, watch)
    if ended.result.status == "failed":
        ledger.append(layout.ledger, _failed(attempt, ended.result))
        if ended.asked is None:
            raise explain(wanted.name, wanted.directory, ended.result, place.logs)
    if ended.asked is not None:
        if ended.result.status == "done":
            ledger.append(layout.ledger, replace(attempt, outcome="issued"))
        raise ended.asked
    return attempt


def _failed(attempt: ledger.Attempt, result: Result) -> ledger.Attempt:
    told = [problem.not_again_before for problem in result.problems if problem.not_again_before]
    kind = result.problems[-1].type if result.problems else result.error
    return replace(attempt, outcome="failed", error=kind, not_again_before=max(told, default=None))


def _certonly(wanted: Order) -> tuple[str, ...]:
    return (
        "certonly",
        *_common(wanted),
        *(("--agree-tos",) if wanted.agree_terms else ()),
        *((f"--email={wanted.email}",) if wanted.email else ("--register-unsafely-without-email",)),
        "--no-eff-email",
        *("--domain", wanted.name),
        *("--key-type", "ecdsa", "--elliptic-curve", "secp256r1"),
        *("--webroot", "--webroot-path", str(wanted.webroot)),
        *("--server", wanted.directory),
    )


def _common(wanted: Order) -> tuple[str, ...]:
    lineage = store.lineage(wanted.name)
    return ("--non-interactive", "--cert-name", lineage, "--issuance-timeout", str(ISSUANCE))


def _host(wanted: Order) -> str:
    return urlsplit(wanted.directory).hostname or wanted.directory
