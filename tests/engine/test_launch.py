"""Starting a real engine that outlives us, and following what it says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from palpo_installer.changes import Plan
from palpo_installer.engine import launch
from palpo_installer.engine.events import Event, EventFile
from palpo_installer.engine.history import runs
from palpo_installer.engine.lock import hold
from palpo_installer.engine.process import STOP, Engine
from palpo_installer.engine.silence import give_up
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.secret import Secret
from palpo_installer.serialization import load
from tests.engine.runs import as_root, left_to_itself, registered, writing


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host's copy."""
    return Layout(tmp_path)


def test_a_registered_run_has_its_plan_and_its_secrets_apart(layout: Layout, tmp_path: Path) -> None:
    """Both for root alone; the plan is whole or not there, and nothing was done yet."""
    plan = writing((tmp_path / "file", "text"))
    identity = launch.register(plan, {"password": Secret("hunter2")}, layout)
    directory = layout.runs / identity
    assert load((directory / "plan.json").read_text(), Plan) == plan
    assert json.loads((directory / "secrets.json").read_text()) == {"password": "hunter2"}
    assert "hunter2" not in (directory / "plan.json").read_text()
    assert {path.name for path in directory.iterdir()} == {"plan.json", "secrets.json", "copies"}
    for path in (directory / "plan.json", directory / "secrets.json", directory):
        assert path.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "file").exists()
    assert [run.result for run in runs(layout)] == ["never began"]
    assert launch.register(plan, {}, layout) == "0002"


@as_root
@left_to_itself
def test_an_engine_of_its_own_carries_the_run_out(layout: Layout, tmp_path: Path) -> None:
    """Every event is shown, the last one's code is returned, and the secrets are gone."""
    identity = registered(tmp_path, ("file", "text"))
    seen: list[Event] = []
    launch.start(Host(layout), identity)
    assert launch.follow(layout, identity, seen.append) == 0
    assert (tmp_path / "file").read_text() == "text"
    assert [event.kind for event in seen][:2] == ["began", "preparing"]
    assert seen[-1] == Event("ended", "Done.", code=0, at=seen[-1].at)
    assert not (layout.runs / identity / "secrets.json").exists()
    assert (layout.runs / identity / "engine.log").read_text() == ""


def test_an_engine_that_cannot_be_started_is_said(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The missing program is named; the run has not begun."""
    identity = registered(tmp_path, ("file", "text"))
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(HostError, match="the engine cannot be started: No such file or directory") as raised:
        launch.start(Host(layout), identity)
    assert raised.value.where == "/no/python"
    assert runs(layout)[0].result == "never began"


def test_an_engine_that_never_speaks_is_given_up(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the limit for its first word, with nobody holding the lock, the follower is told that it is dead."""
    identity = registered(tmp_path, ("file", "text"))
    monkeypatch.setattr(launch, "START_LIMIT", 0.2)
    assert launch.follow(layout, identity, lambda _: None) is None


def test_an_engine_that_is_slow_to_start_is_waited_for(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a host with no time to spare it may say nothing for long; its process is there, so it is not dead."""
    identity = registered(tmp_path, ("file", "text"))
    monkeypatch.setattr(launch, "START_LIMIT", 0.2)
    shell = ["/bin/sh", "-c", "read word", "python", "-m", "palpo_installer", *layout.arguments(), "run", identity]
    with subprocess.Popen(shell, stdin=subprocess.PIPE) as slow:
        file = EventFile(layout.runs / identity / "events.jsonl")
        threading.Timer(0.8, lambda: file.write(Event("ended", "Done.", code=0))).start()
        assert launch.follow(layout, identity, lambda _: None) == 0
        slow.kill()


def test_an_engine_that_comes_too_late_does_nothing(layout: Layout, tmp_path: Path) -> None:
    """Who gave it up was told that nothing was changed, and that stays so."""
    identity = registered(tmp_path, ("file", "text"))
    assert "did not begin, and nothing was changed" in give_up(layout, identity)
    assert Engine(Host(layout)).carry_on(identity) != 0
    assert not (tmp_path / "file").exists()
    begun = registered(tmp_path, ("file", "text"))
    assert Engine(Host(layout)).carry_on(begun) == 0
    assert give_up(layout, begun) == ""


def test_an_engine_that_dies_at_work_is_noticed(layout: Layout, tmp_path: Path) -> None:
    """Its lock is free and its words have ended: that is soon told, without the limit of a start."""
    identity = registered(tmp_path, ("file", "text"))
    EventFile(layout.runs / identity / "events.jsonl").write(Event("began", "run"))
    seen: list[Event] = []
    assert launch.follow(layout, identity, seen.append) is None
    assert [event.kind for event in seen] == ["began"]


def test_a_silent_engine_at_work_is_waited_for(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it holds the lock it lives, however long an order takes."""
    identity = registered(tmp_path, ("file", "text"))
    file = EventFile(layout.runs / identity / "events.jsonl")
    file.write(Event("began", "run"))
    monkeypatch.setattr(launch, "START_LIMIT", 0.2)
    with hold(layout, "run"):
        threading.Timer(1.6, lambda: file.write(Event("ended", "Done.", code=0))).start()
        assert launch.follow(layout, identity, lambda _: None) == 0


def test_only_what_comes_after_a_position_is_followed(layout: Layout, tmp_path: Path) -> None:
    """A rollback of a complete run is not over because the run once was."""
    identity = registered(tmp_path, ("file", "text"))
    assert launch.position(layout, identity) == 0
    file = EventFile(layout.runs / identity / "events.jsonl")
    file.write(Event("ended", "Done.", code=0))
    offset = launch.position(layout, identity)
    file.write(Event("ended", "Rolled back.", code=5))
    seen: list[Event] = []
    assert launch.follow(layout, identity, seen.append, offset) == 5
    assert [event.text for event in seen] == ["Rolled back."]


def test_ctrl_c_asks_the_engine_and_ends_nobody(layout: Layout, tmp_path: Path) -> None:
    """The wish lies in the run's directory, and afterwards Ctrl-C means what it meant before."""
    identity = registered(tmp_path, ("file", "text"))
    former = signal.getsignal(signal.SIGINT)
    with launch.asking_to_stop(layout, identity):
        assert not (layout.runs / identity / STOP).exists()
        os.kill(os.getpid(), signal.SIGINT)
        assert (layout.runs / identity / STOP).exists()
    assert signal.getsignal(signal.SIGINT) == former


@as_root
@left_to_itself
def test_a_wish_from_before_the_start_counts(layout: Layout, tmp_path: Path) -> None:
    """Ctrl-C while the engine is being started takes back all the same; nothing was changed."""
    identity = registered(tmp_path, ("file", "text"))
    (layout.runs / identity / STOP).touch()
    launch.start(Host(layout), identity)
    seen: list[Event] = []
    assert launch.follow(layout, identity, seen.append) == 1
    assert "stopped on request" in [event.text for event in seen]
    assert not (tmp_path / "file").exists()


def test_a_history_that_is_deleted_at_the_end_is_followed_to_its_last_word(layout: Layout, tmp_path: Path) -> None:
    """The event file is held open from the start, as an uninstall deletes it when it has ended."""
    identity = registered(tmp_path, ("file", "text"))
    file = EventFile(layout.runs / identity / "events.jsonl")
    file.write(Event("began", "run"))

    def delete(_: Event) -> None:
        shutil.rmtree(layout.runs)
        file.write(Event("ended", "Uninstalled.", code=0))

    assert launch.follow(layout, identity, lambda event: delete(event) if event.kind == "began" else None) == 0
