"""Which proxies a distribution packages, and why one would choose one of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from palpo_installer.errors import AnswersError
from palpo_installer.questions.support import is_supported


@dataclass(frozen=True)
class Offer:
    """A proxy that can be installed.

    Attributes:
        kind: its word in the answer ``proxy.kind``.
        title: what people call it.
        reason: why one would choose it, one line; empty for what is not recommended.
        names: its package, by the program of the package manager.
        ports: what the package's own configuration listens on as soon as the proxy is started.
        configuration: where its configuration lies.
        keeps: a directory of it that holds certificates, and that a purge would delete; empty for none.
    """

    kind: str
    title: str
    reason: str
    names: Mapping[str, str]
    ports: tuple[int, ...]
    configuration: str
    keeps: str = ""


def _everywhere(name: str) -> Mapping[str, str]:
    return dict.fromkeys(("apt-get", "dnf", "apk", "zypper", "pacman"), name)


OFFERS = (
    Offer(
        "nginx",
        "nginx",
        "known to most administrators; limits logins for each address; certificates come from palpo-installer",
        _everywhere("nginx"),
        (80,),
        "/etc/nginx",
    ),
    Offer(
        "caddy",
        "Caddy",
        "little to configure; can get and renew its certificates itself; does not limit logins for each address",
        _everywhere("caddy"),
        (80,),
        "/etc/caddy",
        "/var/lib/caddy/.local/share/caddy/certificates",
    ),
    Offer(
        "apache",
        "Apache",
        "",
        {"apt-get": "apache2", "dnf": "httpd", "apk": "apache2", "zypper": "apache2", "pacman": "apache"},
        (80,),
        "/etc/apache2",
    ),
    Offer("haproxy", "HAProxy", "", _everywhere("haproxy"), (), "/etc/haproxy"),
)
"""Recommended ones first. What Debian's packages listen on was read in their files of configuration."""


def possible() -> tuple[Offer, ...]:
    """Return what this version can set up, recommended ones first."""
    return tuple(offer for offer in OFFERS if is_supported("proxy.kind", offer.kind))


def recommended() -> tuple[Offer, ...]:
    """Return what is offered to somebody who has no proxy."""
    return tuple(offer for offer in possible() if offer.reason)


def offer_for(kind: str) -> Offer:
    """Return the offer of a kind.

    Raises:
        AnswersError: this version cannot set it up, or no distribution packages it.
    """
    found = next((offer for offer in possible() if offer.kind == kind), None)
    if found is None:
        others = " or ".join(offer.kind for offer in possible())
        raise AnswersError(f"{kind} cannot be installed by this version", next=f"Choose {others}")
    return found
