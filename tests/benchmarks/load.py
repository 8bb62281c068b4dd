"""Requests per second and their times, measured with wrk and h2load by turns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.lab.hosts import LabHost

FEW, MANY = 16, 128
"""How many requests are under way at once."""
STREAMS = 8
"""How many of them h2load has on each connection of HTTP/2."""
LOG = "/tmp/h2load.log"
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}

UPSTREAM = """\
worker_processes 1;
pid /run/upstream.pid;
error_log /dev/null;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    default_type application/json;
    server {
        listen 127.0.0.1:8008 reuseport;
        listen [::1]:8008 reuseport;
        location / { return 200 '{"next_batch":"1"}'; }
    }
}
"""
"""A homeserver that costs next to nothing and keeps connections."""


@dataclass(frozen=True)
class Figures:
    """What was measured in one go.

    Attributes:
        rate: requests per second.
        p99: milliseconds within which 99 of 100 requests were answered.
    """

    rate: float
    p99: float

    def __str__(self) -> str:
        return f"{self.rate:.0f}/s, p99 {self.p99:.1f} ms"


def start_upstream(host: LabHost) -> None:
    """Let a fast upstream listen on port 8008 of IPv4 and IPv6, as ``localhost`` means both."""
    host.write("/etc/upstream.conf", UPSTREAM)
    host.output(["nginx", "-c", "/etc/upstream.conf"])


def by_http1(host: LabHost, url: str, clients: int, seconds: int) -> Figures:
    """Ask for a URL over a kept connection of HTTP/1.1 for each client; every answer must be a good one."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", url]
    said = host.output(command)
    assert "Non-2xx" not in said, said
    # A proxy closes a kept connection after so many requests, which wrk counts as an error of reading.
    errors = re.search(r"Socket errors: connect (\d+), read \d+, write (\d+), timeout (\d+)", said)
    assert errors is None or {*errors.groups()} == {"0"}, said
    rate, late = re.search(r"Requests/sec: +([0-9.]+)", said), re.search(r"99% +([0-9.]+)(us|ms|s)\b", said)
    assert rate, said
    assert late, said
    return Figures(float(rate[1]), float(late[1]) * UNITS[late[2]])


def by_http2(host: LabHost, url: str, clients: int, seconds: int) -> Figures:
    """Ask over connections of HTTP/2 with eight streams each, as clients do who wait for several answers.

    The log of h2load has the status and the microseconds of each request.
    """
    connections = f"-c{clients // STREAMS}"
    command = ["h2load", f"-D{seconds}", connections, f"-m{STREAMS}", "--npn-list=h2", f"--log-file={LOG}", url]
    said = host.output(command)
    assert "Application protocol: h2" in said, said
    rate = re.search(r"finished in .*, ([0-9.]+) req/s", said)
    assert rate, said
    lines = [line.split() for line in host.read(LOG).splitlines()]
    host.output(["rm", LOG])
    assert {status for _, status, _ in lines} == {"200"}, said
    times = sorted(int(time) for _, _, time in lines)
    return Figures(float(rate[1]), times[len(times) * 99 // 100] / 1000)


@dataclass(frozen=True)
class Comparison:
    """What came of rounds in which each was measured once.

    Attributes:
        rounds: the figures by name, the names in the order in which they were measured.
    """

    rounds: Sequence[Mapping[str, Figures]]

    def swiftness(self, of: str, to: str) -> float:
        """Return the rate of one as a multiple of another's: the median of the ratios of each round.

        The best round is luck, and two measurements that follow each other share what disturbs them.
        """
        return median(each[of].rate / each[to].rate for each in self.rounds)

    def lateness(self, of: str, to: str) -> float:
        """Return the p99 of one as a multiple of another's, likewise."""
        return median(each[of].p99 / each[to].p99 for each in self.rounds)

    def best(self, name: str) -> Figures:
        """Return the best of each figure: what else runs on a machine makes a round slower, never faster."""
        return Figures(max(each[name].rate for each in self.rounds), min(each[name].p99 for each in self.rounds))


def compare(measures: Mapping[str, Callable[[], Figures]], rounds: int) -> Comparison:
    """Measure by turns, every other round backwards, so that a slow change of the machine meets all alike."""
    names = list(measures)
    found = []
    for number in range(rounds):
        order = names if number % 2 == 0 else names[::-1]
        figures = {name: measures[name]() for name in order}
        found.append(figures)
    return Comparison(found)
