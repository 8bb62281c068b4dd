"""What the first screen's menu offers beside setting up, as text."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer import session
from palpo_installer.audit import auditing, report
from palpo_installer.engine import lock, renewal
from palpo_installer.engine.history import runs, state
from palpo_installer.host import Host
from palpo_installer.outside import look
from palpo_installer.proxies.kinds import title
from palpo_installer.rehearsal import rehearse
from palpo_installer.session import Session
from palpo_installer.verify import describe


def verify(host: Host) -> str:
    """Return what clients and other servers see of the answers in force.

    Raises:
        AnswersError: the saved answers cannot be used.
        HostError: the host cannot be looked at.
    """
    answers = session.begin(host, session.given(host, None, ())).answers
    return f"What clients and other servers see\n\n{describe(look(host, answers))}"


def rehearsal(session: Session) -> str:
    """Return what a rehearsal of the site shows.

    Raises:
        InstallerError: it cannot be rehearsed here.
    """
    report = rehearse(session.answers, session.proxy, session.host.layout)
    return f"How the site does in a private copy of {title(session.answers.proxy)}\n\n{describe(report)}"


def audit(host: Host) -> str:
    """Return what there is to say of the Matrix configuration that is there."""
    return f"The Matrix configuration that is already there\n\n{report.describe(auditing.of_host(host))}"


def renew(host: Host) -> str:
    """Renew what is due and return what was done.

    Raises:
        InstallerError: nothing could be renewed.
    """
    said: list[str] = []
    code = renewal.renew(host, said.append)
    heading = "Renewed, as far as it was due" if code == 0 else "Not everything could be renewed"
    return "\n".join([heading, *(f"  {line}" for line in said)])


def history(host: Host) -> str:
    """Return the runs on this host, newest first."""
    return "\n".join(["Runs on this host, newest first", *_runs(host)])


def _runs(host: Host) -> Iterator[str]:
    busy = not lock.is_free(host.layout)
    for run in reversed(runs(host.layout)):
        yield f"  {run.id}  {run.began:%Y-%m-%d %H:%M} UTC  {state(run, busy=busy)}"
        yield from (f"        {line}" for line in (run.cause, *run.problems) if line)
