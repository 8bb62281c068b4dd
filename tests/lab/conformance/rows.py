"""The proxies that are tried: how each gets onto a host beside a neighbour, and what it by its nature cannot do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from palpo_installer.questions.support import is_supported
from tests.lab import from_go, haproxy_releases, services
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
        version: where it is not the one that Debian has.
    """

    kind: str
    program: str
    start: Callable[[LabHost], None]
    kept: tuple[str, ...] = ()
    deviations: Mapping[str, Deviation] = field(default_factory=dict)
    version: str = ""

    @property
    def title(self) -> str:
        """What tests call it."""
        return f"{self.kind}-{self.version}" if self.version else self.kind

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
    "uploads": "a body above the limit is answered with 413; else by its form the status",
    "refusals": "a client that goes on sending reads its 413; else by protocol ``AT_ONCE``",
    "speed": "as many requests per second as with the documented configuration; else by protocol and how "
    "many are under way at once how many percent",
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
                {"HTTP/2, 16": 85, "HTTP/2, 128": 85, "HTTP/1.1, 128": 65},
                "Ahead with few requests at once over HTTP/1.1; over HTTP/2 at least 85 %: it passes on targets as "
                "they came, and has headers of its own. With many it starts and ends processes, and swings: at least "
                "65 %",
            ),
            "logins": Deviation(
                {"all": 200}, "Apache cannot count the logins of a client; Palpo's own limit ends them"
            ),
            "redirects": Deviation(
                {"%": 302},
                "`Redirect` escapes each % once more. The address of an error document is left alone, and that says "
                "302; mod_rewrite is not loaded for it, since rules of other sites would come alive with it",
            ),
            "uploads": Deviation(
                {"chunked": 200},
                "Apache counts no body that it passes on, and in chunks none announces its length. Palpo refuses it "
                "itself, which clients read as 502: Apache sends all of a body before it reads an answer",
            ),
            "refusals": Deviation({"HTTP/2": AT_ONCE}, "Apache ends a stream of HTTP/2 as soon as it has refused it"),
            "away": Deviation(
                {"status": 503},
                "mod_proxy says 503 where it cannot connect, and 502 for broken answers; an error document has the "
                "status of the error. It asks again at once",
            ),
            "no name": Deviation(
                {"status": 421},
                "Apache refuses a Host whose certificate is not the one it showed; what lets it pass "
                "(SSLVHostSNIPolicy) counts for every site",
            ),
        },
    ),
    Row(
        "caddy",
        "caddy",
        services.start_caddy,
        kept=services.CADDYS_OWN,
        deviations={
            "speed": Deviation(
                {"HTTP/1.1, 16": 80, "HTTP/2, 16": 80},
                "Ahead with many requests at once; with few at least 80 %: it also removes the headers that clients "
                "could forge, and looks at each path",
            ),
            "neighbour": Deviation(
                dict.fromkeys(("apply", "killed and recovered", "renewal", "rollback"), 12),
                "A reload of Caddy opens new sockets beside the old ones, and the kernel resets what waits at one that "
                "closes: 122 of 104,537 requests of 8 clients in 61 reloads, none with net.ipv4.tcp_migrate_req = 1. "
                "Usually none here, and at most 12 for each change",
            ),
            "logins": Deviation({"all": 200}, "Caddy cannot count the logins of a client; Palpo's own limit ends them"),
            "endless lines": Deviation(
                {"HTTP/1.1": 200, "HTTP/2": 200},
                "Caddy takes heads of a megabyte; a limit would count for every site of the port",
            ),
        },
    ),
    Row(
        "haproxy",
        "haproxy",
        services.start_haproxy,
        deviations={
            "speed": Deviation(
                {"HTTP/1.1, 16": 93, "HTTP/1.1, 128": 93, "HTTP/2, 16": 93, "HTTP/2, 128": 93},
                "At least 93 %: it also removes the headers that clients could forge, and looks at each path",
            ),
            "uploads": Deviation(
                {"chunked": 200},
                "HAProxy decides before a body comes, and one in chunks announces no length; Palpo refuses it itself",
            ),
            "endless lines": Deviation(
                {"HTTP/1.1": AT_ONCE, "HTTP/2": AT_ONCE},
                "HAProxy refuses a request head as soon as its buffer is full, and reads no more of it",
            ),
        },
    ),
)


def _built(version: str) -> Row:
    """Return the row of a Caddy that is built first, with the deviations of Debian's."""

    def start(host: LabHost) -> None:
        from_go.put(host, from_go.made(version))
        services.start_caddy(host)

    (debians,) = (row for row in WRITTEN if row.kind == "caddy")
    return replace(debians, start=start, version=version)


def _of(suite: str) -> Row:
    """Return HAProxy as another Debian has it."""
    (row,) = (row for row in WRITTEN if row.kind == "haproxy")
    return replace(row, version=suite, start=partial(haproxy_releases.start, suite=suite))


FURTHER = (*(_built(version) for version in from_go.RELEASES), *(_of(suite) for suite in haproxy_releases.SUITES))
"""Other versions, with ``--slow``."""

ROWS = tuple(row for row in WRITTEN if is_supported("proxy.kind", row.kind))
"""Those that the installer offers."""

PARAMETERS = (
    *(pytest.param(row, id=row.title) for row in ROWS),
    *(pytest.param(row, id=row.title, marks=pytest.mark.slow) for row in FURTHER),
)
"""For a test."""
