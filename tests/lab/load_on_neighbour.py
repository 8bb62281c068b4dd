"""The load on a neighbour's site while something happens to the host, counted by phase."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.lab.hosts import CHECKOUT, LabHost
from tests.lab.running import Running, until


@dataclass(frozen=True)
class Phase:
    """What came of the requests of one phase; see ``load.Counts``."""

    name: str
    requests: int
    retries: int
    failures: int
    kinds: Mapping[str, int]
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items())
        return (
            f"{self.name}: {self.requests} requests ({kinds}), {self.retries} made again, "
            f"{self.failures} failures {' '.join(self.reasons)}".rstrip()
        )


@dataclass
class Load:
    """Requests to the neighbour's site that go on all the time."""

    running: Running
    phases: list[Phase] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what comes of the requests meanwhile."""
        before = self._counts()
        yield
        after = self._counts()
        kinds = {kind: count - before["kinds"].get(kind, 0) for kind, count in after["kinds"].items()}
        numbers = {key: after[key] - before[key] for key in ("requests", "retries", "failures")}
        reasons = tuple(after["reasons"][len(before["reasons"]) :])
        self.phases.append(Phase(name, kinds=kinds, reasons=reasons, **numbers))

    @property
    def failures(self) -> int:
        """How many requests failed in all phases."""
        return sum(phase.failures for phase in self.phases)

    @property
    def requests(self) -> int:
        """How many requests were made in all phases."""
        return sum(phase.requests for phase in self.phases)

    def _counts(self) -> dict[str, Any]:
        told = len(self.running.said().splitlines())
        self.running.signal(signal.SIGUSR1)
        until(lambda: len(self.running.said().splitlines()) > told, "the counts of the load")
        counts: dict[str, Any] = json.loads(self.running.said().splitlines()[-1])
        return counts


@contextmanager
def load_on_the_neighbour(host: LabHost) -> Iterator[Load]:
    """Ask the neighbour's site all the time, once every connection is there."""
    running = host.start([host.python, "-m", "tests.lab.load"], environment={"PYTHONPATH": str(CHECKOUT)})
    until(lambda: "begun" in running.said() or not running.alive, "the first request")
    load = Load(running)
    try:
        with load.phase("all in all"):
            yield load
    finally:
        running.signal(signal.SIGTERM)
        running.wait()
