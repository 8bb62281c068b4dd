"""The virtual hosts of a site as the templates of Apache see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from palpo_installer.answers import CertificateFiles
from palpo_installer.proxies.apache import expressions
from palpo_installer.proxies.apache.listens import Door
from palpo_installer.site import (
    CHALLENGE_PATH,
    MARKER_PATH,
    NOTHING,
    Challenge,
    Closed,
    FixedJson,
    Forward,
    Redirect,
    VirtualHost,
)


@dataclass(frozen=True)
class Refusing:
    """A condition, and the route that answers where it holds."""

    condition: str
    route: Closed


@dataclass(frozen=True)
class Server:
    """One virtual host, as the templates see it.

    Attributes:
        host: what it serves.
        door: where.
        certificate: its files, None without TLS.
        refusals: what it answers itself with an answer of its own, the first that fits winning.
    """

    host: VirtualHost
    door: Door
    certificate: CertificateFiles | None
    refusals: tuple[Refusing, ...]

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """What is passed on, in order."""
        return self.host.forwards

    @property
    def apart(self) -> tuple[Forward, ...]:
        """What is passed on elsewhere than most of it, or under another name."""
        usual = self.usual
        return tuple(e for e in self.forwards if usual and (e.upstream, e.host) != (usual.upstream, usual.host))

    @property
    def usual(self) -> Forward | None:
        """Where everything else is passed on."""
        return self.forwards[-1] if self.forwards else None

    @property
    def documents(self) -> tuple[FixedJson, ...]:
        """The fixed answers."""
        return tuple(each for each in self.host.routes if isinstance(each, FixedJson))

    @property
    def challenge(self) -> Challenge | None:
        """Where challenges are answered from, None for nowhere."""
        return next((each for each in self.host.routes if isinstance(each, Challenge)), None)

    @property
    def redirect(self) -> Redirect | None:
        """Where everything else is sent, None for nowhere."""
        return next((each for each in self.host.routes if isinstance(each, Redirect)), None)

    @property
    def own_paths(self) -> str:
        """The pattern of the paths that are neither passed on nor refused."""
        exact = [MARKER_PATH, *(each.path for each in self.documents)]
        below = f"|^{CHALLENGE_PATH}/" if self.challenge else ""
        return "|".join(map(expressions.exactly, exact)) + below.replace(".", "[.]")


def refusals(host: VirtualHost) -> Iterator[Refusing]:
    """Yield the answers of our own that are not those of every path that nobody serves, the first winning last."""
    found = [
        Refusing(expressions.refused(route, host.routes[:number]), route)
        for number, route in enumerate(host.routes)
        if isinstance(route, Closed) and route.refusal != NOTHING
    ]
    yield from reversed(found)
