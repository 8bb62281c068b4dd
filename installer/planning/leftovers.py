"""What earlier runs installed and these answers do not want any more: removed, unless somebody edited it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from palpo_installer.certificates import renewal
from palpo_installer.certificates.timer import ActivateTimer, Before, StopTimer
from palpo_installer.changes import AnyActivation, Change, Unchanged
from palpo_installer.operations.files import RemoveFile
from palpo_installer.planning.inputs import Inputs, look
from palpo_installer.proxies.activation import ActivateProxy

UNWANTED_EDIT = "is not needed any more, but was edited by hand; your edit stays"
WITH_AN_EDIT = "is not needed any more, but belongs to what was edited by hand"


def leftovers(
    inputs: Inputs, wanted: Collection[Path], changes: Sequence[Change], proxy: ActivateProxy
) -> tuple[tuple[Change, ...], tuple[Unchanged, ...]]:
    """Return the changes that remove what is left over, and what of it stays.

    They come after every change that brings something and before the answers are saved: what replaces a file
    serves already. What another change handles is left to it.

    Args:
        inputs: what the plan is made from.
        wanted: every path that these answers ask for.
        changes: what else is done.
        proxy: how the proxy takes up what is left.
    """
    handled = {str(getattr(each, "path", "")) for change in changes for each in change.operations}
    known = (Path(path) for path in sorted(inputs.written) if path not in handled)
    left = [path for path in known if path not in wanted and look(path).kind in {"file", "link"}]
    layout = inputs.layout
    units = [path for path in left if path in {renewal.service_path(layout), renewal.timer_path(layout)}]
    cron = [path for path in left if path == renewal.cron_path(layout)]
    # A link before what it leads to: at no moment does the proxy read a name that leads nowhere.
    served = sorted({*left} - {*units, *cron}, key=lambda path: look(path).kind != "link")
    groups: tuple[tuple[str, Sequence[Path], AnyActivation | None], ...] = (
        (f"what {proxy.control.title} does not need any more", served, proxy),
        ("no renewal of certificates any more", units, _stopped(inputs)),
        ("no renewal of certificates any more", cron, None),
    )
    removed, stays = [], []
    for title, paths, activation in groups:
        edited = [path for path in paths if inputs.edited(path) and not inputs.gives_up(str(path))]
        if edited:
            reasons = {path: UNWANTED_EDIT if path in edited else WITH_AN_EDIT for path in paths}
            stays += [Unchanged(str(path), reason) for path, reason in reasons.items()]
        elif paths:
            removed.append(Change(title, tuple(_removals(paths)), activation))
    return tuple(removed), tuple(stays)


def _stopped(inputs: Inputs) -> StopTimer:
    """Return how systemd forgets the timer; its directories are not ours to remove."""
    there = ActivateTimer("systemd").directories(inputs.host)
    return StopTimer("systemd", Before(enabled=False, active=False, directories=there))


def _removals(paths: Sequence[Path]) -> Iterator[RemoveFile]:
    for path in paths:
        now = look(path)
        yield RemoveFile(path, f"link {now.target}" if now.kind == "link" else now.sha256)
