"""The changes of the proxy: port 80, guests in other sites, orders, the TLS ports; and how each is taken up."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from palpo_installer.changes import AnyOperation, Change, Unchanged
from palpo_installer.gates import markers
from palpo_installer.operations.certificates import OrderCertificate, ProbeChallenge
from palpo_installer.operations.lines import EditLines
from palpo_installer.operations.rests import RemoveRest, WriteRest
from palpo_installer.planning import access
from palpo_installer.planning.halving import going_on
from palpo_installer.planning.inputs import MARKER, link, missing_directories, write
from palpo_installer.planning.joining import edited_once
from palpo_installer.planning.serving import Serving
from palpo_installer.probe import ask
from palpo_installer.proxies.activation import ActivateProxy, activate
from palpo_installer.proxies.base import Expectation, Part
from palpo_installer.secret import Text


@dataclass(frozen=True)
class Steps:
    """What a plan does about the proxy, change by change.

    Attributes:
        serving: what the proxy must serve.
    """

    serving: Serving

    def proofs(self) -> tuple[Change, ...]:
        """Return the change of the proxy of before that lets it answer for certificates that are ordered."""
        return self.serving.proofs.changes if self.serving.proofs else ()

    def plain(self) -> tuple[tuple[Change, ...], tuple[Unchanged, ...]]:
        """Return the change of port 80, and what of it needs nothing."""
        if self.serving.together is not None:
            return (), ()
        former = [each for each in self.serving.former if each.plain]
        rests = (WriteRest(each.rest) for each in former if each.rest is not None)
        # What goes on is there before the whole goes: at no moment is there a configuration without it.
        removals: tuple[AnyOperation, ...] = (*rests, *(each.removal for each in former))
        operations, unchanged = self._files(self.serving.rendering.plain, removals)
        if not operations and self.serving.proxy.pid is not None and self._is_live(self.serving.rendering.plain):
            return (), unchanged
        activation = self._activation(self.serving.rendering.plain, enable=self.serving.proxy.unit_enabled is False)
        kept = going_on(former, self.serving.proxy, self.serving.inputs.facts.system)
        activation = replace(activation, neighbours=(*activation.neighbours, *kept))
        return (Change(self.serving.rendering.plain.title, operations, activation),), unchanged

    def guests(self) -> tuple[tuple[Change, ...], tuple[Unchanged, ...]]:
        """Return the change of sites that are somebody else's, and what of it needs nothing."""
        sites = self.serving.sites
        if not sites.hostings or self.serving.leaving is not None:
            return (), ()
        whole = sites.whole
        written, unchanged = self._files(whole)
        changed, kept = sites.operations()
        left = (*unchanged, *kept, *sites.in_place())
        if not written and not changed and all(map(self._is_live, sites.parts)):
            return (), left
        # Also where only a person can include the file: taken back, it is not to be served on from the proxy's memory.
        activation = replace(self._activation(whole, enable=False), start=False)
        return (Change(whole.title, (*written, *changed), activation),), left

    def orders(self) -> tuple[Change, ...]:
        """Return the orders, after a probe of the way that their proofs take."""
        orders = [order for order in self.serving.certificates.due if isinstance(order, OrderCertificate)]
        changes = [Change(f"a certificate for {order.name}", (order,)) for order in self.serving.certificates.due]
        if orders:
            probes = tuple(self._probes({order.name for order in orders}))
            changes.insert(0, Change("the way of the proof, asked as the certificate authority will", probes))
        return tuple(changes)

    def access(self) -> tuple[Change, ...]:
        """Return the change that lets the proxy's account read the certificates that are ours; after their orders."""
        lettings = access.lettings(self.serving.proxy, self.serving.readable)
        return (Change(f"certificates that {self.serving.proxy.reader} may read", lettings),) if lettings else ()

    def _probes(self, names: Collection[str]) -> Iterator[ProbeChallenge]:
        """Yield a probe for each configuration that answers challenges: ours, and the sites that include ours."""
        own = (self.serving.rendering.plain, *self.serving.sites.parts)
        for part in (self.serving.proofs.part,) if self.serving.proofs else own:
            plain = [expectation for expectation in part.expectations if not expectation.tls]
            asked = tuple(name for name in dict.fromkeys(e.name for e in plain) if name in names)
            places = {(e.address, e.port, e.proxy_protocol) for e in plain}
            if asked:
                webroot, responder = self.serving.inputs.layout.webroot, self.serving.responder
                yield ProbeChallenge(asked, tuple(sorted(places)), webroot, responder=responder)

    def secure(self, *, started: bool) -> tuple[tuple[Change, ...], tuple[Unchanged, ...]]:
        """Return the change of the TLS ports; ``started`` says whether an earlier change starts the proxy."""
        part = self.serving.together or self.serving.rendering.secure
        former = self.serving.former
        gone = (each.removal for each in former if self.serving.together or not each.plain)
        removals: tuple[AnyOperation, ...] = (
            *gone,
            *(RemoveRest(each.rest) for each in former if each.rest is not None),
        )
        operations, unchanged = self._files(part, removals)
        sites = self.serving.sites
        if not sites.hostings or self.serving.leaving is not None:
            # Who answers from now on and the lines that led elsewhere change places in one reload.
            changed, kept = sites.operations()
            operations, unchanged = (*operations, *changed), (*unchanged, *kept, *sites.in_place())
        nothing = not operations and not self.serving.certificates.due and self.serving.leaving is None
        if nothing and self.serving.proxy.pid is not None and self._is_live(part):
            return (), unchanged
        activation = self._activation(
            part, enable=self.serving.together is not None and self.serving.proxy.unit_enabled is False
        )
        if started:
            activation = replace(activation, start=False)
        if self.serving.leaving is not None:
            # What comes is written while the old one serves; what goes is the last before it is told.
            title = f"{part.title}: {self.serving.proxy.title} instead of {self.serving.leaving.proxy.title}"
            left = self.serving.proofs.left(self.serving.leaving) if self.serving.proofs else self.serving.leaving
            coming = tuple(edited_once(operations))
            return (Change(title, (*coming, *left.operations), left.hand_over(activation)),), unchanged
        return (Change(part.title, operations, activation),), unchanged

    def remaining(self, changed: Sequence[Change]) -> ActivateProxy:
        """Return how the proxy takes up that some of its files are gone; ``changed`` is what the TLS ports got."""
        return self._activation(self.serving.rendering.secure, enable=False) if changed else self.renewal()

    def renewal(self) -> ActivateProxy:
        """Return how renewed certificates are taken up."""
        part = self.serving.rendering.secure
        return self._activation(replace(part, expectations=self._on_disk(part)), enable=False)

    def shows_the_certificates(self) -> bool:
        """Return whether every TLS socket shows what is configured and the certificate that is on disk."""
        return self._is_live(self.serving.rendering.secure)

    def _files(
        self, part: Part, removals: Sequence[AnyOperation] = ()
    ) -> tuple[tuple[AnyOperation, ...], tuple[Unchanged, ...]]:
        wanted = [
            *(write(self.serving.inputs, file.path, Text(file.text), file.mode) for file in part.files),
            *(link(self.serving.inputs, each.path, each.target) for each in part.links),
        ]
        operations = tuple(each for each in wanted if not isinstance(each, Unchanged))
        lines = (
            EditLines(
                each.path,
                each.named,
                each.add,
                each.drop,
                hashlib.sha256(self.serving.inputs.host.read(each.path) or b"").hexdigest(),
            )
            for each in part.lines
        )
        # Debian's sites-available may be missing where somebody made sites-enabled by hand.
        directories = missing_directories(each.path for each in operations)
        return (*directories, *operations, *lines, *removals), tuple(
            each for each in wanted if isinstance(each, Unchanged)
        )

    def _is_live(self, part: Part) -> bool:
        """Return whether every socket shows what the files on disk ask for."""
        host, expectations = self.serving.inputs.host, self._on_disk(part)
        leaves = {e.certificate: markers.leaf_of(host, e.certificate) for e in expectations if e.certificate}
        pairs = zip(expectations, markers.questions(expectations), strict=True)
        return not any(markers.complaint(expectation, ask(question), leaves) for expectation, question in pairs)

    def _on_disk(self, part: Part) -> tuple[Expectation, ...]:
        """Return what the files on disk ask for: those that were edited by hand keep the marker they had."""
        edited = [file for file in part.files if self.serving.inputs.edited(file.path)]
        if not edited:
            return part.expectations
        found = MARKER.search(self.serving.inputs.host.text(edited[0].path) or "")
        return tuple(replace(e, marker=found[0] if found else "") for e in part.expectations)

    def _activation(self, part: Part, *, enable: bool) -> ActivateProxy:
        parts = (self.serving.rendering.plain, self.serving.rendering.secure)
        files = [file.path for each in parts for file in each.files]
        # Their files, and not what is expected of them: renewal goes on whatever becomes of somebody else's site.
        files += [hosting.leaflet.file.path for hosting in self.serving.sites.hostings]
        own = [*files, *(link.path for each in parts for link in each.links), *self.serving.earlier]
        own += [each.removal.path for each in self.serving.former]
        own += [each.rest.path for each in self.serving.former if each.rest is not None]
        hosts = {guest.name for guest in self.serving.site.guests}
        made = activate(
            self.serving.proxy,
            self.serving.adapter.service,
            self.serving.inputs.facts.system,
            part.expectations,
            own,
            hosts,
            enable=enable,
        )
        edited = (
            path for path in files if self.serving.inputs.edited(path) and not self.serving.inputs.gives_up(str(path))
        )
        return replace(made, edited=tuple(edited))
