"""The part of a plan that the proxy and its certificates need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from palpo_installer.answers import CertificateFiles, Method
from palpo_installer.certificates import authority, store
from palpo_installer.certificates.directory import Directory, fetch
from palpo_installer.certificates.preflight import preflight
from palpo_installer.changes import AnyOperation, Change, Unchanged
from palpo_installer.errors import HostError, RefusedPlan
from palpo_installer.gates import markers
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate, ProbeChallenge
from palpo_installer.planning.inputs import AS_IT_SHOULD_BE, Inputs, link, missing_directories, write
from palpo_installer.planning.security import Needs
from palpo_installer.probe import ask
from palpo_installer.proxies.base import Expectation, Part, Rendering
from palpo_installer.proxies.nginx.activation import ActivateNginx, activate_nginx
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.rendering import render
from palpo_installer.secret import Text
from palpo_installer.site import MARKER_HEADER, Site


@dataclass(frozen=True)
class Serving:
    """What the proxy must serve, and how that comes about.

    Attributes:
        inputs: what the plan is made from.
        site: what must be served.
    """

    inputs: Inputs
    site: Site

    @cached_property
    def nginx(self) -> Nginx:
        """The proxy.

        Raises:
            RefusedPlan: it is not installed, or parts of its configuration cannot be read.
        """
        nginx = self.inputs.facts.nginx
        if nginx is None:
            raise RefusedPlan("nginx is not installed on this host", next="Install it, e.g.: apt-get install nginx")
        if nginx.problems:
            problem = nginx.problems[0]
            raise RefusedPlan(
                f"nginx's configuration cannot be read: {problem.message}",
                where=f"{problem.file}:{problem.line}",
                next="Correct this line, then plan again",
            )
        return nginx

    @cached_property
    def certificates(self) -> Mapping[str, CertificateFiles]:
        """Where the certificate of each name is, or will be."""
        certificates = self.inputs.answers.certificates
        return {name: store.paths(certificates, self.inputs.layout, name) for name in self.site.certificates}

    @cached_property
    def rendering(self) -> Rendering:
        """The proxy's files, and what proves them."""
        inputs = self.inputs
        return render(self.site, self.nginx, inputs.facts.system, inputs.layout, self.certificates)

    @property
    def needs(self) -> Needs:
        """The ports that the proxy listens on and connects to."""
        plain, secure = self.rendering.plain.expectations, self.rendering.secure.expectations
        upstreams = (self.inputs.answers.homeserver.upstream, self.inputs.answers.media)
        return Needs(
            plain=tuple(dict.fromkeys(each.port for each in plain)),
            secure=tuple(dict.fromkeys(each.port for each in secure)),
            upstream=tuple(dict.fromkeys(each.port for each in upstreams if each)),
        )

    @cached_property
    def due(self) -> tuple[OrderCertificate | IssueSelfSigned, ...]:
        """The certificates that must be made.

        Raises:
            RefusedPlan: the person brings them, and one cannot be used.
        """
        method, host = self.inputs.answers.certificates.method, self.inputs.host
        due: list[OrderCertificate | IssueSelfSigned] = []
        for name, files in self.certificates.items():
            order = OrderCertificate.for_name(name, self.inputs.answers.certificates, self.inputs.layout)
            if method is Method.HTTP_01 and order.problem(host):
                due.append(order)
            if method is Method.SELF_SIGNED and authority.problem(host, name, self.inputs.now):
                due.append(IssueSelfSigned(name, files))
            if method is Method.FILES and (why := self._unusable(name, files)):
                raise RefusedPlan(why, where=str(files.chain), next="Bring another certificate, then plan again")
        return tuple(due)

    def _unusable(self, name: str, files: CertificateFiles) -> str:
        certificate = store.read(self.inputs.host, files)
        return store.usable(certificate, name, self.inputs.now, remaining=0)

    def plain(self) -> tuple[tuple[Change, ...], tuple[Unchanged, ...]]:
        """Return the change of port 80, and what of it needs nothing."""
        operations, unchanged = self._files(self.rendering.plain)
        if not operations and self.nginx.pid is not None and self._is_live(self.rendering.plain):
            return (), unchanged
        activation = self._activation(self.rendering.plain, enable=self.nginx.unit_enabled is False)
        return (Change(self.rendering.plain.title, operations, activation),), unchanged

    def orders(self) -> tuple[Change, ...]:
        """Return the orders, after a probe of the way that their proofs take."""
        orders = [order for order in self.due if isinstance(order, OrderCertificate)]
        changes = [Change(f"a certificate for {order.name}", (order,)) for order in self.due]
        if orders:
            places = {(e.address, e.port, e.proxy_protocol) for e in self.rendering.plain.expectations}
            names = tuple(order.name for order in orders)
            probe = ProbeChallenge(names, tuple(sorted(places)), self.inputs.layout.webroot)
            changes.insert(0, Change("the way of the proof, asked as the certificate authority will", (probe,)))
        return tuple(changes)

    def secure(self, *, started: bool) -> tuple[tuple[Change, ...], tuple[Unchanged, ...]]:
        """Return the change of the TLS ports; ``started`` says whether an earlier change starts nginx."""
        operations, unchanged = self._files(self.rendering.secure)
        if not operations and not self.due and self.nginx.pid is not None and self._is_live(self.rendering.secure):
            return (), unchanged
        activation = self._activation(self.rendering.secure, enable=False)
        if started:
            activation = replace(activation, start=False)
        return (Change(self.rendering.secure.title, operations, activation),), unchanged

    def shows_the_certificates(self) -> bool:
        """Return whether every TLS socket shows what is configured and the certificate that is on disk."""
        return self._is_live(self.rendering.secure)

    def renewal(self) -> ActivateNginx:
        """Return how renewed certificates are taken up."""
        part = self.rendering.secure
        return self._activation(replace(part, expectations=self._on_disk(part)), enable=False)

    def _files(self, part: Part) -> tuple[tuple[AnyOperation, ...], tuple[Unchanged, ...]]:
        wanted = [
            *(write(self.inputs, file.path, Text(file.text), file.mode) for file in part.files),
            *(link(self.inputs, each.path, each.target) for each in part.links),
        ]
        operations = tuple(each for each in wanted if not isinstance(each, Unchanged))
        # Debian's sites-available may be missing where somebody made sites-enabled by hand.
        directories = missing_directories(each.path for each in operations)
        return (*directories, *operations), tuple(each for each in wanted if isinstance(each, Unchanged))

    def _is_live(self, part: Part) -> bool:
        """Return whether every socket shows what the files on disk ask for."""
        host, expectations = self.inputs.host, self._on_disk(part)
        leaves = {e.certificate: markers.leaf_of(host, e.certificate) for e in expectations if e.certificate}
        pairs = zip(expectations, markers.questions(expectations), strict=True)
        return not any(markers.complaint(expectation, ask(question), leaves) for expectation, question in pairs)

    def _on_disk(self, part: Part) -> tuple[Expectation, ...]:
        """Return what the files on disk ask for: those that were edited by hand keep the marker they had."""
        edited = [file for file in part.files if self.inputs.edited(file.path)]
        if not edited:
            return part.expectations
        found = re.search(rf"{MARKER_HEADER} ([0-9a-f]+)", self.inputs.host.text(edited[0].path) or "")
        return tuple(replace(e, marker=found[1] if found else "") for e in part.expectations)

    def _activation(self, part: Part, *, enable: bool) -> ActivateNginx:
        parts = (self.rendering.plain, self.rendering.secure)
        files = [file.path for each in parts for file in each.files]
        own = [*files, *(link.path for each in parts for link in each.links)]
        return activate_nginx(self.nginx, self.inputs.facts.system, part.expectations, own, enable=enable)

    def obstacles(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what forbids the orders, and what else there is to know about them."""
        orders = [order for order in self.due if isinstance(order, OrderCertificate)]
        if not orders:
            return (), ()
        try:
            directory = self._directory()
        except HostError as error:
            return (str(error),), ()
        names = {name.name: name for name in self.inputs.facts.names}
        account = store.account(self.inputs.host, self.inputs.layout, directory.url)
        found = [
            finding
            for order in orders
            if order.name in names
            for finding in preflight(names[order.name], self.inputs.facts.system, directory, account)
        ]
        blocking = tuple(f"{finding.text}. {finding.next}" for finding in found if finding.blocking)
        other = tuple(f"{finding.text}. {finding.next}" for finding in found if not finding.blocking)
        terms = directory.terms_of_service
        return blocking, (*other, *([f"You agreed to the terms of service at {terms}"] if terms else []))

    def _directory(self) -> Directory:
        certificates = self.inputs.answers.certificates
        return fetch(certificates.directory, certificates.ca_file, certificates.proxy)


def reused(serving: Serving) -> tuple[Unchanged, ...]:
    """Return the certificates that are on disk and can be used."""
    due = {order.name for order in serving.due}
    return tuple(
        Unchanged(f"certificate for {name}", f"{AS_IT_SHOULD_BE}: {files.chain}")
        for name, files in serving.certificates.items()
        if name not in due
    )
