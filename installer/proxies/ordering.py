"""Proxies that order certificates themselves: what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates.process import Watch
from palpo_installer.certificates.protocol import Problem
from palpo_installer.host import Host
from palpo_installer.services import Service
from palpo_installer.site import Issuer


@dataclass(frozen=True)
class Errand:
    """An order that a proxy is to make.

    Attributes:
        name: the name that the certificate is for.
        directory: the URL of the authority's ACME directory.
        email: the contact for the account, empty for none.
        ca_file: the PEM file of an authority to trust when talking to the directory, None for the system's.
        limit: seconds for it.
        files: where the proxy will keep it.
    """

    name: str
    directory: str
    email: str
    ca_file: Path | None
    limit: float
    files: CertificateFiles


class Failed(Exception):
    """An order failed; ``problem`` has what the authority said, or no type where it was not reached."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


@runtime_checkable
class Orders(Protocol):
    """A control whose proxy orders certificates itself."""

    @property
    def title(self) -> str:
        """What people call the proxy."""

    def order(self, host: Host, service: Service, errand: Errand, watch: Watch, arrived: Callable[[], bool]) -> None:
        """Let it order a certificate beside what it serves, and wait until it has ``arrived``.

        Raises:
            Failed: the order failed.
            TimedOut: it was neither made nor refused in time.
            HostError: the proxy cannot be told.
            Interrupted: the run was asked to stop.
        """

    def forget(self, host: Host, service: Service) -> None:
        """Let it go on as configured where an order was cut off.

        Raises:
            HostError: it does not.
        """


@runtime_checkable
class Keeps(Protocol):
    """An adapter whose proxy orders certificates itself."""

    def kept(self, name: str, issuer: Issuer) -> CertificateFiles:
        """Return where it keeps the certificate of a name.

        Raises:
            RefusedPlan: it cannot order on this host as it is configured, or keeps them where we cannot look.
        """
