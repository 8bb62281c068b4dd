"""An engine that says nothing: whether it is there all the same, and what becomes of its run where it never came."""

from __future__ import annotations

import re

import psutil

from palpo_installer.engine import lock
from palpo_installer.engine.history import SECRETS, past_run
from palpo_installer.errors import Locked
from palpo_installer.layout import Layout


def is_there(layout: Layout, identity: str) -> bool:
    """Return whether an engine of a run, or the shell that starts it, is among the processes, silent or not."""
    words = " ".join(("palpo_installer", *layout.arguments(), "run", identity))
    engine = re.compile(rf"{re.escape(words)}\b")
    return any(engine.search(" ".join(each.info["cmdline"] or ())) for each in psutil.process_iter(["cmdline"]))


def give_up(layout: Layout, identity: str) -> str:
    """Let a run be over whose engine never came to begin, and does nothing if it comes late.

    Returns:
        What to say of it, empty where the run did begin.
    """
    try:
        with lock.hold(layout, f"giving up run {identity}"):
            if past_run(layout.runs / identity).result != "never began":
                return ""
            (layout.runs / identity / SECRETS).unlink(missing_ok=True)
    except Locked:
        return ""
    log = layout.runs / identity / "engine.log"
    return f"The engine of run {identity} did not begin, and nothing was changed. Why is in {log} or the system's log."
