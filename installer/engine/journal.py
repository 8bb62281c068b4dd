"""The journal: what a run is about to do, on disk before it does it.

One JSON object on each line. The first line is the header ``{"format": 1, "tool": "…"}``; a run pins the
version of its format. Every other line is a record::

    {"record": "prepared", "step": "2", "data": {…}}

``record`` is prepared, acting, done, undoing, undone, unconfirmed or end. ``step`` is the number of an operation
in the plan, ``activation N`` for the activation of change N, or empty for ``unconfirmed`` and ``end``. ``data`` holds
hashes, paths and references, never contents. Every line is synced before the act that it speaks of.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from palpo_installer import __version__
from palpo_installer.errors import HostError
from palpo_installer.operations.base import Json
from palpo_installer.operations.paths import fsync_directory
from palpo_installer.serialization import encode

FORMAT = 1
OPEN = "open"
"""The file beside a journal that has no end yet: by it a boot sees, without reading, that there is something to do."""

DAMAGED = "The files as they were are in the directory copies beside it; put them back by hand"

Kind = Literal["prepared", "acting", "done", "undoing", "undone", "unconfirmed", "end"]


@dataclass(frozen=True)
class Record:
    """One line of the journal."""

    kind: Kind
    step: str = ""
    data: Json = field(default_factory=dict)


class Journal:
    """The journal of one run, open for appending until the end of its ``with``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        fresh = not path.exists()
        if not fresh:
            _drop_torn_line(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if fresh or path.stat().st_size == 0:
                self._write({"format": FORMAT, "tool": __version__})
                fsync_directory(path.parent)
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, record: Record) -> None:
        """Write one record and wait until it is on disk."""
        self.append_all((record,))

    def append_all(self, records: Iterable[Record]) -> None:
        """Write several records, all or none, and wait until they are on disk."""
        records, sign = tuple(records), self.path.with_name(OPEN)
        # There before the first record and gone after the last: it may lie there too long, never too short.
        if not sign.exists():
            sign.touch(mode=0o600)
            fsync_directory(sign.parent)
        self._write(*({"record": record.kind, "step": record.step, "data": record.data} for record in records))
        if any(record.kind == "end" for record in records):
            sign.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _write(self, *lines: Json) -> None:
        data = b"".join(encode(fields, separators=(",", ":")) + b"\n" for fields in lines)
        size = os.fstat(self._descriptor).st_size
        try:
            # A nearly full disk takes a part without an error.
            if os.write(self._descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise


def read(path: Path) -> tuple[Record, ...]:
    """Return the records of a journal, none where there is no journal; a torn last line is no record.

    Raises:
        HostError: a version of this tool that we do not know wrote it, or it is damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    return tuple(_records(data, path))


def _records(data: bytes, path: Path) -> Iterator[Record]:
    complete = data[: data.rfind(b"\n") + 1]
    for number, line in enumerate(complete.splitlines()):
        try:
            fields = json.loads(line)
            if number:
                yield Record(fields["record"], fields["step"], fields["data"])
                continue
        except (ValueError, LookupError, TypeError) as error:
            raise HostError(f"line {number + 1} is no record", where=str(path), next=DAMAGED) from error
        if fields.get("format") != FORMAT:
            raise HostError(
                f"was written by version {fields.get('tool')} of this tool",
                where=str(path),
                next="Use that version to take the run back",
            )


def _drop_torn_line(path: Path) -> None:
    """Cut off what a power cut or a full disk left of an unfinished line: it never counted."""
    with path.open("r+b") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            file.truncate(whole)
            os.fsync(file.fileno())


@dataclass(frozen=True)
class Progress:
    """What the records of a run add up to.

    Attributes:
        prepared: by step, the data of its ``prepared`` record.
        begun: the steps that were begun, in order.
        results: by step, the data of its ``done`` record.
        undone: the steps that were undone and not prepared again.
        applied: whether the run was complete once, so that taking it back is a rollback.
        unconfirmed: the data of the ``unconfirmed`` record: everything was applied, and waited to be confirmed.
        end: the data of the last ``end`` record when nothing came after it, else None: the run is open.
    """

    prepared: dict[str, Json]
    begun: tuple[str, ...]
    results: dict[str, Json]
    undone: frozenset[str]
    applied: bool
    unconfirmed: Json | None
    end: Json | None


def progress(records: tuple[Record, ...]) -> Progress:
    """Return what the records of a run add up to."""
    prepared = {record.step: record.data for record in records if record.kind == "prepared"}
    begun = tuple(dict.fromkeys(record.step for record in records if record.kind == "acting"))
    results = {record.step: record.data for record in records if record.kind == "done"}
    last_word = {record.step: record.kind for record in records if record.step}
    undone = frozenset(step for step, kind in last_word.items() if kind == "undone")
    applied = any(record.kind == "end" and record.data.get("result") == "applied" for record in records)
    unconfirmed = next((record.data for record in reversed(records) if record.kind == "unconfirmed"), None)
    last = records[-1] if records else None
    end = last.data if last and last.kind == "end" else None
    return Progress(prepared, begun, results, undone, applied, unconfirmed, end)
