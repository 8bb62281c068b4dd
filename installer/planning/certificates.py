"""The certificates that a site needs: where they are or will be, and which of them must be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from palpo_installer.answers import BaseDomain, CertificateFiles, Method
from palpo_installer.certificates import authority, store
from palpo_installer.certificates.directory import STAGING
from palpo_installer.changes import Unchanged
from palpo_installer.errors import RefusedPlan
from palpo_installer.operations.certificates import IssueSelfSigned, OrderCertificate
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.planning.inputs import AS_IT_SHOULD_BE, Inputs
from palpo_installer.planning.sites import Sites
from palpo_installer.proxies.adapter import Adapter
from palpo_installer.proxies.ordering import Keeps
from palpo_installer.site import Issuer, Site


@dataclass(frozen=True)
class Certificates:
    """The certificates of a site.

    Attributes:
        inputs: what the plan is made from.
        site: what must be served.
        adapter: the proxy that shows them.
        sites: what of the site is in sites of somebody else's, whose certificates may be used.
        responder: where proofs are answered while certificates are ordered, empty where the proxy reads the files.
    """

    inputs: Inputs
    site: Site
    adapter: Adapter
    sites: Sites
    responder: str

    @cached_property
    def files(self) -> Mapping[str, CertificateFiles]:
        """Where the certificate of each name is, or will be."""
        certificates = self.inputs.answers.certificates
        own = {name: self.kept(name, self.site.issuer) for name in self.site.managed if self.site.issuer}
        rest = (name for name in self.site.certificates if name not in own)
        ours = own | {name: store.paths(certificates, self.inputs.layout, name) for name in rest}
        return ours | {name: self.sites.borrowed(name) for name in self.site.borrowed}

    @cached_property
    def due(self) -> tuple[OrderCertificate | IssueSelfSigned | OrderByProxy, ...]:
        """The certificates that must be made.

        Raises:
            RefusedPlan: the person brings them, and one cannot be used.
        """
        method, host = self.inputs.answers.certificates.method, self.inputs.host
        due: list[OrderCertificate | IssueSelfSigned | OrderByProxy] = []
        for name in self.site.certificates:
            files = self.files[name]
            if name in self.site.managed and self.site.issuer:
                own = self._own_order(name, files, self.site.issuer)
                due += [own] if own.problem(host) else []
                continue
            order = OrderCertificate.for_name(
                name, self.inputs.answers.certificates, self.inputs.layout, self.responder
            )
            if method is Method.HTTP_01 and order.problem(host):
                due.append(order)
            if method is Method.SELF_SIGNED and authority.problem(host, name, self.inputs.now):
                due.append(IssueSelfSigned(name, files))
            if method in {Method.FILES, Method.PROXY} and (why := self._unusable(name, files)):
                raise RefusedPlan(why, where=str(files.chain), next="Bring another certificate, then plan again")
        return tuple(due)

    @property
    def reused(self) -> tuple[Unchanged, ...]:
        """Those that are on disk and can be used."""
        due = {order.name for order in self.due}
        return tuple(
            Unchanged(f"certificate for {name}", f"{AS_IT_SHOULD_BE}: {files.chain}")
            for name, files in self.files.items()
            if name not in due
        )

    def kept(self, name: str, issuer: Issuer) -> CertificateFiles:
        """Return where the proxy keeps the certificate of a name that it orders itself.

        Raises:
            RefusedPlan: it cannot order, or not for this name.
        """
        if not isinstance(self.adapter, Keeps):
            raise RefusedPlan(
                f"{self.adapter.proxy.title} orders no certificates itself",
                where="certificates.method",
                next="Choose http-01, or files",
            )
        names = self.inputs.answers.names
        if name == names.base and name != names.client_host and names.base_domain is not BaseDomain.OURS:
            raise RefusedPlan(
                f"{self.adapter.proxy.title} cannot order a certificate for {name}: somebody else answers for it where "
                "the authority asks",
                where=f'certificates.files."{name}"',
                next="Let other servers be shown the certificate of its site (certificates.base_domain = site), give "
                "the files of another one, or choose federation.delegation = well-known, which needs none here",
            )
        return self.adapter.kept(name, issuer)

    def _own_order(self, name: str, files: CertificateFiles, issuer: Issuer) -> OrderByProxy:
        staging = STAGING.get(issuer.directory, "")
        return OrderByProxy(
            name=name,
            proxy=self.adapter.proxy.kind,
            service=self.adapter.service,
            directory=issuer.directory,
            email=issuer.email,
            ca_file=issuer.ca_file,
            files=files,
            staging_directory=staging,
            staging_files=self.kept(name, replace(issuer, directory=staging)) if staging else None,
        )

    def _unusable(self, name: str, files: CertificateFiles) -> str:
        certificate = store.read(self.inputs.host, files)
        return store.usable(certificate, name, self.inputs.now, remaining=0)
