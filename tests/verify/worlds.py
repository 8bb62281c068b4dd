"""Small worlds for verify: answers, names in DNS, authorities and certificates."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from palpo_installer.answers import (
    Address,
    Answers,
    BaseDomain,
    CertificateFiles,
    Certificates,
    Delegation,
    Federation,
    Homeserver,
    Method,
    Names,
    Registration,
    WellKnown,
)
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.probe import Answer
from palpo_installer.verify.trust import trusting
from palpo_installer.verify.view import View

BASE, CLIENT = "example.com", "matrix.example.com"


def dns_name(
    name: str,
    *addresses: str,
    alias: str = "",
    federation: tuple[ServiceRecord, ...] = (),
    federation_old: tuple[ServiceRecord, ...] = (),
    problem: str = "",
) -> Name:
    """Return what DNS says of a name."""
    return Name(name, addresses, alias, federation, federation_old, (), problem)


@dataclass(frozen=True)
class Zone:
    """DNS, as a lookup; names that are not in it do not exist."""

    names: Mapping[str, Name]

    def __call__(self, name: str) -> Name:
        """Return what there is."""
        return self.names.get(name, dns_name(name))


def zone(*names: Name) -> Zone:
    """Return a zone of these names."""
    return Zone({name.name: name for name in names})


def service(port: int, target: str = CLIENT) -> tuple[ServiceRecord, ...]:
    """Return the one SRV record of a service."""
    return (ServiceRecord(10, 0, port, target),)


def choices(
    delegation: Delegation = Delegation.WELL_KNOWN,
    *,
    server_name: str = BASE,
    client_host: str = CLIENT,
    base_domain: BaseDomain = BaseDomain.OURS,
    port: int = 8448,
    upstream: int = 8008,
    files: Mapping[str, CertificateFiles] | None = None,
) -> Answers:
    """Return answers with these choices."""
    here = Address("127.0.0.1", upstream)
    config, storage = Path("/etc/palpo/palpo.toml"), Path("/var/lib/palpo/media")
    return Answers(
        names=Names(server_name, client_host, base_domain),
        federation=Federation(delegation, port),
        proxy="nginx",
        homeserver=Homeserver(config, here, here, None, Registration.CLOSED, None, 16 << 20, storage),
        media=None,
        well_known=WellKnown(),
        certificates=Certificates(Method.FILES, "", True, "", None, None, "", files or {}),
    )


def view(answers: Answers, lookup: Zone, *, layout: Layout | None = None, own: frozenset[str] = frozenset()) -> View:
    """Return a view whose sockets are all refused."""
    host = Host(layout or Layout())
    refused = Answer(problem="refused")
    return View(answers, build(answers, host.layout), host, lookup, lambda _: refused, trusting(), own, {})


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test.

    Attributes:
        directory: where everything it makes is written.
    """

    directory: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def file(self) -> Path:
        """Its own certificate as PEM."""
        return self.directory / "authority.pem"

    def issue(self, name: str, *, days: float = 60, age: float = 30, to: str = "") -> CertificateFiles:
        """Return chain and key of a certificate ``age`` days old with ``days`` left, in the directory ``to``."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(name, key, self.certificate.subject, self.key, days=days, age=age)
        place = self.directory / (to or name)
        place.mkdir(exist_ok=True)
        chain, private = place / "fullchain.pem", place / "privkey.pem"
        chain.write_bytes(leaf.public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return CertificateFiles(chain, private)


def authority(directory: Path) -> Authority:
    """Return a new authority that keeps its files in a directory."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lab Authority")])
    made = Authority(directory, _certificate("", key, name, key, days=90, age=30), key)
    made.file.write_bytes(made.certificate.public_bytes(Encoding.PEM))
    return made


def _certificate(
    host: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    *,
    days: float,
    age: float,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]) if host else issuer
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=age))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    else:
        builder = builder.add_extension(_signs_certificates(), critical=True)
    return builder.sign(signer, hashes.SHA256())


def _signs_certificates() -> x509.KeyUsage:
    nothing = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**nothing, key_cert_sign=True, crl_sign=True)


def json_answer(body: str, *, status: int = 200, **headers: str) -> Answer:
    """Return an answer as a web server of the well-known documents gives it; a header of None is left out."""
    found = {"content-type": "application/json", "access-control-allow-origin": "*"}
    found |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, tuple((name, value) for name, value in found.items() if value), body.encode())


def redirect(location: str) -> Answer:
    """Return a redirect that web clients may follow."""
    return replace(json_answer("", status=302), headers=(("location", location), ("access-control-allow-origin", "*")))
