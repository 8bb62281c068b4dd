"""The lines of ours in files of sites: those to add, those that lead nowhere any more, and the files behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from palpo_installer.changes import Unchanged
from palpo_installer.operations.files import RemoveFile
from palpo_installer.operations.lines import AddedLine, EditLines, directive
from palpo_installer.planning.guests import Hosting
from palpo_installer.planning.inputs import EDITED, Inputs, look
from palpo_installer.proxies.editability import uneditable
from palpo_installer.proxies.nginx.guests import included
from palpo_installer.proxies.nginx.tree import Directive


@dataclass
class _File:
    """What happens to one file; ``named`` is how nginx names it."""

    named: Path
    add: list[AddedLine] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Lines:
    """Our lines in the sites of an nginx.

    Attributes:
        inputs: what the plan is made from.
        top: nginx's whole configuration.
        hostings: what belongs into which site.
        directories: where files of guests may lie.
    """

    inputs: Inputs
    top: Directive
    hostings: Sequence[Hosting]
    directories: Sequence[Path]

    @cached_property
    def stale(self) -> tuple[Directive, ...]:
        """The lines of ours that stand where they do not belong any more."""
        wanted = {id(each) for hosting in self.hostings for each in hosting.standing}
        ours = {f"include {included(path)};" for path in self.known}
        found = (
            include
            for http in self.top.all("http")
            for server in http.all("server")
            for include in server.all("include")
        )
        return tuple(each for each in found if id(each) not in wanted and _written(each) in ours)

    @property
    def known(self) -> tuple[Path, ...]:
        """The files of guests, those of earlier runs among them."""
        recorded = (Path(path) for path in self.inputs.ours)
        old = (path for path in recorded if path.parent in self.directories and path.suffix == ".conf")
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
                files.setdefault(each.file.resolve(), _File(each.file)).drop.append(_written(each))
        for hosting in self.hostings:
            for place in hosting.places:
                if place.add is not None:
                    files.setdefault(place.block.file.resolve(), _File(place.block.file)).add.append(place.add)
            for each in hosting.standing:
                # It goes with its namesake in another block of the same file, and comes again.
                file = files.get(each.file.resolve())
                if file is not None and _written(each) in file.drop:
                    file.add.append(AddedLine(f"    {hosting.leaflet.line}", each.line))
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
                yield f"This line has no effect any more and can go: {_written(each)} ({where}; {reason})"


def _written(include: Directive) -> str:
    return directive(f"include {' '.join(include.arguments)};")
