"""From one real proxy to another: who serves before, meanwhile and after, and what a kill in the middle leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from palpo_installer.errors import GateFailed
from palpo_installer.operations.base import Json, Workbench
from palpo_installer.proxies.handover import HandOver
from palpo_installer.proxies.neighbours import neighbours
from palpo_installer.proxies.withdrawal import WithdrawProxy
from palpo_installer.serialization import dump, load
from tests.benches import Reports, workbench
from tests.facts.made import certificate
from tests.lab.nginx_with_neighbours import LOOPBACK, SYSTEM, PrivateNginx
from tests.lab.running import require_programs, until

SHOP = "shop.example.org"
OURS = "matrix.example.com"


@dataclass(frozen=True)
class Pair:
    """Two proxies, the first of which serves for us on a port of its own."""

    first: PrivateNginx
    second: PrivateNginx

    @property
    def port(self) -> int:
        """The port that changes hands."""
        return self.first.federation

    @property
    def marker(self) -> str:
        """Which of them serves for us."""
        return self.first.marker(self.port)

    def change(self, *, stop: bool = False, start: bool = False) -> HandOver:
        """Return the change from the first to the second."""
        new = self.second.activation("second", self.port, start=start)
        new = replace(new, neighbours=tuple(each for each in new.neighbours if each.port != self.port))
        old = self.first.activation("first", self.port)
        gone = tuple(replace(each, marker="", certificate=None) for each in old.expectations)
        withdrawal = WithdrawProxy(
            proxy="nginx",
            service=old.service,
            error_log=old.error_log,
            expectations=gone,
            alone=((LOOPBACK, self.port),),
            neighbours=() if stop else neighbours(self.first.servers, SYSTEM, (), old.own),
            own=old.own,
            stop=stop,
            disable=False,
            patience=4.0,
            limit=5.0,
        )
        return HandOver(withdrawal, new, (self.first.ours,))

    def write(self) -> None:
        """Do what the operations of the change do."""
        self.second.install("second", self.port)
        self.first.remove()

    def write_back(self) -> None:
        """Undo it."""
        self.first.install("first", self.port)
        self.second.ours.unlink(missing_ok=True)

    def shops(self) -> tuple[int, ...]:
        """Return how the other sites answer, of those that run."""
        return tuple(each.ask(each.https, SHOP).status for each in (self.first, self.second))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two private nginxes, each with a neighbour's site; the first runs and serves for us."""
    require_programs("nginx")
    tmp_path.chmod(0o755)
    made = []
    for name in ("first", "second"):
        directory = tmp_path / name
        directory.mkdir(mode=0o755)
        private = PrivateNginx(directory)
        certificate(SHOP).write(*private.certificate(SHOP))
        certificate(OURS).write(*private.certificate(OURS))
        private.add_site("shop", SHOP, 'return 200 "shop";')
        made.append(private)
    both = Pair(*made)
    both.first.install("first", both.port)
    both.first.start()
    try:
        yield both
    finally:
        both.first.end()
        both.second.end()


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A workbench on this machine."""
    return workbench(tmp_path / "host", reports=Reports())


def prepared(change: HandOver, bench: Workbench) -> tuple[HandOver, Json]:
    """Return a change, and what prepare records, as a killed engine would find them: through JSON."""
    again = load(dump(change), HandOver)
    assert again == change
    return again, json.loads(json.dumps(again.prepare(bench)))


@contextmanager
def silence(port: int) -> Iterator[list[float]]:
    """Yield the seconds of the longest time in which nobody took connections on a port."""
    longest, ended = [0.0], threading.Event()

    def watch() -> None:
        last = time.monotonic()
        while not ended.is_set():
            with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                longest[0] = max(longest[0], time.monotonic() - last)
                last = time.monotonic()
            time.sleep(0.002)
        longest[0] = max(longest[0], time.monotonic() - last)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield longest
    finally:
        ended.set()
        watching.join()


@pytest.mark.parametrize("running", [True, False], ids=["the second runs", "the second is started"])
def test_the_port_changes_hands_and_comes_back(pair: Pair, bench: Workbench, running: bool) -> None:
    """The second serves for us, the sites of others go on; taken back, the first does. Silence: under a second."""
    if running:
        pair.second.start()
    shops = pair.shops()
    change, before = prepared(pair.change(start=not running), bench)
    with silence(pair.port) as longest:
        pair.write()
        change.activate(bench, before)
    assert pair.marker == "second"
    assert pair.first.ask(pair.first.https, SHOP).status == 200
    sys.stdout.write(f"nobody answered for {longest[0]:.3f} s\n")
    assert longest[0] < 1.0
    pair.write_back()
    change.restore(bench, before)
    change.restore(bench, before)
    assert pair.marker == "first"
    assert pair.shops() == shops


def test_one_that_we_started_is_stopped_and_starts_again_when_taken_back(pair: Pair, bench: Workbench) -> None:
    """A connection that is still served does not keep the second waiting."""
    change, before = prepared(pair.change(stop=True, start=True), bench)
    with silence(pair.port) as longest:
        pair.write()
        change.activate(bench, before)
    assert pair.marker == "second"
    until(lambda: pair.first.ask(pair.first.https, SHOP).problem == "refused", "the end of the first")
    assert longest[0] < 1.0
    pair.write_back()
    change.restore(bench, before)
    assert pair.marker == "first"
    assert pair.second.ask(pair.second.https, SHOP).problem == "refused"


def test_a_configuration_that_does_not_load_is_found_while_the_first_serves(pair: Pair, bench: Workbench) -> None:
    """Nothing was told to the first: not a moment of silence."""
    pair.second.start()
    change, before = prepared(pair.change(), bench)
    pair.write()
    pair.second.ours.write_text("no such directive;\n")
    with silence(pair.port) as longest, pytest.raises(GateFailed, match="does not load"):
        change.activate(bench, before)
    assert pair.marker == "first"
    assert longest[0] < 0.5


def test_a_first_that_does_not_let_go_keeps_its_place(pair: Pair, bench: Workbench) -> None:
    """Its reload returns 0 and nothing happens: the second is never told, and the first serves on."""
    pair.first.stand_in("exit 0")
    change, before = prepared(pair.change(start=True), bench)
    pair.write()
    with pytest.raises(GateFailed, match=r"does not let go of 127\.0\.0\.1 port"):
        change.activate(bench, before)
    pair.write_back()
    change.restore(bench, before)
    assert pair.marker == "first"
    assert not pair.second.pid_file.exists()


@pytest.mark.parametrize("stop", [False, True], ids=["it goes on", "it stops"])
def test_a_kill_anywhere_leaves_the_first_proxy_serving(pair: Pair, tmp_path: Path, stop: bool) -> None:
    """SIGKILL at each thing that the engine says it does; another engine takes back from the record alone."""
    bench = workbench(tmp_path / "host", reports=Reports())
    killed = 0
    while True:
        change, before = prepared(pair.change(stop=stop, start=True), bench)
        pair.write()
        child = os.fork()
        if child == 0:
            _activate_and_die(change, before, tmp_path, after=killed)
        _, status = os.waitpid(child, 0)
        pair.write_back()
        change.restore(bench, before)
        assert pair.marker == "first", f"after a kill at report {killed}"
        assert not pair.second.pid_file.exists() or pair.second.ask(pair.second.https, SHOP).problem == "refused"
        if os.WIFEXITED(status):
            break
        killed += 1
    assert killed >= 4


def _activate_and_die(change: HandOver, before: Json, directory: Path, after: int) -> None:
    said = 0

    def report(_: str) -> None:
        nonlocal said
        if said == after:
            os.kill(os.getpid(), signal.SIGKILL)
        said += 1

    try:
        change.activate(replace(workbench(directory / "host", reports=Reports()), report=report), before)
    finally:
        os._exit(0)
