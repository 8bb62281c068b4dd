"""Certificates on disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate chain on disk whose private key was found beside it.

    Attributes:
        chain: the PEM file with the leaf first.
        key: the PEM file of its private key.
        names: DNS names and IP addresses of the leaf's subjectAltName, lower case.
        issuer: common name, or organisation, of the leaf's issuer.
        sha256: fingerprint of the leaf's DER form, lower-case hex.
        not_before: start of validity, UTC.
        not_after: end of validity, UTC.
        matches_key: whether the key belongs to the leaf; None where the key could not be read.
    """

    chain: Path
    key: Path
    names: tuple[str, ...]
    issuer: str
    sha256: str
    not_before: datetime
    not_after: datetime
    matches_key: bool | None

    def covers(self, name: str) -> bool:
        """Return whether the leaf is valid for a name (RFC 6125: one label for a leading ``*``)."""
        parent = name.partition(".")[2]
        return name.lower() in self.names or f"*.{parent.lower()}" in self.names
