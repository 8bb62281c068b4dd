"""A CA's directory: what an order there needs (RFC 8555, section 7.1.1)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import certifi
import josepy.errors
from acme.client import ClientNetwork, ClientV2
from acme.errors import Error as AcmeError
from acme.messages import Directory as Resource

from palpo_installer import __version__
from palpo_installer.certificates.ledger import LETS_ENCRYPT, LETS_ENCRYPT_STAGING
from palpo_installer.errors import HostError

STAGING = {LETS_ENCRYPT: LETS_ENCRYPT_STAGING}
"""Directories that have a second one for trials, with the same checks and no limits to speak of."""


@dataclass(frozen=True)
class Directory:
    """What a CA says of itself.

    Attributes:
        url: of the directory.
        terms_of_service: URL of what must be agreed to, empty where there are no terms.
        external_account_required: whether accounts must be bound to one at the CA.
        caa_identities: the domains that stand for it in CAA records, none where it does not say.
        profiles: the kinds of certificate it offers, with a sentence each; none where it has no choice.
    """

    url: str
    terms_of_service: str
    external_account_required: bool
    caa_identities: tuple[str, ...]
    profiles: Mapping[str, str] = field(default_factory=dict)


def fetch(url: str, ca_file: Path | None, proxy: str, timeout: int = 10) -> Directory:
    """Ask a CA for its directory.

    Args:
        url: of the directory.
        ca_file: PEM file of the authority that vouches for the CA's own web server, None for the system's.
        proxy: URL of an HTTP proxy, empty for none.
        timeout: seconds for connecting and for each read.

    Raises:
        HostError: it cannot be reached, or what answers is no ACME directory.
    """
    network = ClientNetwork(user_agent=f"palpo-installer/{__version__}", timeout=timeout)
    network.verify_ssl = trust(ca_file)  # type: ignore[assignment]  # requests takes a path as well
    # What stands in our own environment must not decide where we connect to: the order itself does not see it.
    network.session.trust_env = False
    network.session.proxies = {"http": proxy, "https": proxy} if proxy else {}
    try:
        resource = ClientV2.get_directory(url, network)
        resource["newOrder"]
    except OSError as error:  # requests' errors among them
        raise unreachable(url, str(error)) from error
    except (AcmeError, josepy.errors.Error, ValueError, LookupError, AttributeError, TypeError) as error:
        raise HostError(
            "what answers there is no ACME directory",
            where=url,
            next="Check the URL with your CA; it usually ends in /directory",
        ) from error
    return read(url, resource.meta)


def read(url: str, meta: Resource.Meta) -> Directory:
    """Return the parts of a directory's metadata that matter here."""
    return Directory(
        url=url,
        terms_of_service=meta.terms_of_service or "",
        external_account_required=bool(meta.external_account_required),
        caa_identities=tuple(identity.lower() for identity in meta.caa_identities or ()),
        profiles=dict(meta.profiles or {}),
    )


def trust(ca_file: Path | None) -> str:
    """Return where the authorities to trust are: the given file, the system's store, or Mozilla's list."""
    if ca_file is not None:
        return str(ca_file)
    system = ssl.get_default_verify_paths()
    if system.cafile:
        return system.cafile
    if system.capath and any(Path(system.capath).iterdir()):
        return system.capath
    return certifi.where()


def unreachable(url: str, detail: str) -> HostError:
    """Return the error for a CA that does not answer; ``detail`` is what the libraries say."""
    causes = (
        ("CERTIFICATE_VERIFY_FAILED", "its web server's certificate is not trusted", "Set certificates.ca_file"),
        ("suitable TLS CA", "the file with its authority is not there", "Check certificates.ca_file"),
        ("NO_CERTIFICATE", "the file with its authority has no certificate in it", "Check certificates.ca_file"),
        ("ProxyError", "the HTTP proxy refuses", "Check certificates.proxy"),
        ("NameResolutionError", "its name is not found in DNS", "Check the host's resolver and the URL"),
        ("Connection refused", "the connection is refused", "Check the URL, or try again later"),
        ("imed out", "it does not answer in time", "Check this host's way out: firewall, certificates.proxy"),
    )
    for mark, what, following in causes:
        if mark in detail:
            return HostError(f"the CA cannot be reached: {what}", where=url, next=following)
    return HostError(f"the CA cannot be reached: {detail}", where=url, next="Try again later")
