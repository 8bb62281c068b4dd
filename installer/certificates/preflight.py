"""What can be known of an order before it is made: nothing is asked here, the facts are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from palpo_installer import naming
from palpo_installer.certificates import caa
from palpo_installer.certificates.directory import Directory
from palpo_installer.certificates.ledger import LETS_ENCRYPT, LETS_ENCRYPT_STAGING
from palpo_installer.facts.names import Name
from palpo_installer.facts.system import System

METHOD = "http-01"
PUBLIC = frozenset({LETS_ENCRYPT, LETS_ENCRYPT_STAGING})
"""Directories of CAs that reach a name over the Internet alone."""


@dataclass(frozen=True)
class Finding:
    """Something about a name that an order may fail for.

    Attributes:
        name: the name.
        text: what was found, one sentence.
        next: what to do.
        blocking: whether the order cannot succeed; otherwise only the CA can tell.
    """

    name: str
    text: str
    next: str
    blocking: bool


def preflight(name: Name, system: System, directory: Directory, account: str = "") -> tuple[Finding, ...]:
    """Return what speaks against an order by HTTP-01 for a name.

    Args:
        name: what DNS says of it.
        system: this host, for its addresses.
        directory: the CA.
        account: the URL of our account there, empty where it is not known.
    """
    if name.problem:
        # A host that cannot ask DNS cannot reach the CA either, and a name that nobody can ask for has no proof.
        text = f"DNS cannot be asked for {name.name}: {name.problem}"
        return (Finding(name.name, text, "Check the name servers of the domain and this host's resolver", True),)
    if naming.is_literal(name.name):
        text = f"{name.name} is an address, and certificates are ordered for names only"
        return (Finding(name.name, text, "Use a name, or bring a certificate with the method files", True),)
    return (*_addresses(name, system, directory), *_caa(name, directory, account))


def _addresses(name: Name, system: System, directory: Directory) -> Iterator[Finding]:
    if not name.addresses:
        following = "Add an A record with this host's public address, and an AAAA record where it has one"
        yield Finding(name.name, f"{name.name} has no address in DNS", following, True)
        return
    private = [address for address in name.addresses if not ip_address(address).is_global]
    if private and directory.url in PUBLIC:
        # Any of the addresses may be asked, so one that leads nowhere is a matter of chance.
        text = f"{name.name} has the address {private[0]}, which is not reachable from the Internet"
        everywhere = len(private) == len(name.addresses)
        yield Finding(name.name, text, "Put the public address into DNS", everywhere)
    for address in name.addresses:
        if address not in system.addresses and address not in private:
            yield Finding(name.name, *_elsewhere(name.name, address, system), blocking=False)


def _elsewhere(name: str, address: str, system: System) -> tuple[str, str]:
    """Return what an address means that no interface here has, and what to do.

    It never forbids an order: address translation, load balancers and content networks all look like this.
    """
    version = ip_address(address).version
    ours = [each for each in system.addresses if ip_address(each).version == version and ip_address(each).is_global]
    text = f"{name} has the address {address}, which no interface of this host has"
    if version == 6:
        # There is hardly any translation of IPv6, and the CA asks IPv6 first.
        return text, "Unless something there passes port 80 on to this host, correct or remove the AAAA record"
    if ours:
        return text, f"If nothing there passes port 80 on to this host, the A record should be {ours[0]}"
    return text, "Behind address translation this is right: then port 80 must be passed on to this host"


def _caa(name: Name, directory: Directory, account: str) -> Iterator[Finding]:
    following = "Change the CAA records, or choose the CA that they name (certificates.directory)"
    for tag in caa.unknown_critical(name.caa):
        text = f"a CAA record of {name.name} has the critical tag {tag}, which no CA understands"
        yield Finding(name.name, text, following, True)
    properties = caa.relevant(name.caa, wildcard=name.name.startswith("*."))
    if properties is None:
        return
    nobody = not any(each.issuer for each in properties)
    if not directory.caa_identities and not nobody:
        text = f"{name.name} has CAA records, and {directory.url} does not say by which name they would allow it"
        yield Finding(name.name, text, "Check with the CA that its name stands in them", False)
        return
    why = caa.obstacle(properties, directory.caa_identities, METHOD, account)
    bound = caa.bound_to_account(properties, directory.caa_identities)
    if why:
        yield Finding(name.name, f"the CAA records of {name.name} forbid the order: {why}", following, True)
    elif bound and not account:
        text = f"the CAA records of {name.name} allow the account {bound} only"
        yield Finding(name.name, text, "If that is not the account of this host, add its own", False)
