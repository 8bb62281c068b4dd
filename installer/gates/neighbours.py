"""The neighbours: what the proxy's other sites answer, before a change and after it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.answers import Address
from palpo_installer.gates.asking import UNASKED, ask_all, until_steady
from palpo_installer.gates.markers import leaf_of, names_of
from palpo_installer.operations.base import Workbench
from palpo_installer.probe import Answer, Question

ROUND = 60.0
"""Seconds for one round over all neighbours; 500 requests over TLS take about one."""

MOMENT = 5.0
"""Seconds for which one that differs is asked again: a reload has its moment, and so has a slow site."""

NAMED = 5
"""How many of them a message names before it counts the others."""

REFUSED = "refused"
UNCLEAR = frozenset({"timed out", UNASKED})
"""Problems that say nothing about a site, only that it is slow or we are."""


@dataclass(frozen=True)
class Neighbour:
    """One request that must be answered the same before and after.

    Attributes:
        site: whose it is, in words, with file and line.
        address: an IP address of this host.
        port: the port.
        tls: whether the port speaks TLS.
        host: the Host header, empty for the bare address.
        sni: the name in the TLS handshake, empty for none.
        proxy_protocol: whether the socket expects a PROXY line first.
        certificates: the certificate files that the site's configuration names.
        target: what is asked for.
    """

    site: str
    address: str
    port: int
    tls: bool
    host: str
    sni: str
    proxy_protocol: bool
    certificates: tuple[str, ...]
    target: str = "/"

    @property
    def question(self) -> Question:
        """The request; HEAD, because bodies are not compared and may be endless."""
        return Question(
            address=self.address,
            port=self.port,
            tls=self.tls,
            host=self.host,
            sni=self.sni,
            method="HEAD",
            target=self.target,
            headers={"User-Agent": "palpo-installer"},
            proxy_protocol=self.proxy_protocol,
        )

    def __str__(self) -> str:
        asked = f" for {self.target}" if self.target != "/" else ""
        return f"{self.site} on {Address(self.address, self.port)}{asked}"


@dataclass(frozen=True)
class Observation:
    """What of an answer was the same each time; None for what was not.

    Attributes:
        outcome: the status, or why no answer came.
        location: where it redirects to, empty for nowhere.
        certificate: fingerprint of the leaf, empty for none.
    """

    outcome: str | None
    location: str | None
    certificate: str | None


NOTHING = Observation(None, None, None)


def observe(neighbours: Sequence[Neighbour], bench: Workbench, samples: int = 2) -> tuple[Observation, ...]:
    """Ask every neighbour ``samples`` times and return what was stable, in the same order.

    One that is too slow to answer is asked once only: there is nothing to compare it by.
    """
    questions = [neighbour.question for neighbour in neighbours]
    observations = [seen(answer) for answer in ask_all(questions, bench, ROUND)]
    clear = [number for number, observation in enumerate(observations) if observation.outcome is not None]
    for _ in range(samples - 1):
        answers = ask_all([questions[number] for number in clear], bench, ROUND)
        for number, answer in zip(clear, answers, strict=True):
            observations[number] = stable(observations[number], seen(answer))
    return tuple(observations)


def of_open_sockets(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """Return the observations without what was seen of closed sockets, which a change may open."""
    return tuple(NOTHING if observation.outcome == REFUSED else observation for observation in observations)


def seen(answer: Answer) -> Observation:
    """Return what counts of one answer."""
    if answer.problem in UNCLEAR:
        return Observation(None, None, answer.certificate or None)
    return Observation(answer.problem or str(answer.status), answer.header("location"), answer.certificate)


def stable(first: Observation, second: Observation) -> Observation:
    """Return what two observations have in common."""
    return Observation(
        outcome=first.outcome if first.outcome == second.outcome else None,
        location=first.location if first.location == second.location else None,
        certificate=first.certificate if first.certificate == second.certificate else None,
    )


def differences(
    neighbours: Sequence[Neighbour], baseline: Sequence[Observation], bench: Workbench, patience: float = MOMENT
) -> tuple[str, ...]:
    """Return each neighbour that answers differently now, in words; none when all is as it was.

    Those that differ are asked again for ``patience`` seconds before it counts.
    """
    pairs = [pair for pair in zip(neighbours, baseline, strict=True) if pair[1] != NOTHING]
    answers = ask_all([neighbour.question for neighbour, _ in pairs], bench, ROUND)
    doubtful = [
        (neighbour, before)
        for (neighbour, before), answer in zip(pairs, answers, strict=True)
        if difference(neighbour, before, answer, bench)
    ]

    def complain(number: int, answer: Answer) -> str:
        neighbour, before = doubtful[number]
        return difference(neighbour, before, answer, bench)

    if not doubtful:
        return ()
    until = time.monotonic() + patience
    questions = [neighbour.question for neighbour, _ in doubtful]
    return tuple(until_steady(questions, complain, bench, until, times=1).values())


def difference(neighbour: Neighbour, before: Observation, answer: Answer, bench: Workbench) -> str:
    """Return in what an answer differs from what was stable before, empty for nothing."""
    outcome = answer.problem or str(answer.status)
    if before.outcome is not None and outcome != before.outcome:
        return f"{neighbour}: {_in_words(before.outcome)} before, {_in_words(outcome)} now"
    location = answer.header("location")
    if before.location is not None and not answer.problem and location != before.location:
        return f"{neighbour}: redirected to {before.location or 'nowhere'} before, to {location or 'nowhere'} now"
    if before.certificate is not None and answer.certificate != before.certificate:
        if answer.certificate and _is_its_own(neighbour, answer.certificate, bench):
            return ""
        return f"{neighbour}: shows another certificate than before, now for {names_of(answer.chain)}"
    return ""


def _is_its_own(neighbour: Neighbour, certificate: str, bench: Workbench) -> bool:
    """Return whether the site's own configuration names a certificate: renewed on disk, and loaded now."""
    return any(leaf_of(bench.host, Path(path)) == certificate for path in neighbour.certificates)


def _in_words(outcome: str) -> str:
    return f"status {outcome}" if outcome.isdigit() else outcome


def in_short(sentences: Sequence[str]) -> str:
    """Return the first sentences, and how many more there are."""
    more = f"; and {len(sentences) - NAMED} more" if len(sentences) > NAMED else ""
    return "; ".join(sentences[:NAMED]) + more
