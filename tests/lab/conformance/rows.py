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
        kept: paths that it writes itself and that taking back leaves.
        deviations: by the name of the promise, see ``PROMISES``.
    """

    kind: str
    program: str
    start: Callable[[LabHost], None]
    kept: tuple[str, ...] = ()
    deviations: Mapping[str, Deviation] = field(default_factory=dict)

    @property
    def limits(self) -> bool:
        """Whether it limits logins for each client address; the others leave that to the homeserver."""
        return "logins" not in self.deviations

    def exceptions(self, promise: str) -> Mapping[str, str | int]:
        """Return the cases in which something else is to be seen, and what; usually there are none."""
        assert promise in PROMISES, promise
        return self.deviations[promise].instead if promise in self.deviations else {}


AT_ONCE = "413 at once"
"""An answer that comes before the body: who sends all of that first may find the connection cut."""

PROMISES = {
    "legal targets": "every legal request target arrives byte for byte; else by target what arrives, or the status",
    "long lines": "lines of 31 KiB pass over both protocols; else by protocol the status",
    "uploads": "a body above the limit is answered with 413; else by its form the status, or ``AT_ONCE``",
    "speed": "as many requests per second as with the documented configuration; else how many ``percent`` at least",
    "endless lines": "lines of 200 KiB are answered with 4xx; else by protocol ``AT_ONCE``, or the status",
    "logins": "of fifty at once most are refused; else by ``all`` the status that the homeserver's answer has",
    "redirects": "port 80 redirects for good; else by what is in the path of the target the status",
    "away": "a homeserver that is away is told as 502; else the status by ``status``",
    "no name": "a handshake without a name is enough, with a Host; else the status by ``status``, 0 for none",
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
    Row("nginx", "nginx", start_nginx),
    Row(
        "apache",
        "apache2",
        start_apache,
        deviations={
            "speed": Deviation(
                {"percent": 80},
                "About 95 to 98 %, at least 80 %, in no longer times: it also removes the headers that clients could "
                "forge, and looks at each path",
            ),
            "logins": Deviation(
                {"all": 200}, "Apache cannot count the logins of a client; Palpo's own limit ends them"
            ),
            "redirects": Deviation({"%": 302}, "Only one way of Apache's leaves escapes alone, and that says 302"),
            "uploads": Deviation(
                {"chunked": 200}, "Apache does not count a body without a length; Palpo refuses it itself"
            ),
            "away": Deviation({"status": 503}, "Apache says 503 where it cannot connect, and 502 for broken answers"),
            "no name": Deviation(
                {"status": 421}, "Apache refuses a Host other than that of the site it shook hands for"
            ),
        },
    ),
    Row(
        "caddy",
        "caddy",
        services.start_caddy,
        kept=("/root/.config/caddy", "/root/.local/share/caddy"),
        deviations={
            "logins": Deviation({"all": 200}, "Caddy cannot count the logins of a client; Palpo's own limit ends them"),
            "endless lines": Deviation(
                {"HTTP/1.1": 200, "HTTP/2": 200},
                "Caddy takes heads of a megabyte; a limit would count for every site of the port",
            ),
            "neighbour": Deviation(
                {"apply": 2, "killed and recovered": 2, "renewal": 1, "rollback": 2},
                "A reload of Caddy opens new sockets and closes the old ones: on a busy machine a connection that still "
                "waits in one of those may be reset, one of some 15,000 requests",
            ),
        },
    ),
    Row(
        "haproxy",
        "haproxy",
        services.start_haproxy,
        deviations={
            "speed": Deviation(
                {"percent": 80},
                "About 90 to 94 %, at least 80 %, in no longer times: it also removes the headers that "
                "clients could forge, and looks at each path",
            ),
            "uploads": Deviation(
                {"sized": AT_ONCE, "chunked": 200},
                "HAProxy refuses by the announced length, before the body: a client that goes on sending may find the "
                "connection cut. A body in chunks announces none, and Palpo refuses it itself",
            ),
            "endless lines": Deviation(
                {"HTTP/1.1": AT_ONCE, "HTTP/2": AT_ONCE},
                "HAProxy refuses a request head as soon as its buffer is full, and reads no more of it",
            ),
        },
    ),
)

ROWS = tuple(row for row in WRITTEN if is_supported("proxy.kind", row.kind))
"""Those that the installer offers."""
