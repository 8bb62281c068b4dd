"""The proxies that are tried: how each gets onto a host beside a neighbour, and what it by its nature cannot do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from palpo_installer.questions.support import is_supported
from tests.lab import services
from tests.lab.hosts import LabHost


@dataclass(frozen=True)
class Deviation:
    """Something that a proxy does instead of what is promised; the suite asserts that it does just this.

    Attributes:
        instead: by case what is seen instead of what is promised, such as a status by the target of a request.
        reason: why it cannot be otherwise, as the README says it.
    """

    instead: Mapping[str, str | int]
    reason: str


@dataclass(frozen=True)
class Row:
    """A proxy in the suite.

    Attributes:
        kind: as in answers.toml.
        program: what must be installed.
        start: puts it onto a host beside the neighbour's site of services.NEIGHBOUR, HTTP/2 included, and starts it.
        limits: whether it limits logins for each client address; the others leave that to the homeserver.
        kept: paths that it writes itself and that taking back leaves.
        deviations: by the name of the promise, see ``PROMISES``.
    """

    kind: str
    program: str
    start: Callable[[LabHost], None]
    limits: bool
    kept: tuple[str, ...] = ()
    deviations: Mapping[str, Deviation] = field(default_factory=dict)

    def exceptions(self, promise: str) -> Mapping[str, str | int]:
        """Return the cases in which something else is to be seen, and what; usually there are none."""
        assert promise in PROMISES, promise
        return self.deviations[promise].instead if promise in self.deviations else {}


PROMISES = {
    "legal targets": "every legal request target arrives byte for byte; else by target what arrives, or the status",
    "redirect": "port 80 redirects for good; else by what is in the path the status",
    "uploads above the limit": "they are answered with 413; else by the form of the body what the homeserver answers",
    "neighbour": "no request to a neighbour fails; else by phase how many may",
}
"""What a row may deviate from, and in which form it says so."""


def start_nginx(host: LabHost) -> None:
    """Debian's nginx; the neighbour's site offers HTTP/2, as ours can then on the same sockets."""
    services.configure_nginx(host)
    host.output(["sed", "-i", "s/443 ssl/443 ssl http2/", "/etc/nginx/sites-available/neighbour"])
    host.output(["nginx"])


def start_apache(host: LabHost) -> None:
    """Debian's Apache with mod_ssl and mod_http2; the neighbour's site offers HTTP/2 by Debian's http2.conf."""
    services.configure_apache(host)
    host.output(["a2enmod", "http2", "--quiet"])
    host.output(["apache2ctl", "start"])


WRITTEN = (
    Row("nginx", "nginx", start_nginx, limits=True),
    Row(
        "apache",
        "apache2",
        start_apache,
        limits=False,
        deviations={
            "uploads above the limit": Deviation(
                {"chunked": 200}, "Apache does not count a body that says no length; Palpo refuses it itself"
            ),
            "redirect": Deviation(
                {"%": 302}, "Apache would escape a path again that has escapes, but for one way, which says 302"
            ),
        },
    ),
)

ROWS = tuple(row for row in WRITTEN if is_supported("proxy.kind", row.kind))
"""Those that the installer offers."""
