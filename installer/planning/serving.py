"""The part of a plan that the proxy and its certificates need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from palpo_installer.answers import Method
from palpo_installer.certificates.responder import needed
from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.listeners import Listener
from palpo_installer.operations.certificates import OrderCertificate
from palpo_installer.operations.proxy_orders import OrderByProxy
from palpo_installer.packages.managers import how_to_install
from palpo_installer.planning import access
from palpo_installer.planning.certificates import Certificates
from palpo_installer.planning.halving import halved
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.needs import Needs
from palpo_installer.planning.ports import taken
from palpo_installer.planning.proofs import Proofs, proofs
from palpo_installer.planning.sites import Sites
from palpo_installer.planning.switching import Leaving, leaving
from palpo_installer.planning.taking_over import FormerSite, former_sites
from palpo_installer.proxies.adapter import Adapter
from palpo_installer.proxies.adapters import adapter
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Part, Rendering
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.standing import TITLES
from palpo_installer.site import Site

NONE = Part("", (), (), ())
"""A half that is done without."""


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
    def proxy(self) -> Proxy:
        """The proxy.

        Raises:
            RefusedPlan: it is not installed, or parts of its configuration cannot be read.
        """
        kind = self.inputs.answers.proxy
        proxy = self.inputs.facts.proxy(kind)
        if proxy is None:
            what = f"{TITLES.get(kind, kind)} is not installed on this host"
            raise RefusedPlan(what, next=how_to_install(self.inputs.host, kind))
        for problem in proxy.problems:
            if self._is_made_anew(problem.file):
                continue
            raise RefusedPlan(
                f"{proxy.title}'s configuration cannot be read: {problem.message}",
                where=f"{problem.file}:{problem.line}",
                next="Correct this line, then plan again",
            )
        return proxy

    @cached_property
    def adapter(self) -> Adapter:
        """The proxy as a plan uses it."""
        return adapter(self.proxy)

    @property
    def responder(self) -> str:
        """Where proofs are answered while certificates are ordered, empty where the proxy reads the files.

        They are asked of the proxy that has the port then: where it is changed, of the one of before.
        """
        kind = self.leaving.proxy.kind if self.leaving else self.inputs.answers.proxy
        return needed(kind, self.inputs.layout)

    def _is_made_anew(self, path: Path) -> bool:
        """Return whether a file is ours, itself or its link, and is missing or given up as somebody edited it."""
        file = path.resolve()
        return str(file) in self.inputs.ours and (not file.exists() or self.inputs.gives_up(str(file)))

    @cached_property
    def certificates(self) -> Certificates:
        """The certificates of the site."""
        return Certificates(self.inputs, self.site, self.adapter, self.sites, self.responder)

    @cached_property
    def rendering(self) -> Rendering:
        """The proxy's files, and what proves them.

        Where another program holds the port of plain HTTP, and neither an authority has to ask there nor another
        site of the proxy needs it, it is done without.
        """
        inputs, given_up = self.inputs, [block for each in self.former for block in each.blocks]
        whole = self.adapter.render(
            Assignment(self.site, inputs.facts.system, inputs.layout, self.certificates.files, given_up)
        )
        held = taken(replace(whole, secure=NONE), self.listeners, self.proxy.pids)
        asked = inputs.answers.certificates.method is Method.HTTP_01 or bool(self.site.managed)
        if not held or asked or inputs.layout.http_port in self.others_ports:
            return _each_once(whole)
        finding = f"{'; '.join(map(str, held))}: plain HTTP is left to it, and not redirected to HTTPS"
        return replace(whole, plain=NONE, findings=(*whole.findings, finding))

    @cached_property
    def leaving(self) -> Leaving | None:
        """The proxy that served for us until now, where another one is to.

        Raises:
            RefusedPlan: a file of ours in it was edited by hand.
        """
        return leaving(self.inputs)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Who listens, without the sockets that the proxy of before lets go of for this one."""
        found = self.inputs.facts.listeners
        old = self.leaving
        return tuple(each for each in found if old is None or not old.releases(each))

    @cached_property
    def proofs(self) -> Proofs | None:
        """How the proxy of before answers for certificates that are ordered; None where none is, or none leaves.

        Raises:
            RefusedPlan: it cannot.
        """
        names = [order.name for order in self.certificates.due if isinstance(order, OrderCertificate)]
        if self.leaving is None or not names:
            return None
        return proofs(self.leaving, self.site, names, self.inputs, self.proxy.title)

    def refuse_switch(self) -> None:
        """Check that the proxy of before leaves what this one needs, in a moment.

        Raises:
            RefusedPlan: it holds a port for somebody else's site; or this one would have to order certificates itself.
        """
        if self.leaving is None:
            return
        parts = (self.rendering.plain, self.rendering.secure)
        self.leaving.refuse([each for part in parts for each in part.expectations], self.inputs, self.proxy.title)
        ordered = [order.name for order in self.certificates.due if isinstance(order, OrderByProxy)]
        if ordered:
            new, old = self.proxy.title, self.leaving.proxy.title
            raise RefusedPlan(
                f"{new} has no certificate for {' and '.join(ordered)} yet, and cannot order one as long as {old} has "
                f"port {self.inputs.layout.http_port}, where the authority asks",
                where="certificates.method",
                next=f"Change to {new} with --set certificates.method=http-01 first, which orders while {old} still "
                "answers; choose proxy after that",
            )

    @cached_property
    def former(self) -> tuple[FormerSite, ...]:
        """The sites of others that are switched off, where that was answered.

        Raises:
            RefusedPlan: one of them cannot be, or would leave its name without TLS until there is a certificate.
        """
        if not self.inputs.answers.take_over:
            return ()
        former = former_sites(self.inputs.host, self.site, self.adapter)
        both = next((each for each in former if each.plain and each.secure), None)
        if both is not None and any(isinstance(order, OrderByProxy) for order in self.certificates.due):
            raise RefusedPlan(
                "this file serves plain HTTP and TLS: without it there is no TLS until a certificate is ordered",
                where=str(both.removal.path),
                next=f"{self._certificates_now}; or move what it has for plain HTTP into a file of its own. "
                "Then plan again",
            )
        self.sites.refuse_switched_off([each.removal.path for each in former])
        if any(isinstance(order, OrderCertificate) for order in self.certificates.due):
            return halved(former, self.inputs, self.adapter, self._certificates_now)
        return former

    @property
    def _certificates_now(self) -> str:
        """What to answer so that the certificates that sites show now are used, and none is ordered."""
        found = {name: self.sites.usable(name) for name in self.site.certificates}
        shown = ", ".join(f"{name} = {each.chain} and {each.key}" for name, each in found.items() if each is not None)
        whose = "the ones that these names have now" if None in found.values() else shown
        return f"Give certificates that are there: certificates.method = files, with {whose}"

    @cached_property
    def together(self) -> Part | None:
        """Both halves as one: where one file of somebody else serves both and is switched off; from proxy to proxy.

        From proxy to proxy, what goes into sites of the new one comes with them: it may not run before.
        """
        parts = [self.rendering.plain, self.rendering.secure]
        if self.leaving is None and not any(each.plain and each.secure and each.rest is None for each in self.former):
            return None
        if self.leaving is not None and self.sites.hostings:
            parts.append(self.sites.whole)
        return Part(
            ", and ".join(each.title for each in parts),
            tuple(file for each in parts for file in each.files),
            tuple(link for each in parts for link in each.links),
            tuple(expectation for each in parts for expectation in each.expectations),
            tuple(line for each in parts for line in each.lines),
        )

    @cached_property
    def sites(self) -> Sites:
        """What of it is in sites of somebody else's."""
        return Sites(self.inputs, self.site, self.proxy)

    @cached_property
    def readable(self) -> tuple[Path, ...]:
        """What of ours the account that reads the keys must get through, none where that is root."""
        return access.places(self.proxy, list(self.certificates.files.values()), self.inputs.layout)

    @property
    def needs(self) -> Needs:
        """The ports that the proxy listens on and connects to."""
        plain, secure = self.rendering.plain.expectations, self.rendering.secure.expectations
        upstreams = (self.inputs.answers.homeserver.upstream, self.inputs.answers.media)
        return Needs(
            plain=tuple(dict.fromkeys(each.port for each in plain)),
            secure=tuple(dict.fromkeys(each.port for each in secure)),
            upstream=tuple(dict.fromkeys(each.port for each in upstreams if each)),
            readable=self.readable,
        )

    @property
    def others_ports(self) -> frozenset[int]:
        """The ports that other sites of the proxy need."""
        earlier = self.earlier
        others = (server for server in self.proxy.servers if server.file not in earlier)
        return frozenset(listen.port for server in others for listen in server.listens)

    @property
    def earlier(self) -> tuple[Path, ...]:
        """What earlier runs wrote and the proxy reads."""
        return tuple(file.path for file in self.proxy.files if str(file.path) in self.inputs.written)


def _each_once(rendering: Rendering) -> Rendering:
    """Return a rendering in which links and lines that both halves need, e.g. of modules, are made with the first."""
    plain, secure = rendering.plain, rendering.secure
    links = tuple(link for link in secure.links if link not in plain.links)
    lines = tuple(each for each in secure.lines if each not in plain.lines)
    return replace(rendering, secure=replace(secure, links=links, lines=lines))
