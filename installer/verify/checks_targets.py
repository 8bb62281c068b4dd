"""Do request targets reach the homeserver byte for byte?

Other servers sign the target that they send, so that a proxy which decodes, re-encodes or tidies it up breaks
federation (Matrix spec, server-server API, "Request Authentication"). Without an account only the homeserver's
refusals can be seen: a changed target shows where it means another route. Which ones do is asked, not assumed:
where the homeserver itself answers the same to the target and to its changed form, the proxy's answer proves
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from palpo_installer.verify.checks_homeserver import upstream_question
from palpo_installer.verify.checks_paths import content
from palpo_installer.verify.report import Check, Result, cannot_tell, failed, passed
from palpo_installer.verify.view import Contact, Endpoint, View

NAME = "request targets"


@dataclass(frozen=True)
class Target:
    """A request target, and what a proxy makes of it that tidies up.

    Attributes:
        kind: what is special about it, in the plural.
        sent: the target as clients and servers may send it.
        changed: the target as such a proxy passes it on.
        needed: whether Matrix needs it; one that it does not need may be refused by the proxy (4xx).
    """

    kind: str
    sent: str
    changed: str
    needed: bool = True


def targets(server_name: str) -> tuple[Target, ...]:
    """Return the targets to try; aliases and users in them are of this server, so that none asks another one."""
    name = quote(server_name, safe="")
    client, local = "/_matrix/client", "palpo-installer-verify"
    room, user = f"{client}/v3/directory/room", f"{client}/v3/profile"
    return (
        Target("encoded slashes", f"{room}/%23{local}%2Fx%3A{name}", f"{room}/%23{local}/x%3A{name}"),
        Target("lower-case encoded slashes", f"{room}/%23{local}%2fx%3A{name}", f"{room}/%23{local}/x%3A{name}"),
        Target("encoded percent signs", f"{client}/%2576ersions", f"{client}/%76ersions"),
        Target("encoded question marks", f"{room}/%23{local}%3Fx%3A{name}", f"{room}/%23{local}?x%3A{name}"),
        Target("encoded hash signs", f"{room}/%23{local}%3A{name}", f"{room}/"),
        Target("encoded colons", f"{user}/%40{local}%3A{name}", f"{user}/%40{local}:{name}"),
        Target("encoded at signs", f"{user}/%40{local}%3A{name}", f"{user}/@{local}%3A{name}"),
        Target("encoded letters beyond ASCII", f"{user}/%40%e2%80%a2%3A{name}", f"{user}/%40%E2%80%A2%3A{name}"),
        Target("double slashes", f"{client}//versions", f"{client}/versions"),
        Target("dot segments", f"{client}/v3/../versions", f"{client}/versions", needed=False),
        Target("encoded dot segments", f"{client}/v3/%2e%2e/versions", f"{client}/versions", needed=False),
    )


def check_targets(view: View, contacts: Mapping[Endpoint, Contact]) -> tuple[Check, ...]:
    """Return the checks for each endpoint that passes requests on."""
    return tuple(
        check
        for endpoint in view.forwarding
        if endpoint in contacts and contacts[endpoint].doors
        for check in _check(view, endpoint, contacts[endpoint].doors[0])
    )


def _check(view: View, endpoint: Endpoint, address: str) -> tuple[Check, ...]:
    subject = f"{endpoint} at {address}"
    found = {target: judge(view, endpoint, address, target) for target in targets(view.answers.names.server_name)}
    broken = {target.kind: what for target, (result, what) in found.items() if result is Result.FAIL}
    intact = [target.kind for target, (result, _) in found.items() if result is Result.PASS]
    unseen = [target.kind for target, (result, _) in found.items() if result is Result.CANNOT_TELL]
    checks = []
    if broken:
        cure = (
            "Pass targets on as they came: nginx `proxy_pass` without a path, not even `/`; Apache `nocanon` with "
            "`AllowEncodedSlashes NoDecode`; Traefik 3.6.4 to 3.6.6 `encodedCharacters`."
        )
        example = next(iter(broken.values()))
        checks.append(failed(NAME, subject, f"Not as they were sent: {', '.join(broken)}. {example}.", cure))
    elif intact:
        checks.append(passed(NAME, subject, f"As they were sent: {', '.join(intact)}."))
    if unseen:
        what = f"Palpo's answers do not show whether these arrive as they were sent: {', '.join(unseen)}."
        checks.append(cannot_tell(NAME, subject, what, "`palpo-installer rehearse` compares them byte by byte."))
    return tuple(checks)


def judge(view: View, endpoint: Endpoint, address: str, target: Target) -> tuple[Result, str]:
    """Return what became of a target on its way through the proxy, and that in words for a failure."""
    unchanged, changed = (view.ask(upstream_question(view, there)) for there in (target.sent, target.changed))
    answer = view.ask(endpoint.question(address, target.sent))
    if not unchanged.status or not changed.status or not answer.status:
        return Result.CANNOT_TELL, ""
    if content(answer) == content(unchanged):
        same = content(unchanged) == content(changed)
        return (Result.CANNOT_TELL if same else Result.PASS), ""
    if content(answer) == content(changed):
        return Result.FAIL, f"{target.sent} arrives as {target.changed}"
    if not target.needed and 400 <= answer.status < 500:
        return Result.PASS, ""
    return Result.FAIL, f"{target.sent} gets {answer.status}, without the proxy {unchanged.status}"
