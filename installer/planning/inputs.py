"""What a plan is made from, and how wanted files are compared with what is there."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from palpo_installer.answers import Answers
from palpo_installer.changes import Unchanged
from palpo_installer.choices import ALL_EDITS
from palpo_installer.errors import HostError, RefusedPlan
from palpo_installer.facts import Facts
from palpo_installer.homeserver.keys import existing_key
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.merging import Merged, merge
from palpo_installer.operations.files import MakeDirectory, MakeLink, WriteFile
from palpo_installer.operations.paths import PathState, state_of
from palpo_installer.operations.security import Withdraw
from palpo_installer.planning.traces import Traces
from palpo_installer.secret import Secret, SecretReference, Text
from palpo_installer.site import MARKER_HEADER

AS_IT_SHOULD_BE = "is as it should be"
AS_ROOT = "Try it as root"
EDITED = "was edited by hand; your edit stays"
IN_THE_WAY = "was edited by hand in the lines that these answers change; your edit stays"

YOURS, OURS = ("as written", "your edit"), ("as written", "this run")
"""What the sides of the two differences of an edit are called."""

# As the value of the header, and of the variable that has it in a file for a site of somebody else's.
_PLACE = rf"(?:(?<={MARKER_HEADER} )|(?<=palpo_installer_marker ))"
MARKER = re.compile(rf"{_PLACE}[0-9a-f]+\b")
ANY_MARKER = "<marker>"
_ANY = re.compile(_PLACE + ANY_MARKER)


@dataclass(frozen=True)
class Inputs:
    """What a plan is made from.

    Attributes:
        host: for looks at files that only the answers name; it is never written to.
        facts: what is.
        answers: what was chosen.
        ours: what earlier runs installed: path, and hash of what was written.
        secrets: the secrets that were given as text, by name.
        command: how the timer starts this tool.
        now: the time, UTC.
        settled: what earlier runs wrote into palpo.toml, by key.
        written: what earlier runs last did to each path that is ours as a whole.
        overwrite: the subjects of the edits that the person gives up, or ``ALL_EDITS``.
        renaming: whether the person agreed to give up the server name for another one.
        in_force: what takes back each setting that earlier runs made in SELinux and firewalls.
        traces: what the runs in force did.
    """

    host: Host
    facts: Facts
    answers: Answers
    ours: Mapping[str, str]
    secrets: Mapping[str, Secret]
    command: Path
    now: datetime
    settled: Mapping[tuple[str, ...], object] = field(default_factory=dict)
    written: Mapping[str, WriteFile | MakeLink] = field(default_factory=dict)
    overwrite: frozenset[str] = frozenset()
    renaming: bool = False
    in_force: tuple[Withdraw, ...] = ()
    traces: Traces = field(default_factory=Traces)

    @property
    def layout(self) -> Layout:
        """Where things are."""
        return self.host.layout

    def reveal(self, reference: SecretReference) -> Secret | None:
        """Return the secret of a reference, None where there is none yet."""
        match reference.source:
            case "answer":
                return self.secrets.get(reference.name)
            case "file":
                text = self.host.text(Path(reference.locator))
                return None if text is None else Secret(text.strip())
            case "signing-key":
                return existing_key(self.layout, reference.locator)

    def edited(self, path: Path) -> bool:
        """Return whether a file of ours has other contents than we alone would have given it."""
        recorded, now = self.ours.get(str(path)), look(path)
        return recorded is not None and now.kind == "file" and now.sha256 != recorded

    def gives_up(self, subject: str) -> bool:
        """Return whether the person gives up an edit."""
        return subject in self.overwrite or self.overwrite == ALL_EDITS

    def base(self, path: Path) -> str | None:
        """Return the text that the last run alone would have written, None where that is not known or secret."""
        last = self.written.get(str(path))
        if not isinstance(last, WriteFile) or last.pure.secrets:
            return None
        text = last.pure.shown
        return text if hashlib.sha256(text.encode()).hexdigest() == self.ours.get(str(path)) else None


def look(path: Path) -> PathState:
    """Return what stands at a path.

    Raises:
        HostError: it cannot be read, as without root.
    """
    try:
        return state_of(path)
    except OSError as error:
        raise HostError(f"cannot be read: {error.strerror}", where=str(path), next=AS_ROOT) from error


def missing_directories(paths: Iterable[Path]) -> tuple[MakeDirectory, ...]:
    """Return the operations that make the directories that these paths need, from the top down."""
    missing = {parent for path in paths for parent in path.parents if look(parent).kind == "absent"}
    return tuple(MakeDirectory(parent, 0o755) for parent in sorted(missing))


def write(inputs: Inputs, path: Path, text: Text, mode: int) -> WriteFile | Unchanged:
    """Return the operation that makes a file of ours what it should be, or why nothing has to be done.

    What somebody changed in it since stays, unless they give it up: the lines, and mode and owner of a file that
    all may read.

    Raises:
        RefusedPlan: a file that is not ours, or no regular file, is in the way; or an edit cannot be merged.
        HostError: what is there cannot be read.
    """
    wanted, now, ours = _digest(inputs, text), look(path), str(path) in inputs.ours
    if now.kind != "absent" and now.sha256 != wanted and not ours:
        raise _in_the_way(path)
    if now.kind != "file" or not ours or inputs.gives_up(str(path)):
        return rewrite(inputs, path, text, mode)
    # What others may read anyway has the mode and the owner that its administrator gave it.
    rights = now if mode & 0o077 else replace(now, mode=mode, uid=os.geteuid(), gid=os.getegid())
    if now.sha256 not in {wanted, inputs.ours[str(path)]}:
        return _with_edit(inputs, path, text, rights)
    made = rewrite(inputs, path, text, rights.mode)
    return made if isinstance(made, Unchanged) else replace(made, uid=rights.uid, gid=rights.gid)


def _with_edit(inputs: Inputs, path: Path, text: Text, now: PathState) -> WriteFile | Unchanged:
    """Return how a file that somebody edited is brought up to date without losing the edit."""
    if _digest(inputs, text) == inputs.ours[str(path)]:
        return Unchanged(str(path), EDITED)
    merged = merged_with_edit(inputs, path, text)
    if merged is None:
        raise RefusedPlan(
            "was edited by hand, and these answers change it too",
            where=str(path),
            next="Move your edit into a file of its own, or give it up with --overwrite-edits: a copy is kept",
        )
    if merged.text == edited_text(inputs, path):
        return Unchanged(str(path), IN_THE_WAY)
    return WriteFile(path, Text(merged.text), now.mode, now.uid, now.gid, now.sha256, unedited=text)


def merged_with_edit(inputs: Inputs, path: Path, text: Text) -> Merged | None:
    """Return an edited file with a new text merged into it, None where what was written is not known, or secret."""
    base, theirs = inputs.base(path), edited_text(inputs, path)
    if base is None or theirs is None or text.secrets:
        return None
    # The marker is ours in every line: by it the gates tell which configuration answers.
    plain = [MARKER.sub(ANY_MARKER, each) for each in (base, theirs, text.shown)]
    merged, marker = merge(*plain), MARKER.search(text.shown)
    return replace(merged, text=_ANY.sub(marker[0] if marker else "", merged.text))


def edited_text(inputs: Inputs, path: Path) -> str | None:
    """Return the text of a file that somebody edited, None where it is none."""
    try:
        return (inputs.host.read(path) or b"").decode()
    except UnicodeDecodeError:
        return None


def rewrite(inputs: Inputs, path: Path, text: Text, mode: int) -> WriteFile | Unchanged:
    """Return the operation that gives a file its contents whoever wrote it last, or why nothing has to be done.

    Raises:
        RefusedPlan: what is no regular file is in the way.
        HostError: what is there cannot be read.
    """
    now = look(path)
    if now.kind == "file" and now.sha256 == _digest(inputs, text) and now.mode == mode:
        return Unchanged(str(path), AS_IT_SHOULD_BE)
    if now.kind not in {"absent", "file"}:
        raise _in_the_way(path)
    kept = _kept(inputs, path, text)
    return WriteFile(path, text, mode, os.geteuid(), os.getegid(), now.sha256, kept=kept)


def link(inputs: Inputs, path: Path, target: str) -> MakeLink | Unchanged:
    """Return the operation that makes a link of ours, or why nothing has to be done.

    Raises:
        RefusedPlan: something that is not ours is in the way.
    """
    now = look(path)
    if now.kind == "link" and now.target == target:
        return Unchanged(str(path), AS_IT_SHOULD_BE)
    if now.kind == "absent":
        return MakeLink(path, target, "")
    if now.kind == "link" and str(path) in inputs.ours:
        return MakeLink(path, target, f"link {now.target}")
    raise _in_the_way(path)


def _in_the_way(path: Path) -> RefusedPlan:
    what = "is in the way, and palpo-installer did not make it"
    return RefusedPlan(what, where=str(path), next="Move it away, then plan again")


def _kept(inputs: Inputs, path: Path, text: Text) -> tuple[str, ...]:
    """Return the placeholders of the secrets that a file has already, in the same lines."""
    values = {reference: inputs.reveal(reference) for reference in text.secrets}
    lines = frozenset((inputs.host.text(path) or "").splitlines())
    return tuple(
        reference.placeholder
        for reference, value in values.items()
        if value is not None
        and all(
            Text(line, (reference,)).reveal({reference.name: value}) in lines
            for line in text.shown.splitlines()
            if reference.placeholder in line
        )
    )


def _digest(inputs: Inputs, text: Text) -> str:
    """Return the hash of a text with its secrets, empty where one of them is not there yet."""
    values = {reference.name: inputs.reveal(reference) for reference in text.secrets}
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) != len(values):
        return ""
    return hashlib.sha256(text.reveal(known).encode()).hexdigest()
