"""Facts and answers become a plan: every change, in the order in which it is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from palpo_installer import matrix_site
from palpo_installer.answers import Answers, BaseDomain, Delegation, Method
from palpo_installer.changes import Change, Plan, Unchanged
from palpo_installer.layout import Layout
from palpo_installer.planning import access, media, rivals, security, taking_over
from palpo_installer.planning.directories import made_once
from palpo_installer.planning.edits import deleted, edits
from palpo_installer.planning.homeserver import former_listener, homeserver, key_edits
from palpo_installer.planning.inputs import Inputs, look
from palpo_installer.planning.joining import joined
from palpo_installer.planning.leftovers import leftovers
from palpo_installer.planning.obstacles import obstacles
from palpo_installer.planning.ports import refuse_taken_ports
from palpo_installer.planning.renaming import former_name, lost
from palpo_installer.planning.rendered import rendered
from palpo_installer.planning.security import Guarding
from palpo_installer.planning.serving import Serving
from palpo_installer.planning.shares import Share
from palpo_installer.planning.steps import Steps
from palpo_installer.planning.upkeep import saved_answers, timer
from palpo_installer.proxies.found import ReadFile
from palpo_installer.proxies.standing import standings
from palpo_installer.site import FixedJson


@dataclass(frozen=True)
class Subjects:
    """A plan by its subjects, without what keeps the host safe and what is left over."""

    plain: Share
    guests: Share
    secure: Share
    palpo: Share
    schedule: Share
    answers: Share


def make(inputs: Inputs) -> Plan:
    """Return the plan.

    Raises:
        RefusedPlan: it cannot be made on this host as it is.
        AnswersError: an answer does not fit what is there.
    """
    serving = Serving(inputs, matrix_site.build(inputs.answers, inputs.layout))
    serving.sites.refuse()
    former = former_name(inputs)
    _refuse(serving)
    steps = Steps(serving)
    subjects = _subjects(serving, steps)
    hindrances, certificate_findings = obstacles(serving)
    guards = security.guarding(inputs, serving.needs)
    wanted = {file.path: file for file in rendered(inputs, serving)}
    made = _in_order(serving, steps, subjects, guards)
    answered = subjects.answers.changes
    removed, stale = leftovers(inputs, wanted, (*made, *answered), steps.remaining(subjects.secure.changes))
    changes = made_once((*made, *removed, *answered))
    return Plan(
        summary=tuple(_summary(serving, former)),
        changes=changes,
        unchanged=(*_unchanged(serving, subjects), *stale, *guards.unchanged),
        findings=(
            *_of_serving(serving),
            *certificate_findings,
            *access.findings(serving.proxy, serving.readable),
            *subjects.palpo.findings,
            *media.findings(inputs),
            *subjects.schedule.findings,
            *deleted(inputs, changes),
            *guards.findings,
            *elsewhere(inputs),
        ),
        obstacles=(*hindrances, *guards.obstacles),
        rests_on=(*serving.proxy.files, *_read_by_us(inputs)),
        ours=dict(inputs.ours),
        edits=(*edits(inputs, wanted), *key_edits(inputs)),
        former_name=former,
        read_whole=inputs.facts.read_whole,
    )


def _refuse(serving: Serving) -> None:
    """Check that the proxy can have the ports that the site needs, and keep them.

    Raises:
        RefusedPlan: it cannot.
    """
    inputs, proxy, rendering = serving.inputs, serving.proxy, serving.rendering
    serving.refuse_switch()
    there = standings(inputs.facts)
    refuse_taken_ports(rendering, serving.listeners, proxy, inputs.answers, inputs.layout, serving.others_ports, there)
    rivals.refuse_return(serving.leaving, proxy, rivals.ports_of(rendering))
    rivals.refuse_waiting(serving.leaving, proxy, rivals.ports_of(rendering), inputs.facts)


def _subjects(serving: Serving, steps: Steps) -> Subjects:
    plain, plain_left = steps.plain()
    started = bool(plain) and serving.proxy.pid is None
    guests, guests_left = steps.guests()
    plain, guests = joined(plain, guests)
    return Subjects(
        plain=Share(plain, plain_left),
        guests=Share(guests, guests_left),
        secure=Share(*steps.secure(started=started)),
        palpo=Share(*homeserver(serving.inputs)),
        schedule=Share(*timer(serving.inputs)),
        answers=Share(*saved_answers(serving.inputs)),
    )


def _in_order(serving: Serving, steps: Steps, subjects: Subjects, guards: Guarding) -> tuple[Change, ...]:
    """Return the changes in the order in which they are made, but for leftovers and the answers, which come last."""
    palpo = subjects.palpo.changes
    tls = (*guards.closing.changes, *subjects.secure.changes, *guards.secure.changes, *guards.releasing.changes)
    return (
        *guards.policy.changes,
        *steps.proofs(),
        *subjects.plain.changes,
        *guards.plain.changes,
        *subjects.guests.changes,
        *steps.orders(),
        *steps.access(),
        # Palpo first where it moves: then nobody is without an answer for longer than its restart takes.
        *((*palpo, *tls) if former_listener(serving.inputs) else (*tls, *palpo)),
        *subjects.schedule.changes,
    )


def _unchanged(serving: Serving, subjects: Subjects) -> tuple[Unchanged, ...]:
    return (
        *subjects.plain.unchanged,
        *subjects.guests.unchanged,
        *serving.certificates.reused,
        *subjects.secure.unchanged,
        *subjects.palpo.unchanged,
        *subjects.schedule.unchanged,
        *subjects.answers.unchanged,
    )


def _of_serving(serving: Serving) -> Iterator[str]:
    """Yield what is to be known of the proxy, and of the sites of others in it."""
    yield from serving.rendering.findings
    yield from serving.sites.findings()
    yield from rivals.findings(serving.inputs.facts, serving.proxy, rivals.ports_of(serving.rendering))
    yield from taking_over.findings(serving.former, serving.site, serving.proxy)


def _summary(serving: Serving, former: str) -> Iterator[str]:
    answers = serving.inputs.answers
    if former:
        yield from lost(former, answers.names.server_name)
    yield from summary(answers, serving.inputs.layout, serving.proxy.title)
    if serving.proofs:
        yield serving.proofs.summary
    if serving.leaving:
        yield from serving.leaving.summary


def _read_by_us(inputs: Inputs) -> Iterator[ReadFile]:
    for path in (inputs.answers.homeserver.config, inputs.layout.answers):
        state = look(path)
        if state.kind == "file":
            yield ReadFile(path, state.sha256)


def summary(answers: Answers, layout: Layout, proxy: str) -> Iterator[str]:
    """Yield what will be the case afterwards, in a few sentences; ``proxy`` is what people call it."""
    names, federation = answers.names, answers.federation
    yield f"Accounts are named @user:{names.server_name}, and that is for ever."
    client = matrix_site.origin(names.client_host, layout)
    yield f"Clients talk to {client}, which {proxy} passes to Palpo at {answers.homeserver.upstream}."
    if answers.media is not None:
        yield f"Media are kept by the media repository at {answers.media}, and no more by Palpo."
    match federation.delegation:
        case Delegation.WELL_KNOWN:
            where = f"https://{names.base}/.well-known/matrix/server"
            yield f"Other servers learn from {where} to use {matrix_site.delegated(answers, layout)['m.server']}."
        case Delegation.SRV:
            yield f"Other servers learn from SRV records to use {names.client_host}:{federation.port}."
        case Delegation.DIRECT:
            yield f"Other servers connect to {names.base}:{federation.port}."
        case Delegation.NONE:
            yield "This server does not talk to other servers."
    match answers.certificates.method:
        case Method.HTTP_01:
            yield f"Certificates are ordered from {answers.certificates.directory}; twice a day those due are renewed."
        case Method.PROXY:
            yield f"{proxy} orders certificates from {answers.certificates.directory} and renews them, itself."
            for name in answers.certificates.files:
                yield f"For {name} your own certificate is used; renew it, and reload {proxy} then, yourself."
        case Method.SELF_SIGNED:
            yield "Certificates are made here, for trying out only: no client and no other server trusts them."
        case _:
            yield f"The certificates that you brought are used; renew them, and reload {proxy} then, yourself."


def elsewhere(inputs: Inputs) -> Iterator[str]:
    """Yield what must be done on other machines."""
    names, federation = inputs.answers.names, inputs.answers.federation
    if federation.delegation is Delegation.SRV:
        for service in matrix_site.SERVICES:
            record = matrix_site.service_record(service, names.base, names.client_host, federation.port)
            yield f"This DNS record must be there: {record}"
    if names.base_domain is BaseDomain.ELSEWHERE:
        for route in matrix_site.discovery_routes(inputs.answers, inputs.layout):
            if isinstance(route, FixedJson):
                yield f"The web server of {names.base} must answer https://{names.base}{route.path} with: {route.body}"
