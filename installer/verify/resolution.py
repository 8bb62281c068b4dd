"""How another server finds this one: Matrix spec v1.19, server-server API, "Resolving server names".

Pure over two questions, what DNS says of a name and what a URL answers, so that every case is data in a test.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urljoin, urlsplit

from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.probe import Answer

Lookup = Callable[[str], Name]
"""What DNS says of a name."""

Fetch = Callable[[str], Answer]
"""What a URL answers, redirects not followed, certificates checked."""

DEFAULT_PORT = 8448
SIZE_LIMIT = 50 * 1024
"""Bytes; other servers stop reading a well-known answer here (Synapse's limit)."""
REDIRECT_LIMIT = 10

_SERVER_NAME = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::([0-9]{1,5}))?", re.ASCII)


class Step(StrEnum):
    """The step of the specification at which resolution ended."""

    LITERAL = "1"
    PORT = "2"
    DELEGATED_LITERAL = "3.1"
    DELEGATED_PORT = "3.2"
    DELEGATED_SRV = "3.3"
    DELEGATED_OLD_SRV = "3.4"
    DELEGATED_DEFAULT = "3.5"
    SRV = "4"
    OLD_SRV = "5"
    DEFAULT = "6"


@dataclass(frozen=True)
class Destination:
    """Where to connect: a host, what its name resolves to, and the port."""

    host: str
    addresses: tuple[str, ...]
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Resolution:
    """Where another server ends up.

    Attributes:
        step: where it ended.
        destinations: in the order in which they are tried; none where an SRV record with the target ``.`` says
            that there is no such service.
        host: the Host header it sends.
        sni: the name in its TLS handshake, empty for an IP literal.
        certificate: the name or IP address that the certificate must be valid for.
        trace: the way in words, one sentence for each step.
        shadowed: SRV records that are never asked because the well-known answer is valid, in words.
        aliases: SRV targets that are aliases (CNAME), which RFC 2782 forbids.
        problem: what could not be asked on the way, and why; empty when everything answered.
    """

    step: Step
    destinations: tuple[Destination, ...]
    host: str
    sni: str
    certificate: str
    trace: tuple[str, ...]
    shadowed: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Hop:
    """One URL on the way through redirects, and its answer."""

    url: str
    answer: Answer


def resolve(server_name: str, lookup: Lookup, fetch: Fetch) -> Resolution:
    """Return where another server connects to for a server name."""
    host, port = split(server_name)
    if is_literal(host) or port is not None:
        step = Step.LITERAL if is_literal(host) else Step.PORT
        return _direct(step, host, port, server_name, lookup)
    hops = follow(f"https://{host}/.well-known/matrix/server", fetch)
    delegated, reason = read_server(hops[-1].answer)
    way = "".join(f"{hop.url} redirects to " for hop in hops[:-1]) + hops[-1].url
    if not delegated:
        trace = (f"Step 3: {way} is no delegation: {reason}.",)
        found = _by_records(host, (Step.SRV, Step.OLD_SRV, Step.DEFAULT), lookup)
        problem = found.problem or hops[-1].answer.problem
        return replace(found, trace=trace + found.trace, problem=problem)
    trace = (f"Step 3: {way} delegates to {delegated}.",)
    found = _delegated(delegated, lookup)
    own = lookup(host)
    shadowed = tuple(f"{prefix}.{host}" for prefix, records in service_records(own).items() if records)
    return replace(found, trace=trace + found.trace, shadowed=shadowed)


def follow(url: str, fetch: Fetch) -> tuple[Hop, ...]:
    """Return the answers on the way from a URL through its redirects; the last one is the answer proper."""
    hops: list[Hop] = []
    while True:
        hops.append(Hop(url, fetch(url)))
        url = _redirected(hops[-1])
        if not url or url in {hop.url for hop in hops} or len(hops) > REDIRECT_LIMIT:
            return tuple(hops)


def _redirected(hop: Hop) -> str:
    location = hop.answer.header("location")
    if hop.answer.status not in {301, 302, 303, 307, 308} or not location:
        return ""
    try:
        url = urljoin(hop.url, location)
        return url if urlsplit(url).hostname else ""
    except ValueError:
        return ""


def read_server(answer: Answer) -> tuple[str, str]:
    """Return the server that a well-known answer delegates to, or an empty text and why it is no delegation."""
    if answer.problem:
        return "", f"it does not answer ({answer.problem})"
    if answer.status != 200:
        return "", f"it answers {answer.status}"
    if len(answer.body) > SIZE_LIMIT:
        return "", f"its answer is longer than {SIZE_LIMIT // 1024} KiB"
    document = read_object(answer.body)
    server = document.get("m.server") if document else None
    if not isinstance(server, str):
        return "", "its answer is no JSON object" if document is None else "its answer has no m.server"
    return (server, "") if is_server_name(server) else ("", f"its m.server is no server name ({server!r})")


def read_object(body: bytes) -> dict[str, object] | None:
    """Return a body as a JSON object, None where it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def is_server_name(text: str) -> bool:
    """Return whether a text follows the grammar of server names (Matrix spec, appendices)."""
    match = _SERVER_NAME.fullmatch(text)
    if match is None or (match[2] and not 0 < int(match[2]) < 65536):
        return False
    return is_literal(match[1]) or not match[1].startswith("[")


def split(server_name: str) -> tuple[str, int | None]:
    """Return host and port of a server name, the port None where it has none; IPv6 keeps its brackets."""
    match = _SERVER_NAME.fullmatch(server_name)
    if match is None:
        return server_name, None
    return match[1], int(match[2]) if match[2] else None


def is_literal(host: str) -> bool:
    """Return whether a host is an IP address, IPv6 in brackets or without."""
    try:
        ipaddress.ip_address(bare(host))
    except ValueError:
        return False
    return True


def bare(host: str) -> str:
    """Return a host without the brackets of an IPv6 literal."""
    return host.removeprefix("[").removesuffix("]")


def addresses(host: str, lookup: Lookup) -> tuple[str, ...]:
    """Return what a host resolves to; an IP literal is its own address."""
    return (bare(host),) if is_literal(host) else lookup(host).addresses


def service_records(name: Name) -> dict[str, tuple[ServiceRecord, ...]]:
    """Return a name's SRV records by their prefix, the current one first."""
    return {"_matrix-fed._tcp": name.federation, "_matrix._tcp": name.federation_old}


def target(record: ServiceRecord) -> str:
    """Return the target of an SRV record without its final dot; empty where the service is switched off."""
    return record.target.rstrip(".").lower()


def _direct(step: Step, host: str, port: int | None, header: str, lookup: Lookup) -> Resolution:
    destination = Destination(host, addresses(host, lookup), DEFAULT_PORT if port is None else port)
    kind = "an IP address" if is_literal(host) else "a name with a port"
    problem = "" if is_literal(host) else lookup(host).problem
    trace = (f"Step {step}: {header} is {kind}: connect to {destination}.",)
    sni = "" if is_literal(host) else host
    return Resolution(step, (destination,), header, sni, bare(host), trace, problem=problem)


def _delegated(server: str, lookup: Lookup) -> Resolution:
    host, port = split(server)
    if is_literal(host) or port is not None:
        step = Step.DELEGATED_LITERAL if is_literal(host) else Step.DELEGATED_PORT
        return _direct(step, host, port, server, lookup)
    return _by_records(host, (Step.DELEGATED_SRV, Step.DELEGATED_OLD_SRV, Step.DELEGATED_DEFAULT), lookup)


def _by_records(host: str, steps: tuple[Step, Step, Step], lookup: Lookup) -> Resolution:
    """Go on with SRV records, the current name before the deprecated one, and port 8448 without any."""
    name = lookup(host)
    trace: list[str] = []
    for step, (prefix, records) in zip(steps, service_records(name).items(), strict=False):
        if not records:
            trace.append(f"Step {step}: there is no SRV record {prefix}.{host}.")
            continue
        # Lower priorities are tried first; within one, the weights make it a draw.
        ordered = sorted(records, key=lambda record: (record.priority, -record.weight))
        found = tuple(
            Destination(target(record), addresses(target(record), lookup), record.port)
            for record in ordered
            if target(record)
        )
        where = ", ".join(map(str, found)) or "nowhere: the service is switched off"
        trace.append(f"Step {step}: the SRV record {prefix}.{host} leads to {where}.")
        aliases = tuple(there.host for there in found if not is_literal(there.host) and lookup(there.host).alias)
        return Resolution(
            step,
            found,
            host,
            host,
            host,
            tuple(trace),
            aliases=aliases,
            problem=name.problem,
        )
    trace.append(f"Step {steps[2]}: connect to {host}:{DEFAULT_PORT}.")
    destination = Destination(host, name.addresses, DEFAULT_PORT)
    return Resolution(steps[2], (destination,), host, host, host, tuple(trace), problem=name.problem)
