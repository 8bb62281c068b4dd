"""How files, links and directories that runs in force made or replaced are taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from palpo_installer.changes import AnyOperation, Unchanged
from palpo_installer.homeserver.masking import explaining
from palpo_installer.operations.files import MakeLink, RemoveFile, WriteFile
from palpo_installer.operations.paths import PathState
from palpo_installer.operations.removing import KeepCopy, PutBack, RemoveDirectory
from palpo_installer.planning.inputs import look
from palpo_installer.planning.scene import Scene, Way
from palpo_installer.planning.traces import Touched, Trace, same, texts, touched
from palpo_installer.proxies.activation import ActivateProxy
from palpo_installer.proxies.withdrawal import WithdrawProxy


def files(traces: tuple[Trace, ...], scene: Scene) -> Way:
    """Return how files and links go back to what stood there before any run; one edited by hand is not touched."""
    ways = [_way(subject, look(subject.path), scene) for subject in touched(traces)]
    return joined(ways)


def joined(ways: Iterable[Way]) -> Way:
    """Return several ways as one, in order."""
    ways = tuple(ways)
    return Way(
        operations=tuple(each for way in ways for each in way.operations),
        copies=tuple(each for way in ways for each in way.copies),
        stays=tuple(each for way in ways for each in way.stays),
        obstacles=tuple(each for way in ways for each in way.obstacles),
    )


def _way(subject: Touched, now: PathState, scene: Scene) -> Way:
    if same(now, subject.original):
        return Way()
    if now.kind == "absent" and subject.left.kind != "absent":
        return Way(stays=(Unchanged(str(subject.path), "was removed by hand since, and stays away"),))
    if now.kind not in {"absent", "file", "link"}:
        return Way(obstacles=(f"{subject.path} is no file any more. Move it away, then try again",))
    back = Way(((kind_of(subject), put_back(subject, now)),))
    return _given_up(back, subject, now, scene) if is_edited(subject, now) else back


def _given_up(back: Way, subject: Touched, now: PathState, scene: Scene) -> Way:
    """Return the way back for what was edited by hand, after a copy is made, or why there is none."""
    if scene.kept_edits is None:
        cure = "Move your edit elsewhere, or give it up (a copy is kept) with --discard-edits"
        return Way(obstacles=(f"{subject.path} was edited by hand. {cure}",))
    if now.kind != "file":
        return back
    place = scene.kept_edits / "-".join(subject.path.relative_to(scene.host.layout.root).parts)
    return replace(back, copies=(KeepCopy(_free(place), subject.path, now.sha256),))


def _free(path: Path) -> Path:
    """Return a path, or one with a number at its end: an earlier uninstall may have left a copy there."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(each for each in chain((path,), numbered) if look(each).kind == "absent")


def is_edited(subject: Touched, now: PathState) -> bool:
    """Return whether going back would lose what somebody else wrote.

    A file that every run wrote as a whole has an edit that came between two runs only where the newest run took it
    over; with an original that is put back it is lost in any case, since that is older.
    """
    newest, own = subject.newest.operation, subject.left
    if isinstance(newest, WriteFile) and newest.unedited is not None:
        # Without what it took over; a person may have taken the edit out again.
        own = replace(own, sha256=hashlib.sha256(newest.unedited.shown.encode()).hexdigest())
    return not same(now, own) or (subject.edited_between and subject.original.kind != "absent")


def put_back(subject: Touched, now: PathState) -> AnyOperation:
    """Return the operation that brings back what stood at a path before the first run."""
    planned = f"link {now.target}" if now.kind == "link" else now.sha256
    match subject.original.kind:
        case "absent":
            return RemoveFile(subject.path, planned, _explained(subject))
        case "link":
            return MakeLink(subject.path, subject.original.target, planned)
        case _:
            return PutBack(subject.path, subject.copy, subject.original, planned)


def _explained(subject: Touched) -> tuple[str, ...]:
    """Return the comments of a private file of ours that speak of secrets, so that a review can show them."""
    newest = subject.newest.operation
    return explaining(newest.pure.shown) if isinstance(newest, WriteFile) and not newest.mode & 0o007 else ()


def kind_of(subject: Touched) -> type:
    """Return the type of the activation that takes a path up; what left a proxy is the proxy's to take up again."""
    kind = type(subject.newest.activation)
    return ActivateProxy if kind is WithdrawProxy else kind


def directories(traces: tuple[Trace, ...], scene: Scene) -> Way:  # noqa: ARG001
    """Return the directories that were made, the deepest first; what is not empty then stays (``emptied``)."""
    made: set[Path] = set()
    for trace in traces:
        made.update(map(Path, texts(trace.found, "missing")))
        if trace.found.get("kind") == "absent":
            made.add(Path(str(trace.found["path"])))
    there = sorted((path for path in made if look(path).kind == "directory"), reverse=True)
    return Way(tuple((type(None), RemoveDirectory(path)) for path in there))


def emptied(candidates: Iterable[Path], gone: Iterable[Path]) -> tuple[list[Path], list[Unchanged]]:
    """Return which of these directories, the deepest first, are empty once ``gone`` is, and which stay."""
    removed, away = [], set(gone)
    stay = []
    for directory in candidates:
        others = sorted(path.name for path in directory.iterdir() if path not in away)
        if others:
            stay.append(Unchanged(str(directory), f"is not empty: {', '.join(others)}"))
        else:
            removed.append(directory)
            away.add(directory)
    return removed, stay
