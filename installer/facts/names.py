"""Names in DNS, asked at the name servers and not at /etc/hosts."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dns.exception
import dns.name
import dns.resolver
import idna
from dns.resolver import Answer, Resolver

from palpo_installer.host import Host
from palpo_installer.layout import Layout

RESOLV_CONF = Path("/etc/resolv.conf")
UPLINKS = Path("/run/systemd/resolve/resolv.conf")

WITHOUT_PORT = re.compile(r"(?<=[^:]):\d+$")
"""The port of a Matrix server name; an IPv6 address in brackets may stand before it."""

LIFETIME = 3.0
"""Seconds for all questions about one name."""


@dataclass(frozen=True)
class ServiceRecord:
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True)
class Name:
    """What DNS says of one name.

    Attributes:
        name: the name asked, in its ASCII form.
        addresses: A and AAAA, in that order.
        alias: the name a CNAME leads to, empty for none.
        federation: SRV records at ``_matrix-fed._tcp.<name>``.
        federation_old: SRV records at the deprecated ``_matrix._tcp.<name>``.
        caa: the CAA set that applies (RFC 8659: the name's or the closest parent's), as ``flags tag value``.
        problem: why it could not be asked (time-out, SERVFAIL, …), empty when it could; a name that
            does not exist is no problem: it has no addresses.
    """

    name: str
    addresses: tuple[str, ...]
    alias: str
    federation: tuple[ServiceRecord, ...]
    federation_old: tuple[ServiceRecord, ...]
    caa: tuple[str, ...]
    problem: str


def read(host: Host, names: tuple[str, ...], resolver: Resolver | None = None) -> tuple[Name, ...]:
    """Return what DNS says of each name, all asked at once; none takes longer than ``LIFETIME`` seconds.

    ``resolver`` is whom to ask instead of the name servers of this machine.
    """
    if not names:
        return ()
    ask = asking(host) if resolver is None else partial(look_up, resolver=resolver)
    with ThreadPoolExecutor(max_workers=min(8, len(names))) as pool:
        return tuple(pool.map(ask, names))


def asking(host: Host) -> Callable[[str], Name]:
    """Return what says what DNS says of a name: this machine's name servers, or a private copy itself."""
    if host.layout.private:
        return partial(within, host.layout)
    return partial(look_up, resolver=system_resolver(host))


def within(layout: Layout, name: str) -> Name:
    """Return where a name leads in a host's private copy: to itself, whatever the name, and nobody is asked."""
    form = _form(name)
    return form if isinstance(form, Name) else Name(form, layout.addresses, "", (), (), (), "")


def system_resolver(host: Host) -> Resolver:
    """Return a resolver that asks this machine's name servers and nothing else."""
    text = host.text(RESOLV_CONF) or ""
    if re.findall(r"^nameserver\s+(\S+)", text, re.MULTILINE) == ["127.0.0.53"]:
        # systemd-resolved answers from /etc/hosts too; the servers that it asks do not.
        text = host.text(UPLINKS) or text
    resolver = Resolver(configure=False)
    # Without a server in it, dnspython finds no configuration in the file; look_up says so then.
    with contextlib.suppress(dns.resolver.NoResolverConfiguration):
        resolver.read_resolv_conf(io.StringIO(text))
    return resolver


def look_up(name: str, resolver: Resolver) -> Name:
    """Ask for a name's addresses, SRV records and CAA set; a port behind the name is left out."""
    ascii_name = _form(name)
    if isinstance(ascii_name, Name):
        return ascii_name
    if not resolver.nameservers:
        return Name(ascii_name, (), "", (), (), (), f"no name server is configured in {RESOLV_CONF}")
    try:
        return _records(ascii_name, dns.name.from_text(ascii_name), _Lookup(resolver, time.monotonic() + LIFETIME))
    except dns.exception.DNSException as error:
        return Name(ascii_name, (), "", (), (), (), problem(error, resolver))


def _form(name: str) -> str | Name:
    """Return the ASCII form to ask for, or at once what there is to say of an address, or of what is no host name."""
    name = WITHOUT_PORT.sub("", name)
    if _is_address(name):
        return Name(name, (name.strip("[]"),), "", (), (), (), "")
    try:
        form = idna.encode(name.rstrip("."), uts46=True).decode()
        dns.name.from_text(form)
    except (idna.IDNAError, dns.exception.DNSException) as error:
        return Name(name, (), "", (), (), (), f"is no host name: {error}")
    return form


def _records(text: str, name: dns.name.Name, lookup: _Lookup) -> Name:
    first, second = lookup.answer(name, "A"), lookup.answer(name, "AAAA")
    canonical = next((each.canonical_name for each in (first, second) if each is not None), name)
    return Name(
        name=text,
        addresses=tuple(record.to_text() for each in (first, second) for record in each or ()),
        alias="" if canonical == name else canonical.to_text(omit_final_dot=True),
        federation=services(lookup.answer(dns.name.from_text("_matrix-fed._tcp", name), "SRV")),
        federation_old=services(lookup.answer(dns.name.from_text("_matrix._tcp", name), "SRV")),
        caa=_authorities(name, lookup),
        problem="",
    )


@dataclass(frozen=True)
class _Lookup:
    """Questions about one name, which share the time until ``deadline``."""

    resolver: Resolver
    deadline: float

    def answer(self, name: dns.name.Name, kind: str) -> Answer | None:
        """Return the answer, None where the name does not exist; it has no records where there are none."""
        left = max(self.deadline - time.monotonic(), 0.05)
        try:
            return self.resolver.resolve(name, kind, raise_on_no_answer=False, search=False, lifetime=left)
        except dns.resolver.NXDOMAIN:
            return None


def services(answer: Answer | None) -> tuple[ServiceRecord, ...]:
    """Return SRV records, the preferred ones first."""
    records = [
        ServiceRecord(each.priority, each.weight, each.port, each.target.to_text(omit_final_dot=True))
        for each in answer or ()
    ]
    return tuple(sorted(records, key=lambda each: (each.priority, -each.weight, each.target, each.port)))


def _authorities(name: dns.name.Name, lookup: _Lookup) -> tuple[str, ...]:
    """Return the first CAA set that is not empty, from the name up, the root left out (RFC 8659, section 3)."""
    while name != dns.name.root:
        found = tuple(
            f"{record.flags} {record.tag.decode()} {record.value.decode(errors='replace')}"
            for record in lookup.answer(name, "CAA") or ()
        )
        if found:
            return tuple(sorted(found))
        name = name.parent()
    return ()


def problem(error: dns.exception.DNSException, resolver: Resolver) -> str:
    """Return in words why the name servers gave no answer."""
    servers = ", ".join(map(str, resolver.nameservers))
    match error:
        case dns.exception.Timeout():
            return f"the name server {servers} did not answer within {LIFETIME:g} seconds"
        case dns.resolver.NoNameservers():
            return f"the name server {servers} could not answer ({_codes(error)})"
        case _:
            return f"the name server {servers} gave an answer that makes no sense: {error}"


def _codes(error: dns.resolver.NoNameservers) -> str:
    """Return what each server said: a response code such as SERVFAIL, or the error that asking it met."""
    said = [str(attempt[3]).rstrip(".") for attempt in error.kwargs.get("errors", ())]
    return ", ".join(dict.fromkeys(said)) or "no reason given"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
