"""Starting the engine and following it to its end, as the commands do; for a thread of its own."""

from __future__ import annotations

from collections.abc import Callable

from palpo_installer.commands.following import last_part
from palpo_installer.engine import launch
from palpo_installer.engine.events import Event
from palpo_installer.engine.silence import give_up
from palpo_installer.errors import Locked
from palpo_installer.host import Host

Show = Callable[[Event], None]
Watched = Callable[[], bool]

SILENT = "The engine ended without a word. Taking back what it began."


def perform(host: Host, identity: str, arguments: tuple[str, ...], show: Show, watched: Watched) -> int | None:
    """Start the engine for a run and follow it; when it dies, start another that takes back.

    Returns:
        The exit code, None when nobody watches any more.
    """
    offset = launch.position(host.layout, identity)
    launch.start(host, identity, *arguments)
    code = launch.follow(host.layout, identity, show, offset, watched=watched)
    if code is not None or not watched():
        return code
    return _take_over(host, identity, show, watched)


def attach(host: Host, identity: str, offset: int, show: Show, watched: Watched) -> int | None:
    """Follow a run that is at work; ``offset`` is where in its events it began."""
    code = launch.follow(host.layout, identity, show, offset, watched=watched)
    if code is not None or not watched():
        return code
    return _take_over(host, identity, show, watched)


def _take_over(host: Host, identity: str, show: Show, watched: Watched) -> int | None:
    """Let what a dead engine began be taken back: by another one that was started for that already, or by ours."""
    if never := give_up(host.layout, identity):
        show(Event("ended", never, code=1))
        return 1
    show(Event("problem", SILENT))
    try:
        return recover(host, show, watched)
    except Locked:
        began = last_part(host.layout.runs / identity / "events.jsonl")
        return launch.follow(host.layout, identity, show, began, watched=watched)


def recover(host: Host, show: Show, watched: Watched) -> int | None:
    """Take back every run that was cut off; return the exit code: 1 when all is as before."""
    code = 1
    for run in launch.cut_off(host.layout):
        offset = launch.position(host.layout, run.id)
        launch.start(host, run.id)
        ended = launch.follow(host.layout, run.id, show, offset, watched=watched)
        if ended is None:
            if watched():
                log = run.directory / "engine.log"
                show(Event("ended", f"The engine ended without a word again; its last words are in {log}.", code=5))
                return 5
            return None
        code = max(code, ended)
    return code
