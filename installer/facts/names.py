"""Names in DNS, asked at the name servers and not at /etc/hosts."""

from __future__ import annotations

from dataclasses import dataclass


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
