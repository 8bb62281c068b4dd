"""An engine's work leaves no file open, however it ends: one process may carry out and take back many runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from palpo_installer.engine import launch
from palpo_installer.engine.journal import Journal
from palpo_installer.engine.process import Engine
from palpo_installer.engine.rollback import discard_edits, refuse_edits
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.planning.removal import removal
from palpo_installer.session import scene_of
from tests.engine.runs import last_words, registered, writing
from tests.recorded import recorded


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host's copy."""
    return recorded("nginx_stopped", tmp_path)


def applied(host: Host, *names: str) -> None:
    """Apply runs that write a file each."""
    for name in names:
        assert Engine(host).carry_on(registered(host.layout.root, (name, "text"))) == 0


def cut_off(host: Host, name: str) -> str:
    """Apply a run, tear the end off its journal as a power cut would, and return its id."""
    applied(host, name)
    identity = max(host.layout.runs.iterdir()).name
    journal = host.layout.runs / identity / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    return identity


def fails(host: Host) -> int:
    """Apply a run that cannot be made."""
    plan = writing((host.layout.root / "first", "1"), (host.layout.root / "none/second", "2"))
    return Engine(host).carry_on(launch.register(plan, {}, host.layout))


def recovers(host: Host) -> int:
    """Take back a run that was cut off, before another one begins."""
    cut_off(host, "file")
    applied(host, "other")
    return 0


def puts_files_back(host: Host) -> int:
    """Put back only the files of a run that was cut off, as at boot."""
    return Engine(host).put_files_back(cut_off(host, "file"))


def rolls_back(host: Host) -> int:
    """Take back three runs at once."""
    applied(host, "1", "2", "3")
    return Engine(host).roll_back("0001", refuse_edits)


def refuses_to_roll_back(host: Host) -> int:
    """Stop at an edited file, and then give up the edit."""
    applied(host, "1", "2")
    (host.layout.root / "1").write_text("edited")
    assert Engine(host).roll_back("0001", refuse_edits) == 1
    return Engine(host).roll_back("0001", discard_edits)


def uninstalls(host: Host) -> int:
    """Take back everything, and delete the history."""
    applied(host, "1", "2")
    return Engine(host).carry_on(launch.register(removal(scene_of(host, None)), {}, host.layout))


def is_asked_to_stop(host: Host) -> int:
    """Ask the engine to take back before it has begun."""
    identity = registered(host.layout.root, ("file", "text"))
    launch.ask_to_stop(host.layout, identity)
    return Engine(host).carry_on(identity)


def cannot_begin_its_journal(host: Host) -> int:
    """Apply a run on a disk that is full when the first line of its journal is written."""
    identity = registered(host.layout.root, ("file", "text"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "_write", _full)
        code = Engine(host).carry_on(identity)
    assert "No space left on device; nothing was changed" in last_words(host.layout.root, identity)
    applied(host, "other")
    return code


def _full(_journal: Journal, *_lines: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (fails, 1),
        (recovers, 0),
        (puts_files_back, 1),
        (rolls_back, 0),
        (refuses_to_roll_back, 0),
        (uninstalls, 0),
        (is_asked_to_stop, 1),
        (cannot_begin_its_journal, 1),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_nothing_stays_open(host: Host, work: Callable[[Host], int], code: int) -> None:
    """As many descriptors afterwards as before: of journals, event files and the lock."""
    before = descriptors()
    assert work(host) == code
    assert descriptors() == before


def descriptors() -> dict[str, str]:
    """Return what this process has open below directories of runs, by number."""
    links = {path.name: path for path in Path("/proc/self/fd").iterdir()}
    return {number: where for number, path in links.items() if (where := _target(path)) and "/var/lib/" in where}


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:
        # The descriptor by which the directory itself was read.
        return ""


def test_what_is_counted_is_seen(tmp_path: Path) -> None:
    """A journal that is open is among what is counted, so that the test above can fail."""
    layout = Layout(tmp_path)
    layout.runs.mkdir(parents=True)
    before = descriptors()
    with Journal(layout.runs / "journal.jsonl"):
        assert len(descriptors()) == len(before) + 1
    assert descriptors() == before
