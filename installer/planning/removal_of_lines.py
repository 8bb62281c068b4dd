"""How lines of ours are taken out of files that are somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from palpo_installer.changes import AnyOperation, Unchanged
from palpo_installer.operations.lines import EditLines, holds
from palpo_installer.planning.inputs import look
from palpo_installer.planning.lines import leading
from palpo_installer.planning.scene import Scene, Way
from palpo_installer.planning.traces import Trace
from palpo_installer.proxies import sites
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.editability import uneditable


def lines(traces: tuple[Trace, ...], scene: Scene) -> Way:
    """Return how each file goes on without our lines; whatever else changed in it stays.

    A line may stand elsewhere by now: its owner renamed the file, or a person added it where we did not.
    """
    edits = tuple(each.operation for each in traces if isinstance(each.operation, EditLines))
    files = {edit.path: edit.named for edit in edits}
    for read in (read for proxy in scene.facts.proxies for read in proxy.files):
        files.setdefault(read.path.resolve(), read.path)
    ours = dict.fromkeys((*(line for edit in edits for line in edit.added), *_leading(scene)))
    operations: list[tuple[type, AnyOperation]] = []
    stays = []
    for path, named in files.items():
        now, data = look(path), scene.host.read(path)
        there = tuple(line for line in ours if data is not None and holds(data, (line,)))
        if now.kind != "file" or not there:
            continue
        if reason := uneditable(scene.host, path):
            told = f"the line without effect stays, and can go: {' '.join(there)} ({reason})"
            stays.append(Unchanged(str(path), told))
        else:
            operations.append((ActivateProxy, EditLines(path, named, (), there, now.sha256)))
    return Way(tuple(operations), stays=tuple(stays))


def _leading(scene: Scene) -> Iterator[str]:
    """Yield the lines that lead to a file of ours, wherever in a proxy's configuration they stand."""
    ours = tuple(map(Path, scene.ours))
    for there in (sites.known(proxy, scene.host) for proxy in scene.facts.proxies):
        if there is not None:
            yield from (each.directive for each in leading(scene.host, there, ours))
