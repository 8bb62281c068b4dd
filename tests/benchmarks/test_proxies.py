"""How fast the generated configuration is, beside the documented one in the same process and the same run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.benchmarks.documented import DOCUMENTED, PORT, WITH_HTTP2
from tests.benchmarks.load import FEW, MANY, Figures, by_http1, by_http2, compare, start_upstream
from tests.lab import ways
from tests.lab.conformance.rows import ROWS, Row
from tests.lab.conformance.served import neighboured, prepare
from tests.lab.hosts import LabHost
from tests.lab.running import require_programs

TARGET = "/_matrix/client/v3/sync"
GENERATED_URL = f"https://matrix.example.com{TARGET}"
DOCUMENTED_URL = f"https://matrix.example.com:{PORT}{TARGET}"
LEAST, MOST = 0.05, 0.3
"""A margin is no smaller, since a round takes two seconds only, and no larger, or it would hide a fault."""

LATER = 2
"""How many times as late 99 of 100 requests may be answered by a proxy that says how far it is."""

Measure = Callable[[LabHost, str, int, int], Figures]


def applied_beside_the_documented(row: Row, host: LabHost) -> None:
    """Bring both configurations to one process, with one upstream."""
    require_programs("wrk", "h2load", "nginx")
    prepare(row, host, None, "well-known")
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    start_upstream(host)
    DOCUMENTED[row.kind](host)
    host.until_listening(PORT)


@pytest.mark.slow
@pytest.mark.parametrize("clients", [FEW, MANY])
@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_the_generated_configuration_is_never_behind(
    row: Row, protocol: str, clients: int, tell: Callable[[object], None]
) -> None:
    """In requests per second and in p99, over six rounds of two seconds, but for proxies that say how far they are.

    A client that would like HTTP/2 speaks HTTP/1.1 with a documented configuration that does not offer it. That
    configuration is measured twice in each round: by as much as it differs from itself the machine is restless, and
    twice that is the margin. On a machine that does other things as well, ``chrt -r 10`` in front of pytest calms it.
    """
    ours, theirs = measures_of(row, protocol)
    with neighboured(row) as (host, _):
        applied_beside_the_documented(row, host)
        documented = partial(theirs, host, DOCUMENTED_URL, clients, 2)
        generated = partial(ours, host, GENERATED_URL, clients, 2)
        measured = {"documented": documented, "generated": generated, "documented again": documented}
        found = compare(measured, rounds=6)
    rate, late = found.swiftness("generated", "documented"), found.lateness("generated", "documented")
    rate_margin = margin(found.swiftness("documented again", "documented"))
    late_margin = margin(found.lateness("documented again", "documented"))
    tell(
        f"{row.kind}, {protocol}, {clients} at once: {', '.join(f'{name} {found.best(name)}' for name in measured)}; "
        f"ratio {rate:.2f} (margin {rate_margin:.0%}), of p99 {late:.2f} (margin {late_margin:.0%})"
    )
    percent = row.exceptions("speed").get(f"{protocol}, {clients}")
    assert rate >= (int(percent) / 100 if percent else 1 - rate_margin)
    assert late <= (LATER if percent else 1) + late_margin


def measures_of(row: Row, protocol: str) -> tuple[Measure, Measure]:
    """Return how to measure ours, and the documented configuration."""
    if protocol == "HTTP/1.1":
        return by_http1, by_http1
    return by_http2, by_http2 if row.kind in WITH_HTTP2 else by_http1


def margin(itself: float) -> float:
    """Return what a ratio may be off by, from the ratio of something to itself."""
    return min(max(2 * abs(itself - 1), LEAST), MOST)
