"""What a command works with: the host's facts and the person's answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from palpo_installer.answers import Answers
from palpo_installer.answers_file import assignments, load
from palpo_installer.choices import AS_USUAL, Choices
from palpo_installer.engine.history import ours, runs
from palpo_installer.engine.in_force import in_force, settled, written
from palpo_installer.engine.recorded import known_traces, traces
from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts, gather
from palpo_installer.facts import names as dns
from palpo_installer.host import Host
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.scene import Scene
from palpo_installer.proxies.found import Proxy
from palpo_installer.questions import Resolved, resolve


@dataclass(frozen=True)
class Session:
    """One look at the host, and the answers that go with it."""

    host: Host
    facts: Facts
    resolved: Resolved

    @property
    def answers(self) -> Answers:
        """The typed answers."""
        return self.resolved.answers

    @property
    def proxy(self) -> Proxy | None:
        """The proxy of the answers, None where it is not installed."""
        return self.facts.proxy(self.answers.proxy)


def given(host: Host, file: Path | None, settings: tuple[str, ...]) -> dict[str, object]:
    """Return the answers given: of the file, else those saved by the last complete run, and ``--set`` over them.

    Raises:
        AnswersError: the file cannot be used, or a setting is not ``key=value``.
    """
    saved = host.layout.answers
    source = file or (saved if host.status(saved) is not None else None)
    answers: Mapping[str, object] = load(source) if source else {}
    return {**answers, **assignments(settings)}


def inputs_of(session: Session, choices: Choices = AS_USUAL) -> Inputs:
    """Return what the plan of a session is made from; ``choices`` go beyond the answers."""
    layout = session.host.layout
    return Inputs(
        host=session.host,
        facts=session.facts,
        answers=session.answers,
        ours=ours(layout),
        settled=settled(layout),
        written=written(layout),
        overwrite=choices.overwrite,
        renaming=choices.renaming,
        in_force=in_force(layout),
        traces=known_traces(layout),
        secrets=session.resolved.secrets,
        command=own_command(session.host.which("palpo-installer")),
        now=datetime.now(UTC),
    )


def scene_of(host: Host, kept_edits: Path | None) -> Scene:
    """Return what a removal is planned from; ``kept_edits`` is where copies of edited files go, None for nowhere.

    Raises:
        RefusedPlan: a run cannot be read, so that nobody knows what it did.
        HostError: the plan of a run in force cannot be read.
    """
    layout = host.layout
    return Scene(host, gather(host), traces(layout), len(runs(layout)), kept_edits, ours(layout))


def own_command(installed: Path | None) -> Path:
    """Return the command that a timer can start: the installed one, which outlives an upgrade, else this one."""
    return installed or Path(sys.executable).with_name("palpo-installer")


def survey(host: Host, names: tuple[str, ...] = ()) -> Facts:
    """Return the facts of a host, with what earlier runs installed on it; without root nobody knows that.

    Args:
        host: the machine.
        names: what to ask DNS for.
    """
    installed = tuple(map(Path, ours(host.layout))) if host.is_root else None
    return replace(gather(host, names), installed=installed)


def begin(host: Host, raw: Mapping[str, object]) -> Session:
    """Read the host and resolve the answers.

    Raises:
        AnswersError: an answer is missing, unknown or not usable.
    """
    if not raw:
        raise AnswersError(
            "there are no answers in force on this host",
            where=str(host.layout.answers),
            next="Give them with --answers FILE or --set KEY=VALUE, or answer the questions of: palpo-installer",
        )
    names = [str(raw[key]) for key in ("names.server_name", "names.client_host") if key in raw]
    facts = survey(host, tuple(dict.fromkeys(names)))
    resolved = resolve(raw, facts, host.layout)
    chosen = (resolved.answers.names.base, resolved.answers.names.client_host)
    asked = {name.name for name in facts.names}
    missing = tuple(dict.fromkeys(name for name in chosen if name not in asked))
    return Session(host, replace(facts, names=(*facts.names, *dns.read(host, missing))), resolved)
