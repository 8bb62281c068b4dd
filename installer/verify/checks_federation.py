"""Does the right homeserver answer where other servers end up; and nobody where federation is off?

``GET /_matrix/key/v2/server`` is the question: it needs no authentication and its answer is signed. The version
endpoint is no substitute, since released versions of Palpo do not serve it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from palpo_installer.answers import Delegation
from palpo_installer.probe import Answer
from palpo_installer.verify.checks_discovery import arrives
from palpo_installer.verify.report import Check, cannot_tell, failed, passed
from palpo_installer.verify.resolution import Resolution, read_object
from palpo_installer.verify.signatures import problem
from palpo_installer.verify.view import Contact, Endpoint, View

NAME = "server keys"
OFF = "federation off"
PATH = "/_matrix/key/v2/server"


def check_keys(view: View, contacts: Mapping[Endpoint, Contact], resolution: Resolution) -> tuple[Check, ...]:
    """Return the check of the keys that other servers get."""
    subject = f"https://{resolution.host}{PATH}"
    if not arrives(view, resolution):
        return (cannot_tell(NAME, subject, "Other servers do not get here until discovery is right."),)
    name = resolution.sni or view.answers.names.base
    endpoint = view.endpoint(name, resolution.destinations[0].port)
    doors = contacts[endpoint].doors if endpoint in contacts else ()
    if not doors:
        return (cannot_tell(NAME, subject, f"{endpoint} does not answer from here."),)
    for address in doors:
        answer = view.ask(endpoint.question(address, PATH, host=resolution.host))
        objection = read_keys(answer, view.answers.names.server_name, datetime.now(UTC))
        if objection:
            return (failed(NAME, subject, f"At {address}, {objection}.", _cure(view, answer)),)
    what = f"The homeserver {view.answers.names.server_name} answers with keys that it signed itself."
    return (passed(NAME, subject, what),)


def read_keys(answer: Answer, server_name: str, now: datetime) -> str:
    """Return why other servers would not accept an answer as a server's keys, empty where they would."""
    if answer.problem:
        return f"nothing answers ({answer.problem})"
    if answer.status != 200:
        return f"the answer is {answer.status} instead of 200"
    document = read_object(answer.body)
    if document is None:
        return "the answer is no JSON object"
    return problem(document, server_name, now)


def _cure(view: View, answer: Answer) -> str:
    if answer.status != 200:
        return "Look whether another site of the proxy takes this name and port: `palpo-installer audit`."
    return (
        f"Compare server_name and [keypair] in {view.answers.homeserver.config} with the answers, and look whether "
        f"{view.answers.homeserver.upstream} is this homeserver."
    )


def check_off(view: View, contacts: Mapping[Endpoint, Contact]) -> tuple[Check, ...]:
    """Return the check that no homeserver of this name answers other servers, for the delegation ``none``."""
    if view.answers.federation.delegation is not Delegation.NONE:
        return ()
    names = dict.fromkeys((view.answers.names.client_host, view.answers.names.base))
    ports = dict.fromkeys((view.layout.https_port, view.answers.federation.port))
    for endpoint in (view.endpoint(name, port) for name in names for port in ports):
        known = contacts.get(endpoint)
        for address in known.doors if known else view.addresses(endpoint.name):
            document = read_object(view.ask(endpoint.question(address, PATH)).body) or {}
            if document.get("server_name") == view.answers.names.server_name:
                what = f"Federation is off, but the homeserver's keys are served at {endpoint}."
                return (failed(OFF, str(endpoint), what, f"Close {PATH} there, or choose a delegation."),)
    return (passed(OFF, view.answers.names.server_name, "Other servers get no keys on any port, as chosen."),)
