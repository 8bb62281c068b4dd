"""A run under attack: where it is when it makes a system call, and its proxy as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.lab.attacked_proxies import AttackedProxy
from tests.system_calls import BEGINNING, PRETEND, Call


class ProxyProcess:
    """The proxy of the attacked host as a process."""

    def __init__(self, attacked: AttackedProxy) -> None:
        self.attacked = attacked

    @property
    def main(self) -> psutil.Process:
        """Its main process."""
        return psutil.Process(int(self.attacked.pid_file.read_text()))

    def kill(self) -> None:
        """Kill it with all its workers, as a defect or the kernel's want of memory would."""
        main = self.main
        # It would start others in their place.
        main.suspend()
        family = [*main.children(), main]
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, timeout=10)

    def kill_main(self, ends: ExitStack) -> None:
        """Kill its main process alone; workers that go on, and keep its ports, end with ``ends``."""
        main = self.main
        for worker in main.children():
            ends.callback(_end, worker)
        main.kill()
        psutil.wait_procs([main], timeout=10)

    def start_anew(self) -> list[str]:
        """Start it as it was at first, not as a child of an engine whose system calls are judged."""
        wrong = []
        try:
            self.kill()
        except (FileNotFoundError, psutil.NoSuchProcess):
            wrong.append(f"{self.attacked.kind} does not run")
        pid_file = self.attacked.pid_file
        pid_file.unlink(missing_ok=True)
        # Caddy would keep our pipes.
        subprocess.run(self.attacked.start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # It goes into the background before it writes its number.
        while not pid_file.exists() or not pid_file.read_text():
            time.sleep(0.01)
        return wrong


def _end(worker: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        worker.kill()
        worker.wait(10)


@dataclass(frozen=True)
class Moment:
    """Where a run is when it makes a system call.

    Attributes:
        after: the kind of the last record in its journal: prepared, acting, done, undoing, undone.
        step: the step of that record.
        number: how many calls the step has made since then.
        record: the kind of record that this call is about to write, empty when it is the step's own call.
        about: the step of that record.
    """

    after: str
    step: str
    number: int
    record: str = ""
    about: str = ""


class Run:
    """One run under attack: knows by its journal where it is, and what the attack left to be ended.

    Attributes:
        proxy: the proxy of the host.
        step: the step of the kind that is attacked.
        service: the last activation of the proxy.
        second: starts another run and returns its exit code.
        pid: of the engine.
        hanging: of a program that is to stop for ever once it has begun.
        deaf: whether the next signal by which the proxy is told gets lost, while its sender is told that it arrived.
        ends: what has to be ended once the run is over.
        struck: whether the attack has begun.
        answers: exit codes of other runs.
        calls: how many calls its steps made, and how many records it wrote.
        beside: how many other calls the engine made itself.
    """

    def __init__(
        self, proxy: AttackedProxy, directory: Path, step: str, service: str, second: Callable[[], int]
    ) -> None:
        self.proxy = ProxyProcess(proxy)
        self.directory = directory
        self.step, self.service, self.second = step, service, second
        self.ends = ExitStack()
        self.struck = False
        self.answers: list[int] = []
        self.pid = self.hanging = 0
        self.deaf = False
        self.calls = self.beside = 0
        self._after, self._of, self._number = "", "", 0

    def meanwhile(self, call: Call) -> int:
        """Do to a call what an attack has left to be done, whoever makes it."""
        if call.pid == self.hanging and call.name == BEGINNING:
            os.kill(call.pid, signal.SIGSTOP)
        if self.deaf and call.name == "kill" and call.arguments[1] == self.proxy.attacked.signal:
            self.deaf = False
            return PRETEND
        return 0

    def moment(self, call: Call) -> Moment | None:
        """Return where the run is, None for a call that is none of a step's: events, locks, other programs."""
        # The engine makes the first one.
        self.pid = self.pid or call.pid
        path = call.paths[-1] if call.paths else ""
        if path == str(self.directory / "journal.jsonl") and call.name == "write" and b'"record"' in call.data:
            record = json.loads(call.data.splitlines()[-1])
            seen = Moment(self._after, self._of, self._number, record["record"], record["step"])
            self._after, self._of, self._number = seen.record, seen.about, 0
            self.calls += 1
            return seen
        if path == str(self.directory / "events.jsonl") and b'"problem"' in call.data:
            # What was being done has failed, and what comes now is no part of it.
            self._after = ""
        noted = path.startswith(f"{self.directory}/") and not path.startswith(f"{self.directory}/copies/")
        ours = Path(path).is_file() if call.name == "execve" else call.pid == self.pid
        if noted or not ours or not self._after:
            self.beside += call.pid == self.pid
            return None
        seen = Moment(self._after, self._of, self._number)
        self._number += 1
        self.calls += 1
        return seen
