"""What the first screen says, and what can be done: from the facts and the earlier runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from palpo_installer.detect import who_answers_for
from palpo_installer.engine.history import PastRun
from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
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
    def in_force(self) -> tuple[PastRun, ...]:
        """The runs whose changes are there, oldest first."""
        return tuple(run for run in self.runs if run.result == "applied")


@dataclass(frozen=True)
class Overview:
    """The first screen: its text, and the entries of its menu, the first of which is the usual one."""

    text: str
    entries: tuple[Choice, ...]


def overview(facts: Facts, past: Past, layout: Layout) -> Overview:
    """Return what the first screen shows."""
    return Overview("\n".join(_lines(facts, past, layout)), tuple(_entries(facts, past)))


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
    for line in who_answers_for(facts, names, (layout.https_port,)):
        yield f"  {line}"
    yield ""
    yield "This host"
    yield f"  {facts.system.name}, addresses {', '.join(_outside(facts)) or 'on loopback only'}"
    yield f"  firewall: {', '.join(facts.system.firewalls) or 'none seen here; there may be one outside'}"
    yield f"  proxy: {_proxy(facts)}"
    yield f"  Palpo: {_palpo(facts)}"
    for found in facts.palpo.configurations:
        yield f"    {found.path}: {found.problem or f'server name {found.server_name}'}"
    if facts.unseen:
        yield ""
        yield "What could not be seen"
        yield from (f"  {line}" for line in facts.unseen)


def _earlier(past: Past) -> Iterator[str]:
    if past.busy:
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


def _proxy(facts: Facts) -> str:
    nginx = facts.nginx
    if nginx is None:
        return "nginx is not installed; this version needs it, e.g.: apt-get install nginx"
    state = "stopped" if nginx.pid is None else "running"
    broken = f"; cannot be read at {nginx.problems[0].file}:{nginx.problems[0].line}" if nginx.problems else ""
    return f"nginx {'.'.join(map(str, nginx.version))}, {state}, {nginx.configuration}{broken}"


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


def _entries(facts: Facts, past: Past) -> Iterator[Choice]:
    root = facts.system.root
    if past.busy:
        yield Choice("follow", "Follow the run", "Shows what it does until it has ended.")
        yield Choice("leave", "Leave", "The run goes on.")
        return
    if past.interrupted and root:
        yield Choice("recover", "Take back what was begun", "Then everything is as it was before that run.")
        yield Choice("leave", "Leave", "Nothing is changed now.")
        return
    if past.answered:
        yield Choice("set-up", "Reconfigure", "The earlier answers again; only what differs is changed.")
        yield Choice("verify", "Verify", "What clients and other servers see now.")
    else:
        yield Choice("set-up", "Set up Palpo behind nginx", "A few questions, then a review of every change.")
    if past.in_force and root:
        if past.answered:
            yield Choice("renew", "Renew certificates", "Those that are due, as the timer does.")
        yield Choice("roll-back", f"Roll back run {past.in_force[-1].id}", "Everything as it was before it.")
    if past.runs:
        yield Choice("history", "History", "The runs on this host.")
    yield Choice("leave", "Leave", "Nothing is changed.")
