"""Does the homeserver run, is it Palpo, and can clients talk to it through the proxy?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from palpo_installer.probe import Answer, Question
from palpo_installer.verify.checks_well_known import cross_origin
from palpo_installer.verify.fetching import ORIGIN
from palpo_installer.verify.report import Check, cannot_tell, failed, passed
from palpo_installer.verify.resolution import read_object
from palpo_installer.verify.view import TIMEOUT, Contact, Endpoint, View

NAME = "homeserver"
CLIENT_API = "client API"
PATH = "/_matrix/client/versions"
FINGERPRINT = "net.zemos.msc4383.server"
"""Where a homeserver names its software in the answer of ``/_matrix/client/versions`` (MSC4383)."""


@dataclass(frozen=True)
class Homeserver:
    """The homeserver's answer to ``/_matrix/client/versions``.

    Attributes:
        direct: from its own address, without the proxy.
        through: through the proxy, None where no address of the client host leads here.
        address: the address that ``through`` was asked at.
    """

    direct: Answer
    through: Answer | None
    address: str

    @property
    def runs(self) -> bool:
        """Whether a homeserver answers, on either way: a container's address may be out of reach from here."""
        return bool(versions(self.direct) or (self.through and versions(self.through)))


def upstream_question(view: View, target: str) -> Question:
    """Return a question to the homeserver itself, as the proxy would ask it."""
    upstream = view.answers.homeserver.upstream
    return Question(upstream.host, upstream.port, tls=False, host=view.client.host, target=target, timeout=TIMEOUT)


def ask_homeserver(view: View, contacts: Mapping[Endpoint, Contact]) -> Homeserver:
    """Ask the homeserver directly and through the proxy."""
    direct = view.ask(upstream_question(view, PATH))
    doors = contacts[view.client].doors if view.client in contacts else ()
    if not doors:
        return Homeserver(direct, None, "")
    through = view.ask(view.client.question(doors[0], PATH, headers={"Origin": ORIGIN}))
    return Homeserver(direct, through, doors[0])


def versions(answer: Answer) -> list[object]:
    """Return the versions of the specification that an answer names, none where it is no such answer."""
    document = read_object(answer.body) if answer.status == 200 else None
    found = document.get("versions") if document else None
    return found if isinstance(found, list) else []


def software(answer: Answer) -> str:
    """Return the name and version that the homeserver gives itself, empty where it gives none."""
    found = (read_object(answer.body) or {}).get(FINGERPRINT)
    if not isinstance(found, dict):
        return ""
    return f"{found.get('name', '')} {found.get('version', '')}".strip()


def check_homeserver(view: View, homeserver: Homeserver) -> tuple[Check, ...]:
    """Return the checks of the homeserver itself and of the way through the proxy."""
    subject = str(view.answers.homeserver.upstream)
    if not homeserver.runs:
        return (_stopped(view, homeserver, subject), _waiting())
    if homeserver.through is None:
        what = "No address of it leads here, so nothing could be asked through the proxy."
        return (_running(homeserver, subject), cannot_tell(CLIENT_API, f"https://{view.client.host}{PATH}", what))
    return (_running(homeserver, subject), _through(view, homeserver, homeserver.through))


def _stopped(view: View, homeserver: Homeserver, subject: str) -> Check:
    answer = homeserver.direct
    if answer.status:
        what = f"What answers at {subject} is no Matrix homeserver: {PATH} gives {answer.status}."
        config = view.answers.homeserver.config
        cure = f"Find out what listens there (`palpo-installer detect`) and compare it with {config}."
        return failed(NAME, subject, what, cure)
    what = f"Palpo does not answer at {subject} ({answer.problem})."
    cure = "Start it (`systemctl start palpo` where it is a unit) and read its log (`journalctl -u palpo`)."
    return failed(NAME, subject, what, cure)


def _waiting() -> Check:
    what = "The client API, the server keys, the closed paths and the request targets need a running homeserver."
    return cannot_tell("through the proxy", "everything that Palpo answers", what, "Run verify again once it runs.")


def _running(homeserver: Homeserver, subject: str) -> Check:
    answer = homeserver.direct if versions(homeserver.direct) else homeserver.through or homeserver.direct
    named = software(answer)
    if named and not named.lower().startswith("palpo"):
        cure = "Look whether the upstream in the answers is Palpo's address."
        return failed(NAME, subject, f"The homeserver that answers is {named}, not Palpo.", cure)
    if not named:
        return cannot_tell(NAME, subject, "A homeserver answers, without saying which software it is.")
    if not versions(homeserver.direct):
        return passed(
            NAME, subject, f"{named} answers through the proxy (its own address cannot be reached from here)."
        )
    return passed(NAME, subject, f"{named} answers.")


def _through(view: View, homeserver: Homeserver, answer: Answer) -> Check:
    subject = f"https://{view.client.host}{PATH}"
    if not versions(answer):
        shown = f"answers {answer.status}" if answer.status else f"does not answer ({answer.problem})"
        what = f"The proxy {shown} at {homeserver.address}, though the homeserver itself answers."
        cure = (
            f"Look into the proxy's error log: it must reach {view.answers.homeserver.upstream} (SELinux: "
            "httpd_can_network_connect), and no other site may take this path."
        )
        return failed(CLIENT_API, subject, what, cure)
    objection = cross_origin(answer)
    if objection:
        cure = "Palpo sends that header itself on every answer: let the proxy neither add nor remove it."
        return failed(CLIENT_API, subject, f"{objection[0].upper()}{objection[1:]}.", cure)
    return passed(CLIENT_API, subject, "Clients reach the homeserver, web clients included.")
