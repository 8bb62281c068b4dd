"""The marker and the certificate: what every bound address must show before a change counts as applied.

A proxy's test and its reload can both succeed while the old configuration is still served, so that only the
answers on the sockets themselves decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from palpo_installer.answers import Address
from palpo_installer.errors import GateFailed
from palpo_installer.gates.asking import ask_all, until_steady
from palpo_installer.host import Host
from palpo_installer.operations.base import Workbench
from palpo_installer.probe import Answer, Question
from palpo_installer.proxies.base import Expectation
from palpo_installer.proxies.sockets import is_address
from palpo_installer.site import MARKER_HEADER, MARKER_PATH

IN_A_ROW = 3
"""A single right answer may come from one new worker among old ones."""

SILENCE = 1.0
"""Seconds to wait for a socket that was silent before: another program's, whose answer is no concern of ours."""


@dataclass(frozen=True)
class Former:
    """What a socket answered before a change.

    Attributes:
        marker: the marker it showed, empty for none.
        closed: whether it refused connections; None where that is no matter.
        silent: whether it took a connection and did not answer.
    """

    marker: str
    closed: bool | None
    silent: bool

    @property
    def by_marker(self) -> Former:
        """The same, where only the marker counts."""
        return replace(self, closed=None)


def prove(expectations: Sequence[Expectation], until: float, bench: Workbench) -> None:
    """Wait until every expectation is met three times in a row; status and body of the answers do not count.

    ``until`` is the deadline in ``time.monotonic`` seconds.

    Raises:
        GateFailed: one is not met, with the socket, the name, what was expected and what came.
        Interrupted: the run was asked to stop.
    """
    leaves = {path: leaf_of(bench.host, path) for e in expectations if (path := e.certificate) is not None}
    missing = [str(path) for path, leaf in leaves.items() if not leaf]
    if missing:
        raise GateFailed("holds no certificate that can be read", where=missing[0], next="Check this PEM file")

    def complain(number: int, answer: Answer) -> str:
        return complaint(expectations[number], answer, leaves)

    _settle(expectations, until_steady(questions(expectations), complain, bench, until, IN_A_ROW))


def record(expectations: Sequence[Expectation], bench: Workbench) -> tuple[Former, ...]:
    """Return what the sockets of a change answer before it is made, in the same order."""
    answers = ask_all(questions(expectations), bench, limit=15.0)
    return tuple(
        Former(answer.header(MARKER_HEADER), answer.problem == "refused", answer.problem == "timed out")
        for answer in answers
    )


def prove_former(expectations: Sequence[Expectation], former: Sequence[Former], until: float, bench: Workbench) -> None:
    """Wait until every socket shows the marker it showed before, and those that were closed are closed.

    Certificates are not compared: they are never taken back, so that the old configuration may show a newer one.

    Raises:
        GateFailed: a socket does not answer as it did before.
        Interrupted: the run was asked to stop.
    """

    def complain(number: int, answer: Answer) -> str:
        return _former_complaint(former[number], answer)

    asked = [
        replace(question, timeout=SILENCE) if before.silent else question
        for question, before in zip(questions(expectations), former, strict=True)
    ]
    _settle(expectations, until_steady(asked, complain, bench, until, IN_A_ROW))


def prove_gone(expectations: Sequence[Expectation], closed: Sequence[bool], until: float, bench: Workbench) -> None:
    """Wait until no socket shows a marker of ours, and those that shall be ``closed`` refuse connections.

    Raises:
        GateFailed: a socket still shows one, or still takes connections.
        Interrupted: the run was asked to stop.
    """

    def complain(number: int, answer: Answer) -> str:
        marker = answer.header(MARKER_HEADER)
        if marker:
            return f"still serves what is to go ({marker[:12]})"
        return "still takes connections" if closed[number] and answer.problem != "refused" else ""

    _settle(expectations, until_steady(questions(expectations), complain, bench, until, IN_A_ROW))


def questions(expectations: Sequence[Expectation]) -> tuple[Question, ...]:
    """Return the question for each expectation; an IP literal has no SNI (RFC 6066, section 3)."""
    return tuple(
        Question(
            address=e.address,
            port=e.port,
            tls=e.tls,
            host=e.name,
            sni=e.name if e.tls and not is_address(e.name.strip("[]")) else "",
            target=MARKER_PATH,
            headers={"User-Agent": "palpo-installer"},
            proxy_protocol=e.proxy_protocol,
        )
        for e in expectations
    )


def complaint(expectation: Expectation, answer: Answer, leaves: Mapping[Path, str]) -> str:
    """Return what is wrong with an answer, empty when it shows the marker and the certificate."""
    if answer.problem:
        return f"expected the new configuration, got no answer: {answer.problem}"
    marker = answer.header(MARKER_HEADER)
    if marker != expectation.marker:
        came = f"an earlier one ({marker[:12]})" if marker else f"none of ours (status {answer.status})"
        return f"expected the new configuration ({expectation.marker[:12]}), got {came}"
    path = expectation.certificate
    if path is not None and answer.certificate != leaves[path]:
        return f"expected the certificate in {path}, got another one, for {names_of(answer.chain)}"
    return ""


def _former_complaint(former: Former, answer: Answer) -> str:
    closed = answer.problem == "refused"
    if former.closed is not None and closed != former.closed:
        return "refuses connections now and did not before" if closed else "takes connections now and did not before"
    marker = answer.header(MARKER_HEADER)
    if marker == former.marker:
        return ""
    if answer.problem:
        return f"expected the earlier configuration ({former.marker[:12]}), got no answer: {answer.problem}"
    return f"expected {former.marker[:12] or 'no marker of ours'}, still shows {marker[:12] or 'no marker of ours'}"


def _settle(expectations: Sequence[Expectation], complaints: Mapping[int, str]) -> None:
    if not complaints:
        return
    told = [(expectations[number], text) for number, text in complaints.items()]
    first, text = told[0]
    others = f"; and {len(told) - 1} more addresses or names are not right" if len(told) > 1 else ""
    raise GateFailed(
        f"{first.name}: {text}{others}",
        where=str(Address(first.address, first.port)),
        next=f"See who listens on port {first.port} and what the proxy's error log says, then try again",
    )


def leaf_of(host: Host, path: Path) -> str:
    """Return the fingerprint (SHA-256, hex) of a PEM file's first certificate, empty when it holds none."""
    try:
        return _fingerprint(x509.load_pem_x509_certificate((host.text(path) or "").encode()))
    except ValueError:
        return ""


def _fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def names_of(leaf: bytes) -> str:
    """Return the names of a certificate in DER form, in words."""
    try:
        extension = x509.load_der_x509_certificate(leaf).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return "no name"
    return ", ".join(str(name.value) for name in extension.value) or "no name"
