"""How lines of ours are taken out of files that are somebody else's."""

from __future__ import annotations

from pathlib import Path

from palpo_installer.changes import AnyOperation
from palpo_installer.operations.lines import EditLines, holds
from palpo_installer.planning.inputs import look
from palpo_installer.planning.scene import Scene, Way
from palpo_installer.planning.traces import Trace


def lines(traces: tuple[Trace, ...], scene: Scene) -> Way:
    """Return how each file goes on without the lines that runs added to it; whatever else changed in it stays."""
    found: dict[Path, Trace] = {}
    ours: dict[Path, dict[str, None]] = {}
    for trace in traces:
        edit = trace.operation
        assert isinstance(edit, EditLines)  # noqa: S101 - chosen by that
        found[edit.path] = trace
        ours.setdefault(edit.path, {}).update(dict.fromkeys(edit.added))
    operations: list[tuple[type, AnyOperation]] = []
    for path, trace in found.items():
        now, data = look(path), scene.host.read(path)
        there = tuple(line for line in ours[path] if data is not None and holds(data, (line,)))
        if now.kind == "file" and there:
            assert isinstance(trace.operation, EditLines)  # noqa: S101 - chosen by that
            operations.append((type(trace.activation), EditLines(path, trace.operation.named, (), there, now.sha256)))
    return Way(tuple(operations))
