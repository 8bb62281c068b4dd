"""Everything of a plan that is in sites of somebody else's: their lines, our files for them, their certificates."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
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
from palpo_installer.proxies import sites
from palpo_installer.proxies.adapters import adapter
from palpo_installer.proxies.base import Part
from palpo_installer.proxies.found import Proxy
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

    @cached_property
    def hostings(self) -> tuple[Hosting, ...]:
        """How each guest gets into its site.

        Raises:
            RefusedPlan: no line can be added to sites of this proxy, or there is no place for the guest's file.
        """
        if not self.site.guests:
            return ()
        host, owns = self.inputs.host, adapter(self.proxy).owns
        there = sites.virtual_hosts(self.proxy, host)
        theirs = tuple(server for server in self.proxy.servers if not owns(server.file))
        leaflets = (there.leaflet(guest) for guest in self.site.guests)
        return tuple(Hosting(host, there, theirs, self.inputs.facts.system, each) for each in leaflets)

    @cached_property
    def lines(self) -> Lines:
        """Our lines in them.

        Raises:
            RefusedPlan: this version adds none to sites of this proxy.
        """
        return Lines(self.inputs, sites.virtual_hosts(self.proxy, self.inputs.host), self.hostings)

    @property
    def _takes_lines(self) -> bool:
        return sites.known(self.proxy, self.inputs.host) is not None

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """What each guest brings and shows."""
        return tuple(hosting.part for hosting in self.hostings)

    @property
    def whole(self) -> Part:
        """All of it: two lines may go into one file, so it is one change."""
        files = tuple(file for part in self.parts for file in part.files)
        proofs = tuple(proof for part in self.parts for proof in part.expectations)
        return Part("; ".join(part.title for part in self.parts), files, (), proofs)

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
        if not self._takes_lines:
            return (), ()
        removals, kept = self.lines.removals()
        return (*self.lines.edits(), *removals), kept

    def in_place(self) -> Iterator[Unchanged]:
        """Yield each line that is where it belongs."""
        for hosting in self.hostings:
            for each in hosting.standing:
                yield Unchanged(f"{each.file}:{each.line}", f"leads to {hosting.leaflet.file.path}")

    def borrowed(self, name: str) -> CertificateFiles:
        """Return the files of the certificate that the site of a name shows, be it one that has ended.

        Raises:
            RefusedPlan: it has none.
        """
        found, why = self._of_site(name)
        if found is None:
            raise _unusable(name, why, "")
        return CertificateFiles(found.chain, found.key)

    def usable(self, name: str) -> Certificate | None:
        """Return the certificate that a site shows for a name now, None where there is none that can be used.

        One that the proxy renews itself is none: without the site, nobody would renew it.
        """
        found, why = self._of_site(name)
        return None if why or found is None or self.proxy.renews(found.chain) else found

    def _of_site(self, name: str) -> tuple[Certificate | None, str]:
        inputs = self.inputs
        return of_site(self.proxy, inputs.facts.certificates, name, inputs.layout.https_port, inputs.now)

    def findings(self) -> Iterator[str]:
        """Yield what there is to know, and what is left to do there."""
        for hosting in self.hostings:
            yield from advice.findings(hosting)
        if self._takes_lines:
            yield from self.lines.findings()
        for name in self.site.borrowed:
            chain = self.borrowed(name).chain
            shown = f"Port {self.inputs.answers.federation.port} shows the certificate of the site of {name}, {chain}"
            title = self.proxy.title
            yield (
                f"{shown}, which {title} renews itself"
                if self.proxy.renews(chain)
                else (
                    f"{shown}. Whoever renews it must reload {title} afterwards, as for the site itself; "
                    f"palpo-installer renew reloads {title} too where it finds a newer one"
                )
            )


def _unusable(name: str, why: str, where: str) -> RefusedPlan:
    cure = "Put it right, or choose certificates.base_domain = ordered"
    return RefusedPlan(f"the certificate of the site of {name} cannot be used: {why}", where=where, next=cure)
