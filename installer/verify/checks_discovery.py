"""Do other servers find the way here, by the delegation that was chosen?"""

from __future__ import annotations

from collections.abc import Mapping

from palpo_installer.answers import Delegation
from palpo_installer.matrix_site import delegated, service_record
from palpo_installer.site import (
    compact,
)
from palpo_installer.verify.checks_well_known import Document, unreachable
from palpo_installer.verify.fetching import Fetcher
from palpo_installer.verify.report import Check, Result, cannot_tell, failed, passed
from palpo_installer.verify.resolution import (
    Hop,
    Resolution,
    Step,
    follow,
    is_literal,
    read_server,
    resolve,
    service_records,
    split,
    target,
)
from palpo_installer.verify.view import Contact, Endpoint, View

NAME = "discovery"
WELL_KNOWN = "server well-known"
RECORDS = "service records"
PATH = "/.well-known/matrix/server"


def find(view: View, contacts: Mapping[Endpoint, Contact]) -> Resolution:
    """Return where another server ends up, asking as it would."""
    return resolve(view.answers.names.server_name, view.lookup, Fetcher(view, contacts))


def expected(view: View) -> tuple[str, int]:
    """Return host and port to which the chosen delegation leads."""
    names, federation = view.answers.names, view.answers.federation
    match federation.delegation:
        case Delegation.WELL_KNOWN:
            return names.client_host, view.layout.https_port
        case Delegation.SRV:
            return names.client_host, federation.port
        case _:
            return names.base, federation.port


def arrives(view: View, resolution: Resolution) -> bool:
    """Return whether another server ends up where the answers say."""
    steps = {
        Delegation.WELL_KNOWN: {Step.DELEGATED_PORT, Step.DELEGATED_LITERAL},
        Delegation.SRV: {Step.SRV, Step.OLD_SRV},
        Delegation.DIRECT: {Step.LITERAL, Step.PORT, Step.DEFAULT},
        Delegation.NONE: set(),
    }
    ends = {(there.host, there.port) for there in resolution.destinations}
    return resolution.step in steps[view.answers.federation.delegation] and ends == {expected(view)}


def check_discovery(view: View, contacts: Mapping[Endpoint, Contact], resolution: Resolution) -> tuple[Check, ...]:
    """Return the checks of the server well-known answer, of the SRV records, and of the way as a whole."""
    causes: list[Check] = []
    name, port = split(view.answers.names.server_name)
    if port is None and not is_literal(name):
        causes += filter(None, (_well_known(view, contacts), _records(view, name, resolution)))
    return (*causes, _whole(view, resolution, causes))


def _whole(view: View, resolution: Resolution, causes: list[Check]) -> Check:
    subject, trace = view.answers.names.server_name, " ".join(resolution.trace)
    unknown = any(check.result is Result.CANNOT_TELL for check in causes)
    if arrives(view, resolution) and not unknown:
        return passed(NAME, subject, f"Other servers find the way. {trace}")
    if any(check.result is not Result.PASS for check in causes):
        return cannot_tell(NAME, subject, f"It depends on what is named above. {trace}")
    if resolution.problem:
        return cannot_tell(
            NAME,
            subject,
            f"Not every question on the way was answered ({resolution.problem}). {trace}",
            "Put right what the other checks name, then run verify again.",
        )
    host, port = expected(view)
    ends = ", ".join(map(str, resolution.destinations))
    cure = f"Serve federation at {ends}, or choose a delegation: without one, other servers look nowhere else."
    return failed(NAME, subject, f"Other servers do not end up at {host}:{port}. {trace}", cure)


def _well_known(view: View, contacts: Mapping[Endpoint, Contact]) -> Check | None:
    endpoint = view.website
    subject = f"https://{endpoint.host}{PATH}"
    doors = contacts[endpoint].doors if endpoint in contacts else ()
    if not doors:
        return unreachable(WELL_KNOWN, subject, endpoint)
    seen = {address: follow(subject, Fetcher(view, contacts, only=(endpoint, address))) for address in doors}
    judged = (judge_well_known(view, subject, address, hops) for address, hops in seen.items())
    checks = sorted(judged, key=lambda check: check.result is not Result.FAIL)
    return checks[0]


def judge_well_known(view: View, subject: str, address: str, hops: tuple[Hop, ...]) -> Check:
    """Return whether the answer of one address suits the delegation: valid for ``well-known``, else not valid."""
    server, reason = read_server(hops[-1].answer)
    way = f" after a redirect to {hops[-1].url}" if len(hops) > 1 else ""
    if view.answers.federation.delegation is not Delegation.WELL_KNOWN:
        return _must_not_delegate(view, subject, server, reason)
    wanted = delegated(view.answers, view.layout)
    if server == wanted["m.server"]:
        return passed(WELL_KNOWN, subject, f"It delegates to {server}{way}.")
    shown = f"it delegates to {server} instead of {wanted['m.server']}" if server else reason
    cure = Document(subject, compact(wanted)).cure(view, view.website)
    return failed(WELL_KNOWN, subject, f"At {address}, {shown}{way}.", cure)


def _must_not_delegate(view: View, subject: str, server: str, reason: str) -> Check:
    if not server:
        return passed(WELL_KNOWN, subject, f"It is no delegation, as it must be: {reason}.")
    if view.answers.federation.delegation is Delegation.SRV:
        effect = f"other servers follow it to {server} and never look at the SRV records"
    else:
        effect = f"other servers follow it to {server} instead of coming here"
    cure = "Answer 404 there; Palpo serves a valid document by itself, so that path must not be passed to it."
    return failed(WELL_KNOWN, subject, f"It is a valid answer, so that {effect}.", cure)


def _records(view: View, name: str, resolution: Resolution) -> Check | None:
    found = view.lookup(name)
    records = service_records(found)
    if found.problem:
        return cannot_tell(RECORDS, name, f"DNS could not be asked for SRV records: {found.problem}.")
    match view.answers.federation.delegation:
        case Delegation.SRV:
            return _wanted_records(view, name, resolution)
        case Delegation.DIRECT if any(records.values()):
            present = ", ".join(f"{prefix}.{name}" for prefix, there in records.items() if there)
            what = f"There are SRV records, which other servers follow instead of coming here: {present}."
            return failed(RECORDS, name, what, "Remove them from DNS, or choose the delegation srv.")
        case _:
            return None


def _wanted_records(view: View, name: str, resolution: Resolution) -> Check:
    wanted = expected(view)
    lines, problems = [], []
    for prefix, records in service_records(view.lookup(name)).items():
        ends = {(target(record), record.port) for record in records}
        if ends == {wanted}:
            continue
        shown = ", ".join(f"{host}:{port}" if host else "nowhere (.)" for host, port in sorted(ends))
        problems.append(f"{prefix}.{name} leads to {shown}" if ends else f"{prefix}.{name} is missing")
        lines.append(service_record(prefix.removesuffix("._tcp"), name, *wanted))
    if lines:
        cure = "\n".join(["Publish in DNS, and nothing else under these names:", *lines])
        return failed(RECORDS, name, f"{'; '.join(problems)}.", cure)
    alias = view.lookup(wanted[0]).alias or ", ".join(resolution.aliases)
    if alias:
        what = f"The SRV records lead to {wanted[0]}, which is an alias (CNAME, {alias}); that is not allowed."
        cure = f"Give {wanted[0]} A and AAAA records of its own (RFC 2782 forbids an alias as the target)."
        return failed(RECORDS, name, what, cure)
    return passed(RECORDS, name, f"Both SRV records lead to {wanted[0]}:{wanted[1]}.")
