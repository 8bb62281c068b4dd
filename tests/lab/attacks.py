"""The attacks on a run: when, and what is done then. They run on the host that is attacked."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.lab.attacked_kinds import FURTHER_PORT
from tests.system_calls import Call


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
        step: the step of the kind that is attacked.
        service: the activation of nginx.
        second: starts another run and returns its exit code.
        pid: of the engine.
        hanging: of a program that is to stop for ever once it has begun.
        ends: what has to be ended once the run is over.
        struck: whether the attack has begun.
        answers: exit codes of other runs.
        calls: how many calls its steps made, and how many records it wrote.
    """

    def __init__(self, directory: Path, step: str, service: str, second: Callable[[], int]) -> None:
        self.directory = directory
        self.step, self.service, self.second = step, service, second
        self.ends = ExitStack()
        self.struck = False
        self.answers: list[int] = []
        self.pid = self.hanging = 0
        self.calls = 0
        self._after, self._of, self._number = "", "", 0

    def moment(self, call: Call) -> Moment | None:
        """Return where the run is, None for a call that is none of a step's: events, locks, other programs."""
        path = call.paths[-1] if call.paths else ""
        if path == str(self.directory / "journal.jsonl") and call.name == "write" and b'"record"' in call.data:
            record = json.loads(call.data.splitlines()[-1])
            self.pid = call.pid
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
            return None
        seen = Moment(self._after, self._of, self._number)
        self._number += 1
        self.calls += 1
        return seen


Place = Callable[[Run, Moment, Call], bool]
Deed = Callable[[Run, Call], int]
Afterwards = Callable[[Run, Moment | None, Call], int]


def acting(position: int) -> Place:
    """At the call of the act with this position, or its record where it makes fewer."""
    return lambda run, moment, _: (
        _is_record(run, moment) or ((moment.after, moment.step, moment.number) == ("acting", run.step, position))
    )


def _is_record(run: Run, moment: Moment) -> bool:
    return (moment.record, moment.about) == ("done", run.step)


def recording(run: Run, moment: Moment, _: Call) -> bool:
    """When the act is done and its record is about to be written."""
    return _is_record(run, moment)


def staging(run: Run, moment: Moment, _: Call) -> bool:
    """While what the step will need is made ready; at the act's first call where nothing is."""
    made_ready = not moment.record and (moment.after, moment.step) == ("prepared", run.step)
    return made_ready or (moment.after, moment.step) == ("acting", run.step)


def writing(run: Run, moment: Moment, call: Call) -> bool:
    """At the first write for the step: what it stages, a certificate, a proof, or else its record."""
    return call.name == "write" and len(call.data) > 1 and (staging(run, moment, call) or _is_record(run, moment))


def starting(*words: str) -> Place:
    """When nginx is about to be started with these words, for the step's own activation or the next one."""
    return lambda run, moment, call: (
        call.name == "execve" and moment.step == run.service and call.argv[-len(words) :] == words
    )


def fail(number: int) -> Deed:
    """Let the call fail."""
    return lambda _run, _call: number


def during_the_act(number: int) -> Afterwards:
    """Let every further call of the act fail too."""

    def judge(run: Run, moment: Moment | None, _call: Call) -> int:
        act = moment is not None and not moment.record and (moment.after, moment.step) == ("acting", run.step)
        return number if act else 0

    return judge


def send(number: signal.Signals) -> Deed:
    """Send the engine a signal; SIGKILL keeps it from making the call."""

    def deed(run: Run, _call: Call) -> int:
        os.kill(run.pid, number)
        return 0

    return deed


def kill_half_way(run: Run, call: Call) -> int:
    """Kill the engine in the middle of a ``write``."""
    if call.name == "write":
        call.half()
    os.kill(run.pid, signal.SIGKILL)
    return 0


def stop_the_program(run: Run, call: Call) -> int:
    """Let the program that is being started hang for ever."""
    run.hanging = call.pid
    return 0


def reload_and_stop_the_program(run: Run, call: Call) -> int:
    """Let nginx take up its files, and the program that was to tell it to hang for ever."""
    os.kill(master().pid, signal.SIGHUP)
    return stop_the_program(run, call)


def take_the_port(run: Run, _call: Call) -> int:
    """Let another program listen where nginx is about to: it says 0 to the reload and keeps what it has."""
    run.ends.enter_context(socket.create_server(("198.18.0.10", FURTHER_PORT)))
    return 0


def stop_the_master(run: Run, _call: Call) -> int:
    """Let nginx's master process do nothing any more, while its workers answer."""
    process = master()
    process.suspend()
    run.ends.callback(process.resume)
    return 0


def end_nginx(_run: Run, _call: Call) -> int:
    """Kill nginx with all its workers, as a defect or the kernel's want of memory would."""
    kill_nginx()
    return 0


def end_the_master(run: Run, _call: Call) -> int:
    """Kill nginx's master process alone; its workers go on, and keep its ports, until somebody ends them."""
    process = master()
    for worker in process.children():
        run.ends.callback(worker.wait, 10)
        run.ends.callback(worker.kill)
    process.kill()
    psutil.wait_procs([process], timeout=10)
    return 0


def kill_nginx() -> None:
    """Kill nginx with all its workers."""
    process = master()
    # It would start others in their place.
    process.suspend()
    family = [*process.children(), process]
    for each in family:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(family, timeout=10)


def master() -> psutil.Process:
    """Return nginx's master process."""
    return psutil.Process(int(Path("/run/nginx.pid").read_text()))


def start_another(run: Run, _call: Call) -> int:
    """Start a second run while this one is at work."""
    run.answers.append(run.second())
    return 0


WRITES = ("write", "sendfile", "copy_file_range", "fsetxattr")
MAKES = ("mkdir", "symlink", "link", "linkat", "openat")


def is_full(_run: Run, _moment: Moment | None, call: Call) -> int:
    """A disk without any space left: nothing can be written or made; files can be opened, renamed and removed."""
    makes = call.name in MAKES and not os.path.lexists(call.paths[-1])
    return errno.ENOSPC if (call.name in WRITES or makes) and _is_file(call) else 0


def is_read_only(_run: Run, _moment: Moment | None, call: Call) -> int:
    """A disk on which nothing can be changed any more."""
    return errno.EROFS if call.name not in {"execve", "kill"} and _is_file(call) else 0


def _is_file(call: Call) -> bool:
    """Whether it is about a file, and no pipe or socket, on a disk."""
    return call.paths[-1].startswith("/") and not call.paths[-1].startswith(("/dev/", "/proc/"))


@dataclass(frozen=True)
class Attack:
    """What happens to a run.

    Attributes:
        place: when.
        deed: what.
        ends: exit codes that are right.
        afterwards: by this every further call of the engine's is judged.
        raises: whether the act of the attacked step raises an error that nobody thought of, after its work.
        again: whether the recovery is killed as well, at the first thing that it takes back.
        deadly: whether it makes nginx itself fail requests.
    """

    place: Place
    deed: Deed
    ends: frozenset[int]
    afterwards: Afterwards | None = None
    raises: bool = False
    again: bool = False
    deadly: bool = False


KILLED, TAKEN_BACK, DONE = frozenset({-signal.SIGKILL}), frozenset({1}), frozenset({0})
NOT_PUT_BACK = frozenset({5})
RELOAD, TEST = ("-s", "reload"), ("-t",)


def nothing(_run: Run, _call: Call) -> int:
    """Do nothing."""
    return 0


ATTACKS: Mapping[str, Attack] = {
    "killed before": Attack(acting(0), send(signal.SIGKILL), KILLED),
    "killed in the middle": Attack(acting(1), send(signal.SIGKILL), KILLED),
    "killed after": Attack(recording, send(signal.SIGKILL), KILLED),
    "killed while making ready": Attack(staging, send(signal.SIGKILL), KILLED),
    "killed inside a write": Attack(writing, kill_half_way, KILLED),
    "killed twice": Attack(recording, send(signal.SIGKILL), KILLED, again=True),
    "SIGTERM": Attack(acting(0), send(signal.SIGTERM), TAKEN_BACK),
    "an exception": Attack(acting(0), nothing, TAKEN_BACK, raises=True),
    "ENOSPC": Attack(acting(0), fail(errno.ENOSPC), TAKEN_BACK, during_the_act(errno.ENOSPC)),
    "EACCES": Attack(acting(0), fail(errno.EACCES), TAKEN_BACK, during_the_act(errno.EACCES)),
    "EROFS": Attack(acting(0), fail(errno.EROFS), TAKEN_BACK, during_the_act(errno.EROFS)),
    "a full disk from here on": Attack(staging, nothing, TAKEN_BACK, is_full),
    "a full disk once it is done": Attack(recording, fail(errno.ENOSPC), TAKEN_BACK, is_full),
    "a read-only disk once it is done": Attack(recording, fail(errno.EROFS), NOT_PUT_BACK, is_read_only),
    "a time-out": Attack(starting(*TEST), stop_the_program, TAKEN_BACK),
    "a reload that says 0 and keeps the old": Attack(starting(*RELOAD), take_the_port, TAKEN_BACK),
    # What an earlier change of the run made nginx serve, it serves until its master goes on.
    "a reload that does nothing": Attack(starting(*RELOAD), stop_the_master, frozenset({1, 5})),
    "a reload that hangs": Attack(starting(*RELOAD), stop_the_program, TAKEN_BACK),
    "a reload that is done and hangs": Attack(starting(*RELOAD), reload_and_stop_the_program, TAKEN_BACK),
    "nginx dies": Attack(starting(*RELOAD), end_nginx, TAKEN_BACK, deadly=True),
    "nginx's master dies": Attack(starting(*RELOAD), end_the_master, NOT_PUT_BACK, deadly=True),
    "SIGHUP": Attack(acting(0), send(signal.SIGHUP), DONE),
    "a second run": Attack(acting(0), start_another, DONE),
}


KILLED_AT = "killed at call "


def named(name: str) -> Attack:
    """Return an attack by its name; ``killed at call N`` is the N-th call of all steps together, from 0."""
    if not name.startswith(KILLED_AT):
        return ATTACKS[name]
    position = int(name.removeprefix(KILLED_AT))
    return Attack(lambda run, _moment, _call: run.calls == position + 1, send(signal.SIGKILL), KILLED)


@dataclass
class Judge:
    """Carries out an attack on a run, once."""

    run: Run
    attack: Attack

    def __call__(self, call: Call) -> int:
        """Judge one call."""
        if call.pid == self.run.hanging and call.name != "execve":
            os.kill(call.pid, signal.SIGSTOP)
        moment = self.run.moment(call)
        if self.run.struck:
            return self.attack.afterwards(self.run, moment, call) if self.attack.afterwards else 0
        if moment is None or not self.attack.place(self.run, moment, call):
            return 0
        self.run.struck = True
        return self.attack.deed(self.run, call)
