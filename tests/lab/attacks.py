"""The attacks on a run: when, and what is done then. They run on the host that is attacked."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab.attacked_proxies import (
    DIES,
    DONE,
    FURTHER_PORT,
    MAIN_PROCESS_DIES,
    NOT_PUT_BACK,
    STOPPED,
    TAKEN,
    TAKEN_BACK,
    is_command,
)
from tests.lab.attacked_run import Moment, Run
from tests.lab.hosts import ADDRESS4
from tests.system_calls import Call

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


def trying(run: Run, moment: Moment, call: Call) -> bool:
    """When the proxy's test is about to be started, for the step's own activation or the next one."""
    return _starts(run, moment, call, run.proxy.attacked.test)


def telling(run: Run, moment: Moment, call: Call) -> bool:
    """When the program that tells the proxy to take up its files is about to be started."""
    return _starts(run, moment, call, run.proxy.attacked.told)


def _starts(run: Run, moment: Moment, call: Call, words: tuple[str, str]) -> bool:
    return call.name == "execve" and moment.step == run.service and is_command(words, call.argv)


def making_ready_for_a_rollback(_run: Run, moment: Moment, _: Call) -> bool:
    """When all that a rollback needs is there, and it is about to be recorded."""
    return moment.record == "prepared"


def rolling_back(run: Run, moment: Moment, _: Call) -> bool:
    """At the first call by which the step is taken back, its record where it makes none, or the end where it stays."""
    own = (moment.after, moment.step) == ("undoing", run.step) or (moment.record, moment.about) == ("undone", run.step)
    return own or moment.record == "end"


def ending(_run: Run, moment: Moment, _: Call) -> bool:
    """When all is done, and the end is about to be recorded."""
    return moment.record == "end"


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


def tell_and_stop_the_program(run: Run, call: Call) -> int:
    """Let the proxy take up its files, and the program that was to tell it hang for ever."""
    subprocess.run(call.argv, check=True, capture_output=True, timeout=30)
    return stop_the_program(run, call)


def lose_what_is_told(run: Run, call: Call) -> int:
    """Let the program say 0 though the proxy was told nothing: its signal gets lost, or somebody has put it out."""
    if run.proxy.attacked.signal:
        run.deaf = True
        return 0
    program = Path(call.paths[0])
    kept = program.with_name(f"{program.name}-kept")
    program.rename(kept)
    # Only this once.
    program.write_text(f"#!/bin/sh\nmv {kept} {program}\n")
    program.chmod(0o755)
    return 0


def take_the_port(run: Run, _call: Call) -> int:
    """Let another program listen where the proxy is about to, after everybody has looked."""
    run.ends.enter_context(socket.create_server((ADDRESS4, FURTHER_PORT)))
    return 0


def stop_the_main_process(run: Run, _call: Call) -> int:
    """Let the proxy's main process do nothing any more, while its workers, if it has any, answer."""
    process = run.proxy.main
    process.suspend()
    run.ends.callback(process.resume)
    return 0


def end_the_proxy(run: Run, _call: Call) -> int:
    """Kill the proxy with all its workers."""
    run.proxy.kill()
    return 0


def end_the_main_process(run: Run, _call: Call) -> int:
    """Kill the proxy's main process alone."""
    run.proxy.kill_main(run.ends)
    return 0


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
    return errno.EROFS if call.name != "execve" and _is_file(call) else 0


def _is_file(call: Call) -> bool:
    """Whether it is about a file, and no pipe or socket, on a disk."""
    return bool(call.paths) and call.paths[-1].startswith("/") and not call.paths[-1].startswith(("/dev/", "/proc/"))


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
        deadly: whether it makes every proxy itself fail requests; what it does to one of them the proxy's row says.
        later: whether the run is left alone, and its rollback of a later day is attacked.
        beside: whether its place is among the calls that are no step's, where an engine keeps its books.
    """

    place: Place
    deed: Deed
    ends: frozenset[int]
    afterwards: Afterwards | None = None
    raises: bool = False
    again: bool = False
    deadly: bool = False
    later: bool = False
    beside: bool = False


HANGING = (stop_the_program, tell_and_stop_the_program)
"""What is done to a command so that it never ends."""

KILLED = frozenset({-signal.SIGKILL})


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
    "a port that is taken before the test": Attack(trying, take_the_port, TAKEN_BACK),
    "a time-out": Attack(trying, stop_the_program, TAKEN_BACK),
    TAKEN: Attack(telling, take_the_port, TAKEN_BACK),
    "a reload that says 0 and keeps the old": Attack(telling, lose_what_is_told, TAKEN_BACK),
    # What an earlier change of the run made the proxy serve, it serves until its main process goes on.
    STOPPED: Attack(telling, stop_the_main_process, frozenset({1, 5})),
    "a reload that hangs": Attack(telling, stop_the_program, TAKEN_BACK),
    "a reload that is done and hangs": Attack(telling, tell_and_stop_the_program, TAKEN_BACK),
    DIES: Attack(telling, end_the_proxy, TAKEN_BACK, deadly=True),
    MAIN_PROCESS_DIES: Attack(telling, end_the_main_process, TAKEN_BACK, deadly=True),
    "a rollback killed while making ready": Attack(
        making_ready_for_a_rollback, send(signal.SIGKILL), KILLED, later=True
    ),
    "a rollback killed": Attack(rolling_back, send(signal.SIGKILL), KILLED, later=True),
    "a rollback killed at its end": Attack(ending, send(signal.SIGKILL), KILLED, later=True),
    "a rollback on a full disk": Attack(rolling_back, nothing, DONE, is_full, later=True),
    "SIGHUP": Attack(acting(0), send(signal.SIGHUP), DONE),
    "a second run": Attack(acting(0), start_another, DONE),
}
