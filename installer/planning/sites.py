"""Everything of a plan that is in sites of somebody else's: their lines, our files for them, their certificates."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from palpo_installer.answers import CertificateFiles
from palpo_installer.certificates.site import of_site
from palpo_installer.changes import AnyOperation, Unchanged
from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.certificates import Certificate
from palpo_installer.planning import advice
from palpo_installer.planning.guests import Hosting
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.lines import Lines
from palpo_installer.proxies.base import Part
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.nginx import guests, tree
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.nginx.placement import place
from palpo_installer.site import Site


@dataclass(frozen=True)
class Sites:
    """Sites of somebody else's, as far as they concern us.

    Attributes:
        inputs: what the plan is made from.
        site: what must be served.
        proxy: the proxy.
    """

    inputs: Inputs
    site: Site
    proxy: Proxy

    @property
    def nginx(self) -> Nginx:
        """The proxy, which has to be nginx.

        Raises:
            RefusedPlan: it is another one.
        """
        if not isinstance(self.proxy, Nginx):
            what = f"this version adds no line to a site of {self.proxy.title}"
            raise RefusedPlan(what, next="Choose base_domain = ours or elsewhere")
        return self.proxy

    @cached_property
    def top(self) -> tree.Directive:
        """Nginx's whole configuration."""
        return tree.load(self.inputs.host, self.nginx.configuration).top

    @cached_property
    def hostings(self) -> tuple[Hosting, ...]:
        """How each guest gets into its site.

        Raises:
            RefusedPlan: there is no directory for its files.
        """
        if not self.site.guests:
            return ()
        inputs, placement = self.inputs, place(self.nginx)
        theirs = tuple(server for server in self.nginx.servers if not placement.owns(server.file))
        nginx, directory = replace(self.nginx, servers=theirs), guests.directory(self.top, inputs.layout)
        leaflets = (guests.leaflet(guest, directory, self.nginx) for guest in self.site.guests)
        return tuple(Hosting(inputs.host, nginx, self.top, inputs.facts.system, each) for each in leaflets)

    @cached_property
    def lines(self) -> Lines:
        """Our lines in them."""
        return Lines(self.inputs, self.top, self.hostings, guests.directories(self.top, self.inputs.layout))

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """What each guest brings and shows."""
        return tuple(hosting.part for hosting in self.hostings)

    @property
    def whole(self) -> Part:
        """All of it: two lines may go into one file, so it is one change."""
        files = tuple(file for part in self.parts for file in part.files)
        return Part("; ".join(part.title for part in self.parts), files, (), ())

    def refuse(self) -> None:
        """Check that every site takes its guest, and that certificates of sites can be used.

        Raises:
            RefusedPlan: one does not, with each line that is in the way and its cure.
        """
        for hosting in self.hostings:
            hosting.refuse()
        for name in self.site.borrowed:
            found, why = self._of_site(name)
            if why:
                raise _unusable(name, why, str(found.chain) if found else "")

    def refuse_switched_off(self, files: Collection[Path]) -> None:
        """Refuse to switch off a file that a guest goes into.

        Raises:
            RefusedPlan: one of the files serves the guest's site too.
        """
        blocks = (place.block for hosting in self.hostings for place in hosting.places)
        both = next((block for block in blocks if block.file in files), None)
        if both is not None:
            raise RefusedPlan(
                "this site stays, and its file has a site that is to be switched off as well",
                where=f"{both.file}:{both.line}",
                next="Move them into files of their own, then plan again",
            )

    def operations(self) -> tuple[tuple[AnyOperation, ...], tuple[Unchanged, ...]]:
        """Return what happens to lines, and then to files that none includes any more; and what stays of those."""
        if not isinstance(self.proxy, Nginx):
            return (), ()
        removals, kept = self.lines.removals()
        return (*self.lines.edits(), *removals), kept

    def in_place(self) -> Iterator[Unchanged]:
        """Yield each line that is where it belongs."""
        for hosting in self.hostings:
            for each in hosting.standing:
                yield Unchanged(f"{each.file}:{each.line}", f"includes {hosting.leaflet.file.path}")

    def borrowed(self, name: str) -> CertificateFiles:
        """Return the files of the certificate that the site of a name shows, be it one that has ended.

        Raises:
            RefusedPlan: it has none.
        """
        found, why = self._of_site(name)
        if found is None:
            raise _unusable(name, why, "")
        return CertificateFiles(found.chain, found.key)

    def _of_site(self, name: str) -> tuple[Certificate | None, str]:
        inputs = self.inputs
        return of_site(self.proxy, inputs.facts.certificates, name, inputs.layout.https_port, inputs.now)

    def findings(self) -> Iterator[str]:
        """Yield what there is to know, and what is left to do there."""
        for hosting in self.hostings:
            yield from advice.findings(hosting)
        if isinstance(self.proxy, Nginx):
            yield from self.lines.findings()
        for name in self.site.borrowed:
            yield (
                f"Port {self.inputs.answers.federation.port} shows the certificate of the site of {name}, "
                f"{self.borrowed(name).chain}. Whoever renews it must reload {self.proxy.title} afterwards, as for the "
                f"site itself; palpo-installer renew reloads {self.proxy.title} too where it finds a newer one"
            )


def _unusable(name: str, why: str, where: str) -> RefusedPlan:
    cure = "Put it right, or choose certificates.base_domain = ordered"
    return RefusedPlan(f"the certificate of the site of {name} cannot be used: {why}", where=where, next=cure)
