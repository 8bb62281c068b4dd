"""The event file: how a run tells what it does to whoever watches, now or later."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from palpo_installer.serialization import encode

Kind = Literal[
    "began", "preparing", "acting", "done", "undoing", "undone", "waiting", "problem", "finding", "unconfirmed", "ended"
]


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Attributes:
        kind: what sort of thing.
        text: one sentence or title, without secrets.
        step: the step it belongs to, empty for the run itself.
        code: the exit code, for ``ended``.
        at: ISO 8601, UTC.
        until: for ``unconfirmed``, when the change takes itself back; ISO 8601, UTC.
    """

    kind: Kind
    text: str
    step: str = ""
    code: int = 0
    at: str = ""
    until: str = ""


class EventFile:
    """The event file of a run, open for appending until the end of its ``with``.

    Losing an event loses nothing but a line on a screen.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def write(self, event: Event) -> None:
        """Append an event; a full disk must not stop a run that is taking back."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = encode({**asdict(event), "at": now}) + b"\n"
        try:
            os.write(self._descriptor, line)
        except OSError:
            return


def parse(data: bytes) -> tuple[tuple[Event, ...], int]:
    """Return the events of the complete lines in data, and how many bytes they take."""
    end = data.rfind(b"\n") + 1
    return tuple(event for line in data[:end].splitlines() if (event := _event(line)) is not None), end


def _event(line: bytes) -> Event | None:
    """Return the event of a line; what a full disk left of one is none."""
    try:
        return Event(**json.loads(line))
    except (ValueError, TypeError):
        return None
