"""The lines of ours in files of sites: those to add, those that lead nowhere any more, and the files behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from palpo_installer.changes import Unchanged
from palpo_installer.host import Host
from palpo_installer.operations.files import RemoveFile
from palpo_installer.operations.lines import AddedLine, EditLines, directive
from palpo_installer.planning.guests import Hosting
from palpo_installer.planning.inputs import EDITED, Inputs, look
from palpo_installer.proxies.editability import uneditable
from palpo_installer.proxies.virtual_hosts import Inclusion, VirtualHosts


@dataclass
class _File:
    """What happens to one file; ``named`` is how the proxy names it."""

    named: Path
    add: list[AddedLine] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Lines:
    """Our lines in the sites of a proxy.

    Attributes:
        inputs: what the plan is made from.
        virtual_hosts: the sites.
        hostings: what belongs into which site.
    """

    inputs: Inputs
    virtual_hosts: VirtualHosts
    hostings: Sequence[Hosting]

    @cached_property
    def stale(self) -> tuple[Inclusion, ...]:
        """The lines of ours that stand where they do not belong any more."""
        wanted = {(each.file, each.line) for hosting in self.hostings for each in hosting.standing}
        found = leading(self.inputs.host, self.virtual_hosts, self.known)
        return tuple(each for each in found if (each.file, each.line) not in wanted)

    @property
    def known(self) -> tuple[Path, ...]:
        """The files of guests, those of earlier runs among them."""
        recorded = (Path(path) for path in self.inputs.ours)
        old = (path for path in recorded if self.virtual_hosts.keeps(path))
        return tuple(dict.fromkeys((*old, *(hosting.leaflet.file.path for hosting in self.hostings))))

    def edits(self) -> Iterator[EditLines]:
        """Yield an operation for each file that gets or loses lines."""
        for path, file in self._files().items():
            planned = hashlib.sha256(self.inputs.host.read(path) or b"").hexdigest()
            yield EditLines(path, file.named, tuple(file.add), tuple(dict.fromkeys(file.drop)), planned)

    def _files(self) -> Mapping[Path, _File]:
        files: dict[Path, _File] = {}
        for each in self.stale:
            if not uneditable(self.inputs.host, each.file):
                files.setdefault(each.file.resolve(), _File(each.file)).drop.append(each.directive)
        for hosting in self.hostings:
            for place in hosting.places:
                if place.add is not None:
                    files.setdefault(place.block.file.resolve(), _File(place.block.file)).add.append(place.add)
            for each in hosting.standing:
                # It goes with its namesake in another block of the same file, and comes again.
                file = files.get(each.file.resolve())
                if file is not None and each.directive in file.drop:
                    ours = (line for line in hosting.leaflet.line.split("\n") if directive(line) == each.directive)
                    file.add += (AddedLine(f"    {line}", each.line) for line in ours)
        return files

    def removals(self) -> tuple[tuple[RemoveFile, ...], tuple[Unchanged, ...]]:
        """Return the removal of files that no line includes any more, and those that stay because of an edit.

        Of an edit in a file that an earlier run is known to have written, ``leftovers`` tells.
        """
        wanted, inputs = {hosting.leaflet.file.path for hosting in self.hostings}, self.inputs
        old = [path for path in self.known if path not in wanted and look(path).kind == "file"]
        edited = {path for path in old if inputs.edited(path) and not inputs.gives_up(str(path))}
        kept = tuple(Unchanged(str(path), EDITED) for path in old if path in edited and str(path) not in inputs.written)
        return tuple(RemoveFile(path, look(path).sha256) for path in old if path not in edited), kept

    def findings(self) -> Iterator[str]:
        """Yield the lines without effect that a person has to take out."""
        for each in self.stale:
            if reason := uneditable(self.inputs.host, each.file):
                where = f"{each.file}:{each.line}"
                yield f"This line has no effect any more and can go: {each.directive} ({where}; {reason})"


def leading(host: Host, virtual_hosts: VirtualHosts, paths: Iterable[Path]) -> Iterator[Inclusion]:
    """Yield each line of a proxy's configuration that leads, as we write it, to one of some files of guests.

    Wherever it stands: a person may have moved it, or put it in where we did not.
    """
    wanted = tuple(paths)
    for file in virtual_hosts.proxy.files if wanted else ():
        text = (host.read(file.path) or b"").decode(errors="replace")
        for number, line in enumerate(text.split("\n"), 1):
            written = directive(line)
            if written and any(virtual_hosts.leads_to(written, path) for path in wanted):
                yield Inclusion(file.path, number, written)
