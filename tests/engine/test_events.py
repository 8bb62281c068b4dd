"""The event file: written by the engine, read while it grows."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palpo_installer.engine.events import Event, EventFile, parse


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """In order, with kind, text, step and code, and the time at which it was written."""
    file = EventFile(tmp_path / "events.jsonl")
    file.write(Event("began", "run 0001"))
    file.write(Event("problem", "Zeile\nfür Zeile — „x“", step="3"))
    file.write(Event("ended", "Not done.", code=1))
    data = (tmp_path / "events.jsonl").read_bytes()
    events, taken = parse(data)
    assert [(each.kind, each.text, each.step, each.code) for each in events] == [
        ("began", "run 0001", "", 0),
        ("problem", "Zeile\nfür Zeile — „x“", "3", 0),
        ("ended", "Not done.", "", 1),
    ]
    assert taken == len(data)
    for event in events:
        assert abs(datetime.fromisoformat(event.at) - datetime.now(UTC)) < timedelta(minutes=1)


def test_each_event_is_one_line(tmp_path: Path) -> None:
    """Whatever is in its text: a viewer, and a person, read by lines."""
    file = EventFile(tmp_path / "events.jsonl")
    file.write(Event("waiting", "a\nb\r\nc\u2028d"))
    (line,) = (tmp_path / "events.jsonl").read_bytes().splitlines()
    assert json.loads(line)["text"] == "a\nb\r\nc\u2028d"


def test_a_line_that_is_still_being_written_waits(tmp_path: Path) -> None:
    """Only whole lines are read, and the rest is read with its own beginning later."""
    file = EventFile(tmp_path / "events.jsonl")
    file.write(Event("began", "one"))
    file.write(Event("ended", "two ü"))
    data = (tmp_path / "events.jsonl").read_bytes()
    first = data.index(b"\n") + 1
    for cut in range(len(data)):
        events, taken = parse(data[:cut])
        assert (len(events), taken) == ((1, first) if cut >= first else (0, 0))
        rest, _ = parse(data[taken:])
        assert [each.text for each in (*events, *rest)] == ["one", "two ü"]


def test_what_a_full_disk_left_of_a_line_is_no_event(tmp_path: Path) -> None:
    """The next event may stand behind half of one: it is lost, and those after it are not."""
    file = EventFile(tmp_path / "events.jsonl")
    with (tmp_path / "events.jsonl").open("ab") as torn:
        torn.write(b'{"kind": "wai')
    file.write(Event("problem", "No space left on device"))
    file.write(Event("ended", "Not done.", code=1))
    data = (tmp_path / "events.jsonl").read_bytes()
    events, taken = parse(data)
    assert [event.kind for event in events] == ["ended"]
    assert taken == len(data)


def test_a_second_engine_writes_on(tmp_path: Path) -> None:
    """Recovery and rollback add to what the run said before; nobody else may read it."""
    path = tmp_path / "events.jsonl"
    EventFile(path).write(Event("began", "one"))
    EventFile(path).write(Event("began", "two"))
    assert [each.text for each in parse(path.read_bytes())[0]] == ["one", "two"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_stops_nobody() -> None:
    """A run that is taking back goes on when an event cannot be written, as it would have been without the disk."""
    with pytest.raises(OSError, match="No space left"), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    said = EventFile(Path("/dev/full"))
    said.write(Event("undoing", "the site"))
    assert os.fstat(said._descriptor).st_size == 0


@pytest.mark.parametrize("data", [b"", b'{"kind": "beg'])
def test_nothing_whole_is_nothing(data: bytes) -> None:
    """A file without a whole line has no events yet."""
    assert parse(data) == ((), 0)
