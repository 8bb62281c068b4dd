"""The answers: what the person chose, typed and validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from palpo_installer.secret import SecretReference


class BaseDomain(StrEnum):
    """Who serves the website of the server name."""

    OURS = "ours"
    EXISTING = "existing"
    ELSEWHERE = "elsewhere"


class BaseCertificate(StrEnum):
    """Which certificate our own port shows for a server name whose website is a site of this proxy."""

    SITE = "site"
    ORDERED = "ordered"


class Delegation(StrEnum):
    """How other servers find this one (Matrix spec, server-server API, "Resolving server names")."""

    WELL_KNOWN = "well-known"
    SRV = "srv"
    DIRECT = "direct"
    NONE = "none"


class Registration(StrEnum):
    """Who may make an account."""

    CLOSED = "closed"
    TOKEN = "token"  # noqa: S105
    OPEN = "open"


class Method(StrEnum):
    """Where certificates come from."""

    HTTP_01 = "http-01"
    DNS_01 = "dns-01"
    FILES = "files"
    PROXY = "proxy"
    SELF_SIGNED = "self-signed"


class SELinuxAnswer(StrEnum):
    """Whether what the proxy lacks in SELinux's policy is set."""

    LEAVE = "leave"
    ALLOW = "allow"


class FirewallAnswer(StrEnum):
    """Whether ports that the proxy needs are opened in the host's firewall."""

    LEAVE = "leave"
    OPEN = "open"


@dataclass(frozen=True)
class Address:
    """An IP address and a port, as in ``127.0.0.1:8008`` or ``[::1]:8008``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Names:
    """The names.

    Attributes:
        server_name: the part after the colon in ``@user:example.com``, ASCII, lower case; may have a port.
        client_host: the host that clients talk to.
        base_domain: who serves ``server_name``'s website.
    """

    server_name: str
    client_host: str
    base_domain: BaseDomain

    @property
    def base(self) -> str:
        """The server name without its port; an IPv6 literal keeps its brackets."""
        if self.server_name.startswith("["):
            return self.server_name.partition("]")[0] + "]"
        return self.server_name.partition(":")[0]


@dataclass(frozen=True)
class Federation:
    """Delegation, and the port that it uses for ``srv`` and ``direct``."""

    delegation: Delegation
    port: int


MEDIA_UPLOAD_SIZE = 100 << 20
"""What matrix-media-repo takes where its configuration says nothing (``common/config``, ``uploads.maxBytes``)."""


@dataclass(frozen=True)
class Homeserver:
    """Palpo.

    Attributes:
        config: palpo.toml.
        listen: what Palpo listens on.
        upstream: what the proxy connects to.
        database_url: where the secret comes from; None: the one that palpo.toml has stays.
        registration: who may make an account.
        registration_token: where the token comes from; for ``token`` only.
        max_upload_size: in bytes.
        storage: the directory for media, absolute.
    """

    config: Path
    listen: Address
    upstream: Address
    database_url: SecretReference | None
    registration: Registration
    registration_token: SecretReference | None
    max_upload_size: int
    storage: Path


@dataclass(frozen=True)
class WellKnown:
    """Optional parts of the well-known answers, each a URL or address; empty for none."""

    identity_server: str = ""
    support: str = ""
    rtc_foci: tuple[str, ...] = ()


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate that the person brings: PEM files."""

    chain: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    """Where certificates come from.

    Attributes:
        email: the contact for the CA account, empty for none.
        agree_terms: whether the CA's terms of service were agreed to.
        directory: the ACME directory URL.
        ca_file: the PEM file of an authority to trust when talking to the directory, None for the system's.
        eab_file: a file with the external account's key id and HMAC key, None where the CA needs none.
        proxy: the URL of an HTTP proxy for talking to the directory, empty for none.
        files: for ``files``: by name.
        base_domain: for a server name whose website is a site of this proxy, and federation on a port of its own:
            that site's certificate, or one by ``method``.
    """

    method: Method
    email: str
    agree_terms: bool
    directory: str
    ca_file: Path | None
    eab_file: Path | None
    proxy: str
    files: Mapping[str, CertificateFiles] = field(default_factory=dict)
    base_domain: BaseCertificate = BaseCertificate.ORDERED


@dataclass(frozen=True)
class Guards:
    """What may be changed in the guards of the host; None where nothing was missing, so that nobody was asked."""

    selinux: SELinuxAnswer | None = None
    firewall: FirewallAnswer | None = None


@dataclass(frozen=True)
class Answers:
    """All the choices; the only thing a screen produces.

    Attributes:
        media: a media repository beside Palpo, None where Palpo keeps the media.
        media_upload_size: the largest upload that it takes, in bytes.
        take_over: whether sites that the proxy has for our names may be switched off. It is consent to what is
            there now, so answers.toml does not keep it.
    """

    names: Names
    federation: Federation
    proxy: str
    homeserver: Homeserver
    media: Address | None
    well_known: WellKnown
    certificates: Certificates
    take_over: bool = False
    host: Guards = Guards()
    media_upload_size: int = MEDIA_UPLOAD_SIZE
