"""Facts and answers become a plan: every change, in the order in which it is made."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer import site
from palpo_installer.answers import Answers, BaseDomain, Delegation, Method
from palpo_installer.changes import Plan
from palpo_installer.layout import Layout
from palpo_installer.planning import taking_over
from palpo_installer.planning.homeserver import homeserver
from palpo_installer.planning.inputs import Inputs, look
from palpo_installer.planning.ports import refuse_taken_ports
from palpo_installer.planning.serving import Serving, reused
from palpo_installer.planning.upkeep import saved_answers, timer
from palpo_installer.proxies.nginx.configuration import ReadFile


def make(inputs: Inputs) -> Plan:
    """Return the plan.

    Raises:
        RefusedPlan: it cannot be made on this host as it is.
        AnswersError: an answer does not fit what is there.
    """
    answers = inputs.answers
    serving = Serving(inputs, site.build(answers, inputs.layout))
    serving.sites.refuse()
    refuse_taken_ports(serving.rendering, inputs.facts.listeners, serving.nginx.pid)
    plain, plain_left = serving.plain()
    started = bool(plain) and serving.nginx.pid is None
    guests, guests_left = serving.guests()
    secure, secure_left = serving.secure(started=started)
    palpo, palpo_left, palpo_findings = homeserver(inputs)
    schedule, schedule_left, schedule_findings = timer(inputs)
    answered, answered_left = saved_answers(inputs)
    obstacles, certificate_findings = serving.obstacles()
    changes = (*plain, *guests, *serving.orders(), *secure, *palpo, *schedule, *answered)
    return Plan(
        summary=tuple(summary(answers, inputs.layout)),
        changes=changes,
        unchanged=(
            *plain_left,
            *guests_left,
            *reused(serving),
            *secure_left,
            *palpo_left,
            *schedule_left,
            *answered_left,
        ),
        findings=(
            *serving.rendering.findings,
            *serving.sites.findings(),
            *taking_over.findings(serving.former, serving.site, serving.nginx),
            *certificate_findings,
            *palpo_findings,
            *schedule_findings,
            *elsewhere(inputs),
        ),
        obstacles=obstacles,
        rests_on=(*serving.nginx.files, *_read_by_us(inputs)),
        ours=dict(inputs.ours),
    )


def _read_by_us(inputs: Inputs) -> Iterator[ReadFile]:
    for path in (inputs.answers.homeserver.config, inputs.layout.answers):
        state = look(path)
        if state.kind == "file":
            yield ReadFile(path, state.sha256)


def summary(answers: Answers, layout: Layout) -> Iterator[str]:
    """Yield what will be the case afterwards, in a few sentences."""
    names, federation = answers.names, answers.federation
    yield f"Accounts are named @user:{names.server_name}, and that is for ever."
    client = site.origin(names.client_host, layout)
    yield f"Clients talk to {client}, which nginx passes to Palpo at {answers.homeserver.upstream}."
    match federation.delegation:
        case Delegation.WELL_KNOWN:
            where = f"https://{names.base}/.well-known/matrix/server"
            yield f"Other servers learn from {where} to use {site.delegated(answers, layout)['m.server']}."
        case Delegation.SRV:
            yield f"Other servers learn from SRV records to use {names.client_host}:{federation.port}."
        case Delegation.DIRECT:
            yield f"Other servers connect to {names.base}:{federation.port}."
        case Delegation.NONE:
            yield "This server does not talk to other servers."
    match answers.certificates.method:
        case Method.HTTP_01:
            yield f"Certificates are ordered from {answers.certificates.directory} and renewed twice a day where due."
        case Method.SELF_SIGNED:
            yield "Certificates are made here, for trying out only: no client and no other server trusts them."
        case _:
            yield "The certificates that you brought are used; renewing them is up to you."


def elsewhere(inputs: Inputs) -> Iterator[str]:
    """Yield what must be done on other machines."""
    names, federation = inputs.answers.names, inputs.answers.federation
    if federation.delegation is Delegation.SRV:
        for service in site.SERVICES:
            record = site.service_record(service, names.base, names.client_host, federation.port)
            yield f"This DNS record must be there: {record}"
    if names.base_domain is BaseDomain.ELSEWHERE:
        for route in site.discovery_routes(inputs.answers, inputs.layout):
            if isinstance(route, site.FixedJson):
                yield f"The web server of {names.base} must answer https://{names.base}{route.path} with: {route.body}"
