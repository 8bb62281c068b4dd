"""Facts and answers become a plan: every change, in the order in which it is made."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer import matrix_site
from palpo_installer.answers import Answers, BaseDomain, Delegation, Method
from palpo_installer.changes import Plan
from palpo_installer.layout import Layout
from palpo_installer.planning import access, media, rivals, security, taking_over
from palpo_installer.planning.edits import deleted, edits
from palpo_installer.planning.homeserver import former_listener, homeserver, key_edits
from palpo_installer.planning.inputs import Inputs, look
from palpo_installer.planning.joining import joined
from palpo_installer.planning.leftovers import leftovers
from palpo_installer.planning.obstacles import obstacles
from palpo_installer.planning.ports import refuse_taken_ports
from palpo_installer.planning.renaming import former_name, lost
from palpo_installer.planning.rendered import rendered
from palpo_installer.planning.serving import Serving, reused
from palpo_installer.planning.steps import Steps
from palpo_installer.planning.upkeep import saved_answers, timer
from palpo_installer.proxies.found import ReadFile
from palpo_installer.proxies.standing import standings
from palpo_installer.site import FixedJson


def make(inputs: Inputs) -> Plan:
    """Return the plan.

    Raises:
        RefusedPlan: it cannot be made on this host as it is.
        AnswersError: an answer does not fit what is there.
    """
    answers = inputs.answers
    serving = Serving(inputs, matrix_site.build(answers, inputs.layout))
    steps = Steps(serving)
    serving.sites.refuse()
    proxy, former = serving.proxy, former_name(inputs)
    serving.refuse_switch()
    listeners, others = serving.listeners, serving.others_ports
    refuse_taken_ports(serving.rendering, listeners, proxy, answers, inputs.layout, others, standings(inputs.facts))
    needed = rivals.ports_of(serving.rendering)
    rivals.refuse_return(serving.leaving, proxy, needed)
    rivals.refuse_waiting(serving.leaving, proxy, needed, inputs.facts)
    plain, plain_left = steps.plain()
    started = bool(plain) and proxy.pid is None
    guests, guests_left = steps.guests()
    plain, guests = joined(plain, guests)
    secure, secure_left = steps.secure(started=started)
    palpo, palpo_left, palpo_findings = homeserver(inputs)
    schedule, schedule_left, schedule_findings = timer(inputs)
    answered, answered_left = saved_answers(inputs)
    hindrances, certificate_findings = obstacles(serving)
    guards = security.guarding(inputs, serving.needs)
    tls = (*guards.closing.changes, *secure, *guards.secure.changes, *guards.releasing.changes)
    # Palpo first where it moves: then nobody is without an answer for longer than its restart takes.
    served = (*palpo, *tls) if former_listener(inputs) else (*tls, *palpo)
    wanted = {file.path: file for file in rendered(inputs, serving)}
    ahead = (
        *guards.policy.changes,
        *steps.proofs(),
        *plain,
        *guards.plain.changes,
        *guests,
        *steps.orders(),
        *steps.access(),
    )
    made = (*ahead, *served, *schedule)
    removed, stale = leftovers(inputs, wanted, (*made, *answered), steps.remaining(secure))
    changes = (*made, *removed, *answered)
    return Plan(
        summary=(
            *(lost(former, answers.names.server_name) if former else ()),
            *summary(answers, inputs.layout, proxy.title),
            *((serving.proofs.summary,) if serving.proofs else ()),
            *(serving.leaving.summary if serving.leaving else ()),
        ),
        changes=changes,
        unchanged=(
            *plain_left,
            *guests_left,
            *reused(serving),
            *secure_left,
            *palpo_left,
            *schedule_left,
            *answered_left,
            *stale,
            *guards.unchanged,
        ),
        findings=(
            *serving.rendering.findings,
            *serving.sites.findings(),
            *rivals.findings(inputs.facts, proxy, needed),
            *taking_over.findings(serving.former, serving.site, proxy),
            *certificate_findings,
            *access.findings(proxy, serving.readable),
            *palpo_findings,
            *media.findings(inputs),
            *schedule_findings,
            *deleted(inputs, changes),
            *guards.findings,
            *elsewhere(inputs),
        ),
        obstacles=(*hindrances, *guards.obstacles),
        rests_on=(*proxy.files, *_read_by_us(inputs)),
        ours=dict(inputs.ours),
        edits=(*edits(inputs, wanted), *key_edits(inputs)),
        former_name=former,
    )


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
            yield f"Certificates are ordered from {answers.certificates.directory} and renewed twice a day where due."
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
