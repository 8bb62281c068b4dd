"""Does every address of a name lead to what this installation serves?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from palpo_installer.probe import Answer
from palpo_installer.site import MARKER_HEADER
from palpo_installer.verify.report import Check, cannot_tell, failed, passed
from palpo_installer.verify.view import Contact, Endpoint, View

NAME = "connection"


def check_connections(view: View, contacts: Mapping[Endpoint, Contact]) -> tuple[Check, ...]:
    """Return a check for each address of each endpoint, and one where a name leads nowhere at all."""
    checks = (check for endpoint in view.endpoints for check in _checks(view, endpoint, contacts.get(endpoint)))
    # A port that takes no connection is the same finding for every name that it serves.
    return tuple(dict.fromkeys(checks))


def _checks(view: View, endpoint: Endpoint, contact: Contact | None) -> Iterator[Check]:
    if contact is None:
        yield cannot_tell(NAME, str(endpoint), "Its addresses did not answer in time.", "Run verify again.")
        return
    for address, answer in contact.answers.items():
        if (address, endpoint.port) in view.balanced:
            yield _balanced(endpoint, address)
            continue
        yield judge(endpoint, address, answer, own=view.is_own(address), digest=contact.digest)
    if endpoint.ours and not contact.answers and not contact.doors:
        yield failed(
            NAME,
            str(endpoint),
            f"Nothing on this machine answers for {endpoint}.",
            "Run `palpo-installer apply`, or look whether the proxy runs.",
        )


def judge(endpoint: Endpoint, address: str, answer: Answer, *, own: bool, digest: str) -> Check:
    """Return what an address's answer to the marker question says.

    Not to get through to this machine's ``own`` address is a failure; to another one it may be a router that does
    not send a connection back inside (hairpin NAT). ``digest`` is the marker that this machine shows when it is
    asked directly, empty where it was not.
    """
    subject = f"{endpoint} at {address}"
    if answer.problem:
        return _unreachable(endpoint, address, answer.problem, own=own)
    marker = answer.header(MARKER_HEADER)
    if endpoint.ours and not marker:
        return _other(endpoint, subject, own=own)
    if endpoint.ours and digest and marker != digest:
        return failed(
            NAME,
            subject,
            "Another installation answers there, or an older configuration of this one.",
            f"Correct the address of {endpoint.name} in DNS, or run `palpo-installer apply` on that machine.",
        )
    return passed(NAME, subject, "It is reached and shows this installation." if marker else "It is reached.")


def _balanced(endpoint: Endpoint, address: str) -> Check:
    return cannot_tell(
        NAME,
        f"port {endpoint.port} at {address}",
        "This machine answers there behind a load balancer only: the port expects its PROXY line before a request.",
        "Let names lead to the load balancer in DNS, and try it from another network.",
    )


def _unreachable(endpoint: Endpoint, address: str, problem: str, *, own: bool) -> Check:
    subject = f"port {endpoint.port} at {address}"
    if problem.startswith("tls: "):
        return failed(
            NAME,
            f"{endpoint} at {address}",
            f"Something listens there, but there is no TLS for {endpoint.name} ({problem.removeprefix('tls: ')}).",
            "Find out what it is with `palpo-installer detect`, or correct the address in DNS.",
        )
    if own:
        return failed(
            NAME,
            subject,
            f"This machine does not answer on port {endpoint.port} ({problem}).",
            "Look whether the proxy runs and has this configuration: `palpo-installer detect` shows who listens, "
            "`palpo-installer apply` puts it in place.",
        )
    return cannot_tell(
        NAME,
        subject,
        f"It cannot be reached from here ({problem}); the address is not one of this machine's interfaces, and "
        "routers often do not send a connection back inside.",
        "Try it from another network. If that fails too, look at this machine's firewall, at the provider's "
        f"firewall and at the router's forwarding of port {endpoint.port}.",
    )


def _other(endpoint: Endpoint, subject: str, *, own: bool) -> Check:
    if own:
        return failed(
            NAME,
            subject,
            f"Another site of this machine answers for {endpoint.name}: the header {MARKER_HEADER} is missing.",
            "Run `palpo-installer audit`: it names the site that takes these requests.",
        )
    return failed(
        NAME,
        subject,
        f"Another machine answers there: the header {MARKER_HEADER} is missing.",
        f"Correct the address of {endpoint.name} in DNS; an old AAAA record is the usual cause.",
    )
