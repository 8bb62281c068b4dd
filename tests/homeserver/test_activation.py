from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import Address
from palpo_installer.errors import GateFailed, NotPutBack
from palpo_installer.homeserver.activation import RestartPalpo, reachable
from palpo_installer.host import Host
from palpo_installer.operations.base import Json, Workbench
from palpo_installer.serialization import dump, load
from palpo_installer.services import Service
from tests.benches import Reports, workbench
from tests.gates.servers import serving

RUNTIME = """#!/bin/sh
cd {directory}
case "$1" in
inspect) cat pid ;;
restart) echo $(($(cat pid) + 1)) > pid; cp palpo.toml taken-up; echo restart >> log ;;
esac
"""


class Container:
    """Palpo in a container whose runtime is a script: what it took up at its last start decides what it answers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.configuration = directory / "palpo.toml"
        self.runtime = directory / "runtime"
        self.runtime.write_text(RUNTIME.format(directory=directory))
        self.runtime.chmod(0o755)
        self.write("good")
        (directory / "taken-up").write_text("good")
        self.run(pid=100)

    def run(self, pid: int) -> None:
        """Say what its main process is; 0 for none."""
        (self.directory / "pid").write_text(f"{pid}\n")

    def write(self, text: str) -> None:
        """Write palpo.toml."""
        self.configuration.write_text(text)

    @property
    def restarts(self) -> int:
        """How often it was restarted."""
        log = self.directory / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    @contextmanager
    def answering(self) -> Iterator[RestartPalpo]:
        """Serve 200 while a good file is taken up, and return the activation of a change."""

        def reply(_: int) -> tuple[int, dict[str, str]]:
            return (200 if (self.directory / "taken-up").read_text() == "good" else 503), {}

        with serving(reply, body=b'{"versions":[]}') as port:
            service = Service("palpo", "container", container="palpo", runtime=str(self.runtime))
            at = Address("127.0.0.1", port)
            yield RestartPalpo(service, self.configuration, at, at, patience=0.5, limit=10.0)


@pytest.fixture
def palpo(tmp_path: Path) -> Container:
    """Palpo, running with a good file."""
    return Container(tmp_path)


@pytest.fixture
def said() -> Reports:
    """What was reported."""
    return Reports()


@pytest.fixture
def bench(tmp_path: Path, said: Reports) -> Workbench:
    """A workbench."""
    return workbench(tmp_path / "host", reports=said)


def prepared(activation: RestartPalpo, bench: Workbench) -> Json:
    """Return what prepare records, through JSON."""
    assert load(dump(activation), RestartPalpo) == activation
    recorded: Json = json.loads(json.dumps(activation.prepare(bench)))
    return recorded


def test_a_changed_file_is_taken_up(palpo: Container, bench: Workbench) -> None:
    """One restart, and the answer."""
    palpo.write("old")
    with palpo.answering() as activation:
        before = prepared(activation, bench)
        palpo.write("good")
        activation.activate(bench, before)
    assert palpo.restarts == 1


def test_a_file_that_did_not_change_restarts_nothing(palpo: Container, bench: Workbench) -> None:
    """Users are not cut off for nothing."""
    with palpo.answering() as activation:
        activation.activate(bench, prepared(activation, bench))
    assert palpo.restarts == 0


def test_a_palpo_that_answered_must_answer_again(palpo: Container, bench: Workbench) -> None:
    """The file is bad: the gate fails; with the old file back it is restarted, and answers."""
    with palpo.answering() as activation:
        before = prepared(activation, bench)
        palpo.write("bad")
        with pytest.raises(GateFailed, match=r"/healthz at .*: status 503") as failure:
            activation.activate(bench, before)
        assert failure.value.next == f"See: {palpo.runtime} logs palpo"
        palpo.write("good")
        activation.restore(bench, before)
        assert palpo.restarts == 2


def test_a_palpo_that_did_not_answer_is_a_finding(palpo: Container, bench: Workbench, said: Reports) -> None:
    """It is restarted, and what is wrong is told; nothing is taken back for it."""
    (palpo.directory / "taken-up").write_text("bad")
    with palpo.answering() as activation:
        before = prepared(activation, bench)
        palpo.write("still bad")
        activation.activate(bench, before)
        activation.restore(bench, before)
    assert palpo.restarts == 2
    assert any("did not answer before either" in line for line in said.lines)


def test_a_stopped_palpo_stays_stopped(palpo: Container, bench: Workbench, said: Reports) -> None:
    """It is told to start it; neither way starts it."""
    palpo.run(pid=0)
    with palpo.answering() as activation:
        before = prepared(activation, bench)
        palpo.write("new")
        activation.activate(bench, before)
        palpo.write("good")
        activation.restore(bench, before)
    assert palpo.restarts == 0
    assert said.lines == [f"Palpo is not running; start it to take up {palpo.configuration}"]


def test_a_restart_that_never_happened_is_not_undone(palpo: Container, bench: Workbench) -> None:
    """The same main process still runs with the old file: users are not cut off for nothing."""
    with palpo.answering() as activation:
        before = prepared(activation, bench)
        activation.restore(bench, before)
    assert palpo.restarts == 0


def test_a_palpo_that_does_not_come_back_is_told(palpo: Container, bench: Workbench) -> None:
    """The file is back, and Palpo is not."""
    with palpo.answering() as activation:
        before = prepared(activation, bench)
        palpo.run(pid=200)
        palpo.write("bad")
        with pytest.raises(NotPutBack, match=r"palpo\.toml is back, but /healthz at .* status 503"):
            activation.restore(bench, before)


def test_where_nothing_can_restart_it_the_person_is_told(palpo: Container, bench: Workbench, said: Reports) -> None:
    """A process that somebody started by hand, or no Palpo at all."""
    with palpo.answering() as managed:
        activation = replace(managed, service=None)
        before = prepared(activation, bench)
        palpo.write("new")
        activation.activate(bench, before)
        activation.restore(bench, before)
    assert "start it to take up" in said.lines[0]
    assert activation.describe(Host()).title == "Palpo is not restarted"


@pytest.mark.parametrize(("bound", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.5", "192.0.2.5")])
def test_a_listener_on_every_address_is_asked_at_loopback(bound: str, asked: str) -> None:
    """A wildcard is no address to connect to."""
    assert reachable(Address(bound, 8008)) == Address(asked, 8008)
