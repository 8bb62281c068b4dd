"""What the first screen says, and what can be done: from the facts and the earlier runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from palpo_installer.audit.finding import Audit
from palpo_installer.audit.report import summary
from palpo_installer.detect import NO_PROXY, who_answers_for
from palpo_installer.engine.confirmation import of_day
from palpo_installer.engine.history import PastRun
from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
from palpo_installer.proxies.standing import standings
from palpo_installer.questions.proxies import in_words, usual_title
from palpo_installer.questions.question import Choice
from palpo_installer.screens.answering import who_answers

SUDO = "sudo palpo-installer"


@dataclass(frozen=True)
class Past:
    """What earlier runs left.

    Attributes:
        runs: oldest first.
        busy: whether a run is at work now.
        answered: whether there are answers of an earlier run.
    """

    runs: tuple[PastRun, ...] = ()
    busy: bool = False
    answered: bool = False

    @property
    def interrupted(self) -> tuple[PastRun, ...]:
        """The runs that were cut off, oldest first."""
        return () if self.busy else tuple(run for run in self.runs if run.result == "interrupted")

    @property
    def waiting(self) -> PastRun | None:
        """The run that waits to be confirmed."""
        return next((run for run in self.runs if self.busy and run.unconfirmed_until), None)

    @property
    def in_force(self) -> tuple[PastRun, ...]:
        """The runs whose changes are there, oldest first."""
        return tuple(run for run in self.runs if run.result == "applied")


@dataclass(frozen=True)
class Overview:
    """The first screen: its text, and the entries of its menu, the first of which is the usual one."""

    text: str
    entries: tuple[Choice, ...]


def overview(facts: Facts, past: Past, layout: Layout, audited: Audit | None = None) -> Overview:
    """Return what the first screen shows; ``audited`` is the Matrix configuration that is there, as judged."""
    lines = (*_lines(facts, past, layout), *_matrix(facts, audited), *_unseen(facts))
    return Overview("\n".join(lines), tuple(_entries(facts, past, layout, audited)))


def _matrix(facts: Facts, audited: Audit | None) -> Iterator[str]:
    """Yield what is configured for Matrix already, and what the audit says of it."""
    if audited is None or not audited.configured:
        return
    found = facts.matrix
    named = (("server name", found.server_name), ("clients at", found.client_host), ("passed on to", found.upstream))
    yield ""
    yield "Matrix is already configured here"
    for words, told in named:
        if told is not None:
            yield f"  {words} {told.value}  {told.place}"
    yield f"  audit: {summary(audited)}"
    yield "  What was found is offered as answers; nothing of it is changed before you say so."
    yield "  If its site is to make room for ours, say so where delegation is asked for; else it stays."


def _lines(facts: Facts, past: Past, layout: Layout) -> Iterator[str]:
    yield from _earlier(past)
    if not facts.system.root:
        yield "Without root"
        yield "  You can look and go as far as the review; nothing can be changed."
        yield f"  To make the changes: {SUDO}"
        yield ""
    yield "Who answers now"
    yield from (f"  {line}" for line in who_answers(facts, layout))
    configured = (found.server_name for found in facts.palpo.configurations if found.server_name)
    names = (*(name.name for name in facts.names), *configured)
    for line in (each for proxy in facts.proxies for each in who_answers_for(proxy, names, (layout.https_port,))):
        yield f"  {line}"
    yield ""
    yield "This host"
    yield f"  {facts.system.name}, addresses {', '.join(_outside(facts)) or 'on loopback only'}"
    yield f"  firewall: {', '.join(facts.system.firewalls) or 'none seen here; there may be one outside'}"
    yield from _proxies(facts)
    yield f"  Palpo: {_palpo(facts)}"
    for found in facts.palpo.configurations:
        yield f"    {found.path}: {found.problem or f'server name {found.server_name}'}"


def _unseen(facts: Facts) -> Iterator[str]:
    if facts.unseen:
        yield ""
        yield "What could not be seen"
        yield from (f"  {line}" for line in facts.unseen)


def _earlier(past: Past) -> Iterator[str]:
    if past.waiting and past.waiting.unconfirmed_until:
        yield f"Run {past.waiting.id} waits to be confirmed"
        yield f"  It takes itself back at {of_day(past.waiting.unconfirmed_until)}."
        yield "  Follow it to see it and to keep it, or: palpo-installer confirm"
        yield ""
    elif past.busy:
        yield "A run is at work now"
        yield "  It needs nobody to watch it."
        yield ""
    for run in past.interrupted:
        yield f"Run {run.id} was cut off"
        yield f"  It began on {run.began:%Y-%m-%d at %H:%M} UTC and has no end. What it began can be taken back."
        yield ""
    if past.in_force:
        last = past.in_force[-1]
        yield "Earlier runs"
        yield f"  Run {last.id} of {last.began:%Y-%m-%d %H:%M} UTC is in force; its answers are offered again."
        yield ""


def _outside(facts: Facts) -> tuple[str, ...]:
    return tuple(address for address in facts.system.addresses if address not in {"127.0.0.1", "::1"})


def _proxies(facts: Facts) -> Iterator[str]:
    if not facts.proxies:
        yield f"  proxy: {NO_PROXY}"
    for proxy in facts.proxies:
        state = "stopped" if proxy.pid is None else "running"
        broken = f"; cannot be read at {proxy.problems[0].file}:{proxy.problems[0].line}" if proxy.problems else ""
        yield f"  proxy: {proxy.title} {proxy.version_in_words}, {state}, {proxy.configuration}{broken}"
    if len(standings(facts)) > 1:
        yield from (f"    {told}" for told in in_words(facts))


def _palpo(facts: Facts) -> str:
    palpo = facts.palpo
    kinds = {
        "unit": f"service {palpo.unit}",
        "container": f"container {palpo.container}",
        "process": "runs, started by hand",
        "stopped": "not running",
    }
    answers = f", answers at {palpo.answers_at}" if palpo.answers_at else ""
    return kinds[palpo.runs_as] + answers


def _entries(facts: Facts, past: Past, layout: Layout, audited: Audit | None) -> Iterator[Choice]:
    root = facts.system.root
    if past.busy:
        yield Choice("follow", "Follow the run", "Shows what it does until it has ended.")
        goes_on = (
            "The run goes on, and takes itself back unless it is confirmed." if past.waiting else "The run goes on."
        )
        yield Choice("leave", "Leave", goes_on)
        return
    if past.interrupted and root:
        yield Choice("recover", "Take back what was begun", "Then everything is as it was before that run.")
        yield Choice("leave", "Leave", "Nothing is changed now.")
        return
    if past.answered:
        yield Choice("set-up", "Reconfigure", "The earlier answers again; only what differs is changed.")
        yield Choice("verify", "Verify", "What clients and other servers see now.")
    else:
        behind = usual_title(facts, layout)
        yield Choice("set-up", f"Set up Palpo behind {behind}", "A few questions, then a review of every change.")
    if audited is not None and (audited.findings or (audited.read and audited.unread)):
        yield Choice("audit", "Read the audit", "Each trap in the Matrix configuration that is there, and its cure.")
    if past.in_force and root:
        if past.answered:
            yield Choice("renew", "Renew certificates", "Those that are due, as the timer does.")
        yield Choice("roll-back", f"Roll back run {past.in_force[-1].id}", "Everything as it was before it.")
    if past.runs:
        yield Choice("history", "History", "The runs on this host.")
        if root:
            yield Choice("uninstall", "Uninstall", "Take back everything that was ever applied.")
    yield Choice("leave", "Leave", "Nothing is changed.")
