"""What is looked at in the background: the host, its earlier runs, names, terms of service, the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer import review
from palpo_installer.certificates.directory import fetch
from palpo_installer.changes import Plan
from palpo_installer.choices import Choices
from palpo_installer.engine import lock
from palpo_installer.engine.history import runs
from palpo_installer.errors import HostError
from palpo_installer.facts import Facts
from palpo_installer.facts.names import Name
from palpo_installer.host import Host
from palpo_installer.plan import make
from palpo_installer.questions.resolution import folded
from palpo_installer.screens.overview import Past
from palpo_installer.session import Session, begin, inputs_of

PATIENCE = 3
"""Seconds for connecting to an authority, and for its answer."""


@dataclass(frozen=True)
class Made:
    """A plan with what it was made from, and its review in words."""

    session: Session
    plan: Plan
    text: str


def look_back(host: Host) -> Past:
    """Return what earlier runs left; without root there are none that we may see."""
    busy = host.is_root and not lock.is_free(host.layout)
    return Past(runs(host.layout), busy, answered=host.status(host.layout.answers) is not None)


def with_names(facts: Facts, names: tuple[Name, ...]) -> Facts:
    """Return facts that know more names."""
    new = {name.name for name in names}
    return replace(facts, names=(*(name for name in facts.names if name.name not in new), *names))


def terms_of(directory: str, ca_file: Path | None, proxy: str) -> str:
    """Return what an authority says of its terms, or why it cannot be asked."""
    try:
        terms = fetch(directory, ca_file, proxy, timeout=PATIENCE).terms_of_service
    except HostError as error:
        return f"Its terms could not be read: {error.what}."
    return f"The terms: {terms}" if terms else "This authority has no terms of service to agree to."


def make_plan(host: Host, given: Mapping[str, object], overwrite: frozenset[str] = frozenset(), name: str = "") -> Made:
    """Look at the host once more and return the plan for the answers.

    Args:
        host: the machine.
        given: the answers, as typed.
        overwrite: the subjects of the edits that are given up.
        name: the server name for which another one may be given up, empty for none.

    Raises:
        AnswersError: an answer is missing or not usable.
        RefusedPlan: the plan cannot be made on this host as it is.
        HostError: something could not be read.
    """
    session = begin(host, folded(given))
    renaming = session.answers.names.server_name == name
    plan = make(inputs_of(session, Choices(overwrite, renaming)))
    return Made(session, plan, review.in_words(plan, host))
