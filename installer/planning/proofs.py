"""The proxy is changed while certificates have to be ordered: the one of before answers for them until it leaves.

Authorities ask on the port of plain HTTP. The proxy of before holds it until the new one takes it, and the new one
cannot serve without its certificates. So what we have in the old one for plain HTTP answers for every name that is
ordered, as it would if the old one stayed; when all is ordered, it goes with the rest of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from palpo_installer import matrix_site
from palpo_installer.certificates.responder import needed
from palpo_installer.changes import Change, Unchanged
from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.files import MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.lines import EditLines
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.removing import RemoveDirectory
from palpo_installer.planning.inputs import Inputs, link, write
from palpo_installer.planning.switching import Leaving, Removal
from palpo_installer.proxies.activation import activate
from palpo_installer.proxies.adapters import adapter
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Part
from palpo_installer.secret import Text
from palpo_installer.site import Site


@dataclass(frozen=True)
class Proofs:
    """How the proxy of before answers for the names whose certificates are ordered.

    Attributes:
        part: its configuration for plain HTTP meanwhile.
        steps: what is written for that, nothing where it answers already.
        changes: the same as a change, none where it answers already.
        responder: where it passes challenges on to, empty where it reads the files.
        summary: what happens meanwhile, in a sentence.
    """

    part: Part
    steps: tuple[WriteFile | MakeLink, ...]
    changes: tuple[Change, ...]
    responder: str
    summary: str

    def left(self, leaving: Leaving) -> Leaving:
        """Return what leaves the proxy of before when all is ordered: what is written for that goes too."""
        written = {each.path: RemoveWritten.after(each) for each in self.steps}
        known = {each.path for each in leaving.operations}
        more = tuple(each for path, each in written.items() if path not in known)
        old, sockets = leaving.withdrawal, tuple(dict.fromkeys((e.address, e.port) for e in self.part.expectations))
        shown = (replace(each, marker="", certificate=None) for each in self.part.expectations)
        return replace(
            leaving,
            operations=tuple(
                sorted((*(written.get(each.path, each) for each in leaving.operations), *more), key=_turn)
            ),
            withdrawal=replace(
                old,
                expectations=tuple(dict.fromkeys((*old.expectations, *shown))),
                alone=tuple(dict.fromkeys((*old.alone, *sockets))),
            ),
            meanwhile=sockets if self.changes else (),
        )


def proofs(leaving: Leaving, site: Site, names: Sequence[str], inputs: Inputs, title: str) -> Proofs:
    """Return how the proxy of before answers for what is ordered.

    Args:
        leaving: the proxy of before.
        site: what the new one will serve.
        names: those whose certificates are ordered.
        inputs: what the plan is made from.
        title: what people call the new one.

    Raises:
        RefusedPlan: it does not run; or what it would need stands in files of somebody else's.
    """
    old, layout, listed = leaving.proxy, inputs.layout, " and ".join(names)
    if old.pid is None:
        raise RefusedPlan(
            f"a certificate for {listed} has to be ordered before {title} can serve, and {old.title}, which answers on "
            f"port {layout.http_port} until then, does not run",
            where="proxy.kind",
            next=f"Start {old.title}, then plan again",
        )
    asked = dict.fromkeys((*(host.name for host in site.virtual_hosts if not host.tls), *names))
    found = adapter(old)
    part = found.render(Assignment(matrix_site.proving(asked, layout), inputs.facts.system, layout, {})).plain
    if part.lines:
        raise RefusedPlan(
            f"a certificate for {listed} has to be ordered before {title} can serve, and for that lines of ours in "
            f"{part.lines[0].path} would change twice",
            where="proxy.kind",
            next=f"Apply these answers with --set proxy.kind={old.kind} first, and change the proxy after that",
        )
    wanted = (
        *(write(inputs, each.path, Text(each.text), each.mode) for each in part.files),
        *(link(inputs, each.path, each.target) for each in part.links),
    )
    steps = tuple(each for each in wanted if not isinstance(each, Unchanged))
    own = (*leaving.withdrawal.own, *(each.path for each in steps))
    activation = activate(old, found.service, inputs.facts.system, part.expectations, own, enable=False)
    change = Change(f"{part.title}, still by {old.title}: certificates are ordered before it leaves", steps, activation)
    return Proofs(
        part,
        steps,
        (change,) if steps else (),
        needed(old.kind, layout),
        f"A certificate for {listed} is ordered first, while {old.title} still answers.",
    )


def _turn(operation: Removal) -> int:
    """Return when an operation has its turn: lines, links, files, so that no name leads nowhere; then directories."""
    match operation:
        case EditLines():
            return 0
        case RemoveFile(planned=planned):
            return 1 if planned.startswith("link ") else 2
        case RemoveWritten(now=now):
            return 1 if now.kind == "link" else 2
        case RemoveDirectory():
            return 3
