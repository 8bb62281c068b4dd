"""How fast the generated configuration is, beside the documented one in the same process and the same run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.documented import DOCUMENTED, PORT
from tests.benchmarks.load import compare, start_upstream
from tests.lab import ways
from tests.lab.conformance.rows import ROWS, Row
from tests.lab.conformance.served import neighboured, prepare
from tests.lab.hosts import LabHost
from tests.lab.running import require_programs

TARGET = "/_matrix/client/v3/sync"
GENERATED = {"generated": f"https://matrix.example.com{TARGET}"}
DOCUMENTED_URL = f"https://matrix.example.com:{PORT}{TARGET}"
KEPT_BY_OURS_ONLY = {"nginx": 1.2}
"""How many times as fast a proxy must be that keeps connections to the homeserver with our file only."""

LEAST, MOST = 0.05, 0.3
"""A margin is no smaller, since a round takes two seconds only, and no larger, or it would hide a fault."""


def applied_beside_the_documented(row: Row, host: LabHost) -> None:
    """Bring both configurations to one process, with one upstream."""
    require_programs("wrk", "nginx")
    prepare(row, host, None, "well-known")
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    start_upstream(host)
    DOCUMENTED[row.kind](host)
    host.until_listening(PORT)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if row.kind in KEPT_BY_OURS_ONLY], ids=lambda row: row.kind)
def test_kept_connections_to_the_homeserver_pay(row: Row, tell: Callable[[object], None]) -> None:
    """More requests per second than the documented configuration, which opens a connection for each."""
    with neighboured(row) as (host, _):
        applied_beside_the_documented(row, host)
        found = compare(host, {**GENERATED, "documented": DOCUMENTED_URL}, rounds=3, seconds=1)
    generated, documented = found.best("generated"), found.best("documented")
    tell(f"{row.kind}, three rounds of a second: generated {generated}, documented {documented}")
    assert generated.rate >= KEPT_BY_OURS_ONLY[row.kind] * documented.rate


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_the_generated_configuration_is_never_behind(row: Row, tell: Callable[[object], None]) -> None:
    """In requests per second and in p99, over ten rounds of two seconds, but for proxies that say how far they are.

    The documented configuration is measured twice in each round: by as much as it differs from itself the machine
    is restless, and twice that is the margin.
    """
    urls = {"documented": DOCUMENTED_URL, **GENERATED, "documented again": DOCUMENTED_URL}
    with neighboured(row) as (host, _):
        applied_beside_the_documented(row, host)
        found = compare(host, urls, rounds=10, seconds=2)
    generated, documented, again = map(found.best, ("generated", "documented", "documented again"))
    rate, late = generated.rate / documented.rate, found.lateness("generated", "documented")
    rate_margin = margin(again.rate / documented.rate)
    late_margin = margin(found.lateness("documented again", "documented"))
    tell(
        f"{row.kind}: generated {generated}, documented {documented}, again {again}; "
        f"ratio {rate:.2f} (margin {rate_margin:.0%}), of p99 {late:.2f} (margin {late_margin:.0%})"
    )
    if "speed" in row.deviations:
        assert rate >= int(row.exceptions("speed")["percent"]) / 100
        return
    assert rate >= 1 - rate_margin
    assert late <= 1 + late_margin


def margin(itself: float) -> float:
    """Return what a ratio may be off by, from the ratio of something to itself."""
    return min(max(2 * abs(itself - 1), LEAST), MOST)
