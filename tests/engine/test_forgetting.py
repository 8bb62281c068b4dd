"""What is deleted when an uninstall is over, and that a kill on the way is made up for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from palpo_installer.engine import forgetting, launch
from palpo_installer.engine.forgetting import forget_all
from palpo_installer.engine.history import ORIGINALS, effective, runs
from palpo_installer.engine.journal import Journal, Record
from palpo_installer.engine.process import Engine
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.paths import state_of
from palpo_installer.planning.removal import removal
from palpo_installer.session import scene_of
from tests.engine.runs import last_words, registered
from tests.recorded import recorded


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host's copy, with a file of somebody else's."""
    host = recorded("nginx_stopped", tmp_path)
    (tmp_path / "file").write_text("theirs")
    (tmp_path / "file").chmod(0o604)
    return host


def apply(host: Host, *texts: str) -> None:
    """Apply runs that write the file, one after the other, and another one each."""
    for text in texts:
        assert Engine(host).carry_on(registered(host.layout.root, ("file", text), (f"made-{text}", "ours"))) == 0


def register(host: Host) -> str:
    """Register the removal of everything and return its id."""
    return launch.register(removal(scene_of(host, None)), {}, host.layout)


def test_after_twelve_runs_the_first_bytes_come_back(host: Host, tmp_path: Path) -> None:
    """Of the oldest runs only the copy of somebody else's file was left; at the end there is no history."""
    before = state_of(tmp_path / "file")
    apply(host, *map(str, range(12)))
    past = runs(host.layout)
    assert [run.reversible for run in past] == [False, False, *[True] * 10]
    assert [path.read_text() for run in past for path in (run.directory / ORIGINALS).glob("*")] == ["theirs"]
    identity = register(host)
    events = launch._Growing(host.layout.runs / identity / "events.jsonl", 0)
    (host.layout.runs / identity / "events.jsonl").touch()
    assert events.read() == ()
    assert Engine(host).carry_on(identity) == 0
    assert events.read()[-1].text.startswith("Uninstalled: ")
    events.close()
    assert state_of(tmp_path / "file") == before
    assert list(tmp_path.glob("made-*")) == []
    assert not host.layout.state.exists()


def test_what_stays_keeps_its_directories(host: Host) -> None:
    """The ledger, keys and certificates; not the lock, nor what certbot needed while it worked."""
    layout = host.layout
    apply(host, "one")
    layout.ledger.write_text("{}\n")
    layout.keys.mkdir(parents=True)
    (layout.state / "certbot/home").mkdir(parents=True)
    (layout.webroot / ".well-known/acme-challenge").mkdir(parents=True)
    assert Engine(host).carry_on(register(host)) == 0
    assert [path.name for path in layout.state.iterdir()] == ["ledger.jsonl"]
    assert [path.name for path in layout.etc.iterdir()] == ["keys"]


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.mark.parametrize("nth", range(1, 13))
def test_a_deletion_that_is_cut_off_is_finished_by_the_next_start(
    host: Host, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Cut off before the n-th removal: no run is in force, and what is left goes."""
    apply(host, "one", "two")
    identity = register(host)
    left = nth

    def cut_off(real: object) -> object:
        def removing(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                raise KilledError
            assert callable(real)
            return real(*arguments, **options)

        return removing

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off(shutil.rmtree))
        patched.setattr(forgetting, "_remove", cut_off(forgetting._remove))
        try:
            Engine(host).carry_on(identity)
        except KilledError:
            assert effective(host.layout) == ()
    Engine(host).finish_uninstall()
    assert runs(host.layout) == ()
    assert not host.layout.runs.exists()


def test_what_was_staged_goes_also_where_the_kill_came_first(host: Host, tmp_path: Path) -> None:
    """Right after the last record: second names of removed files are beside them, and the next start removes them."""
    apply(host, "one")
    identity = register(host)
    append = Journal.append

    def append_and_die(journal: Journal, record: Record) -> None:
        append(journal, record)
        if record.kind == "end":
            os._exit(0)

    if (pid := os.fork()) == 0:
        Journal.append = append_and_die  # type: ignore[method-assign, assignment]
        Engine(host).carry_on(identity)
        os._exit(70)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert list(tmp_path.glob(".palpo-installer-*")) != []
    apply(host, "after")
    assert list(tmp_path.glob(".palpo-installer-*")) == []
    assert [run.result for run in runs(host.layout)] == ["applied"]


def test_nothing_is_deleted_without_an_uninstall(host: Host) -> None:
    """The runs in force stay as they are."""
    apply(host, "one")
    Engine(host).finish_uninstall()
    assert [run.result for run in effective(host.layout)] == ["applied"]
    forget_all(Layout(host.layout.root / "elsewhere"))
    assert last_words(host.layout.root, "0001") == "Done."
