"""What somebody changed since the last run in what is ours, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from palpo_installer.changes import Change, Edit
from palpo_installer.merging import Conflict
from palpo_installer.operations.differences import difference
from palpo_installer.planning.inputs import OURS, YOURS, Inputs, edited_text, look, merged_with_edit
from palpo_installer.planning.rendered import RenderedFile
from palpo_installer.secret import Text


def edits(inputs: Inputs, wanted: Mapping[Path, RenderedFile]) -> tuple[Edit, ...]:
    """Return the edits of files that are ours as a whole; ``wanted`` is what these answers ask for.

    The saved answers are none: what a person wrote into them are the answers now.
    """
    paths = (Path(path) for path in sorted(inputs.written) if path != str(inputs.layout.answers))
    return tuple(_edit(inputs, path, wanted.get(path)) for path in paths if inputs.edited(path))


def _edit(inputs: Inputs, path: Path, wanted: RenderedFile | None) -> Edit:
    base, theirs = inputs.base(path), edited_text(inputs, path)
    ours = wanted.data.decode() if wanted else ""
    merged = merged_with_edit(inputs, path, Text(ours)) if wanted else None
    known = base is not None and theirs is not None
    return Edit(
        subject=str(path),
        path=path,
        theirs=difference(base or "", theirs or "", path, YOURS) if known else "",
        ours=difference(base or "", ours, path, OURS) if known else "",
        kept=tuple(map(_sentence, merged.conflicts)) if merged else (),
        overwritten=inputs.gives_up(str(path)),
    )


def _sentence(conflict: Conflict) -> str:
    first, last = conflict.line, conflict.line + len(conflict.theirs) - 1
    match len(conflict.theirs):
        case 0:
            return f"what you took away before line {first} stays away, though this run changes it"
        case 1:
            return f"line {first} stays as you made it, though this run changes it too"
        case _:
            return f"lines {first} to {last} stay as you made them, though this run changes them too"


def deleted(inputs: Inputs, changes: Sequence[Change]) -> Iterator[str]:
    """Yield a sentence for each path of ours that somebody removed and that is made again.

    Taking a file away is no way to say what shall be served; the answers are. So it is not left out, but told.
    """
    for operation in (each for change in changes for each in change.operations):
        path = getattr(operation, "path", None)
        if isinstance(path, Path) and str(path) in inputs.ours and look(path).kind == "absent":
            yield f"{path} was removed by hand since the last run, and is made again: these answers need it"
