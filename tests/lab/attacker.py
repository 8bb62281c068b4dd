"""Attacks runs of the engine on the host that it is started on, one after the other on the same host.

    python -m tests.lab.attacker ANSWERS CASE...      a case is ROW:ATTACK, such as  WriteFile:ENOSPC

Prints one JSON object for each case. Whatever the attack: the host is as before, or the change is complete, which is
then rolled back, and the host is as before.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from palpo_installer.changes import Plan
from palpo_installer.engine import launch
from palpo_installer.engine.events import EventFile
from palpo_installer.engine.events import parse as parse_events
from palpo_installer.engine.history import past_run
from palpo_installer.engine.process import Engine
from palpo_installer.engine.rollback import refuse_edits
from palpo_installer.host import Host
from palpo_installer.operations.base import State
from palpo_installer.operations.files import WriteFile
from palpo_installer.operations.passing import RemoveWritten
from palpo_installer.operations.rests import RemoveRest, WriteRest
from palpo_installer.plan import make
from palpo_installer.proxies.adapters import adapter
from palpo_installer.session import Session, begin, given, inputs_of
from tests.lab import load
from tests.lab.attacked_changes import EARLIER, Scene, files, unhurried
from tests.lab.attacked_engine import break_down, hasten
from tests.lab.attacked_kinds import ROWS, STORED_BY_PROGRAMS, Kind, attacked_step, last_activation, rows_of
from tests.lab.attacked_proxies import DONE, NOT_PUT_BACK, PROXIES
from tests.lab.attacked_run import Moment, ProxyProcess, Run
from tests.lab.attacks import ATTACKS, HANGING, KILLED, Attack, is_full, telling, trying
from tests.lab.judging import Judge, named
from tests.lab.services import RULES
from tests.lab.snapshots import BELOW, SCAN, WITHOUT, Snapshot, differences, parse
from tests.system_calls import watch

STATE = "/var/lib/palpo-installer"
CERTIFICATES = ("/etc/palpo-installer/acme", "/etc/palpo-installer/self-signed", f"{STATE}/ledger.jsonl")
KEPT = (
    *CERTIFICATES,
    f"{STATE}/runs",
    f"{STATE}/lock",
    f"{STATE}/certbot",
    "/etc/palpo-installer/keys",
    "/var/lib/nginx",
)
"""What taking back leaves, and what a proxy writes by itself."""


@dataclass(frozen=True)
class Result:
    """How a case ended.

    Attributes:
        row: what was attacked.
        attack: how.
        code: how the engine ended.
        state: ``before``, ``complete``, or what is neither.
        calls: how many calls the run, or its rollback, made at its steps.
        beside: how many others.
        seconds: how long all of it took.
        wrong: everything that is not as promised.
    """

    row: str
    attack: str
    code: int
    state: str
    calls: int
    beside: int
    seconds: float
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """The state of the host; ``lines`` are the open sockets, the neighbour's answers, the packet filter's rules."""

    files: Snapshot
    lines: tuple[list[str], ...]


class Attacker:
    """A host on which runs are attacked."""

    def __init__(self, answers: str) -> None:
        self.host = Host()
        resolved = given(self.host, Path(answers), ())
        self.session: Session = begin(self.host, resolved)
        self.proxy = PROXIES[self.session.resolved.answers.proxy]
        for path, data in files(self.proxy).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o640)
        self.proxy.empty.mkdir(mode=0o750, exist_ok=True)
        if not self.proxy.linked.is_symlink():
            self.proxy.linked.symlink_to(EARLIER)
            os.chown(self.proxy.linked, 1, 60, follow_symlinks=False)
        inputs = inputs_of(begin(self.host, resolved))
        successor = inputs.facts.proxy(self.proxy.successor)
        assert successor is not None
        self.scene = Scene(make(inputs), self.proxy, (successor, adapter(successor).service))
        self.process = ProxyProcess(self.proxy)
        assert self.unattacked == frozenset(), "its plan has kinds of operations that are not attacked"
        launch.register(Plan((), (), (), (), ()), {}, self.host.layout)
        Path("/etc/palpo-installer").mkdir(mode=0o700, exist_ok=True)
        self.before = self.seen()

    @property
    def unattacked(self) -> frozenset[Kind]:
        """The kinds of operations and activations in the proxy's own plan that no row of it attacks."""
        changes = self.scene.plan.changes
        found: set[Kind] = {type(each) for change in changes for each in change.operations}
        found |= {type(change.activation) for change in changes if change.activation is not None}
        return frozenset(found - {ROWS[name].kind for name in rows_of(self.proxy)})

    def seen(self) -> Seen:
        """Return the state of the host now."""
        scan = [sys.executable, "-I", "-c", SCAN, *BELOW, "--", *WITHOUT, *KEPT]
        files = subprocess.run(scan, check=True, capture_output=True, text=True).stdout
        sockets = sorted({f"{socket.address}:{socket.port}" for socket in self.host.listening()})
        rules = subprocess.run(["sh", "-c", RULES], check=True, capture_output=True, text=True).stdout.splitlines()
        return Seen(parse(files), (sockets, load.answers(), rules))

    def attack(self, row: str, name: str, attack: Attack) -> Result:
        """Attack a run of the plan of a row, recover where it was killed, and compare."""
        began, kind = time.monotonic(), ROWS[row].kind
        changes = ROWS[row].changes(self.scene)
        ends = self.proxy.ends.get(name, attack.ends)
        if attack.place not in {trying, telling} or not ends & NOT_PUT_BACK:
            changes = tuple(map(unhurried, changes))
        plan = replace(self.scene.plan, changes=changes, rests_on=())
        identity = self.registered(plan)
        directory = self.host.layout.runs / identity
        run = Run(self.proxy, directory, attacked_step(plan, kind), last_activation(plan), self.second)
        judge = Judge(run, attack)
        wrong: list[str] = []
        work = partial(self.carry_on, identity, self.faults(run, kind, attack, ends))
        if attack.later:
            if code := in_child(work):
                wrong.append(f"the run that is to be rolled back ended with {code}: {last_words(directory)}")
            work = partial(self.roll_back, identity)
        with run.ends:
            code = watch(work, judge)
        wrong += [] if run.struck else ["the attack never came"]
        starved = kind in STORED_BY_PROGRAMS and attack.afterwards is is_full
        if code not in (ends | NOT_PUT_BACK if starved else ends):
            wrong.append(f"the engine ended with {code}: {last_words(directory)}")
        if any(other != 7 for other in run.answers):
            wrong.append(f"another run ended with {run.answers}, not 7")
        if name in self.proxy.restarted:
            wrong += self.process.start_anew()
        if past_run(directory).result in {"interrupted", "not-put-back"}:
            wrong += self.recover(identity, again=attack.again, right=0 if attack.later else 1)
        if attack.deadly or name in self.proxy.deadly:
            wrong += self.process.start_anew()
        state = self.judged(plan, identity, wrong)
        self.forget()
        seconds = round(time.monotonic() - began, 1)
        return Result(row, name, code, state, run.calls, run.beside, seconds, tuple(wrong))

    def registered(self, plan: Plan) -> str:
        """Register a run and return its id."""
        return launch.register(plan, self.session.resolved.secrets, self.host.layout)

    def second(self) -> int:
        """Start another run, as somebody else would, and return its exit code."""
        identity = self.registered(Plan((), (), (), (), ()))
        return in_child(lambda: Engine(Host()).carry_on(identity))

    def faults(self, run: Run, kind: Kind, attack: Attack, ends: frozenset[int]) -> Callable[[], None]:
        """Return what makes an engine one that is attacked; waiting is short where what is awaited cannot come."""
        if attack.raises:
            return partial(break_down, kind, run.step)
        commands = {trying: self.proxy.test, telling: self.proxy.told}
        if attack.place not in commands or ends & DONE:
            return sound
        return partial(hasten, run.service, commands[attack.place] if attack.deed in HANGING else None)

    @staticmethod
    def carry_on(identity: str, faults: Callable[[], None]) -> int:
        """Be the engine of a run, with its faults."""
        quietly()
        faults()
        engine = Engine(Host())
        engine.listen_to_signals()
        return engine.carry_on(identity)

    @staticmethod
    def roll_back(identity: str) -> int:
        """Be the engine of a rollback."""
        quietly()
        return Engine(Host()).roll_back(identity, refuse_edits)

    def recover(self, identity: str, *, again: bool, right: int) -> list[str]:
        """Take back a run that was cut off; ``again`` is killed first at what it takes back; ``right`` is its end."""
        if again:
            directory = self.host.layout.runs / identity
            judge = Judge(
                Run(self.proxy, directory, "", "", self.second), replace(ATTACKS["killed before"], place=undoing)
            )
            code = watch(partial(self.carry_on, identity, sound), judge)
            if not judge.run.struck:
                # There was nothing to take back.
                return [] if code == right else [f"the recovery ended with {code}"]
            if code not in KILLED:
                return [f"the recovery was not killed, and ended with {code}"]
        code = in_child(partial(self.carry_on, identity, sound))
        return [] if code == right else [f"the recovery ended with {code}"]

    def judged(self, plan: Plan, identity: str, wrong: list[str]) -> str:
        """Return in which state the host is, and note what is in neither; a complete change is rolled back."""
        result = past_run(self.host.layout.runs / identity).result
        if result == "applied":
            wrong += self.incomplete(plan, identity)
            code = in_child(partial(self.roll_back, identity))
            wrong += [] if code == 0 else [f"the rollback ended with {code}"]
        elif result not in {"taken-back", "never began", "rolled-back"}:
            wrong.append(f"the run is {result}: {past_run(self.host.layout.runs / identity).problems}")
        now = self.seen()
        for path, pair in differences(self.before.files, now.files).items():
            wrong.append(f"{path}: {pair}")
        for then, since in zip(self.before.lines, now.lines, strict=True):
            wrong += difflib.unified_diff(then, since, "before", "now", n=0, lineterm="")
        return "complete" if result == "applied" else "before"

    def incomplete(self, plan: Plan, identity: str) -> list[str]:
        """Return what of a run that says it is complete is not."""
        directory = self.host.layout.runs / identity
        count = sum(len(change.operations) for change in plan.changes)
        with EventFile(directory / "events.jsonl") as events, Engine(self.host)._open(directory, events) as opened:
            steps = [(step.operation, opened.progress.prepared[step.name]) for step in opened.begun]
            wrong = [one for one, record in steps if one.observe(opened.bench, record) is not State.AFTER]
        # What a later step of the same run removes is gone by then.
        gone = {one.rest.path for one, _ in steps if isinstance(one, RemoveRest)}
        gone |= {one.path for one, _ in steps if isinstance(one, RemoveWritten)}
        written = {id(one): one.rest.path for one in wrong if isinstance(one, WriteRest)}
        written |= {id(one): one.path for one in wrong if isinstance(one, WriteFile)}
        missing = [str(one) for one in wrong if written.get(id(one)) not in gone]
        return missing if len(steps) == count else [f"{len(steps)} of {count} operations were made", *missing]

    def forget(self) -> None:
        """Forget certificates and what the ledger knows, so that the next run is as long as the first one."""
        for path in map(Path, CERTIFICATES):
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)


def last_words(directory: Path) -> str:
    """Return what a run said was wrong, and its last word."""
    events, _ = parse_events((directory / "events.jsonl").read_bytes())
    return " / ".join(each.text for each in (*(e for e in events if e.kind == "problem"), *events[-1:])) or "nothing"


def undoing(_run: Run, moment: Moment, _call: object) -> bool:
    """At the first call by which something is taken back."""
    return moment.after == "undoing" or moment.record == "undone"


def sound() -> None:
    """Leave an engine as it is."""


def quietly() -> None:
    """Say nothing of errors that are meant; the results tell how it ended."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def in_child(work: Callable[[], int]) -> int:
    """Do something in a child and return how it ended."""
    if (pid := os.fork()) == 0:
        status = 70
        try:
            quietly()
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    """Carry out the cases that the arguments name."""
    answers, *cases = sys.argv[1:]
    attacker = Attacker(answers)
    for case in cases:
        row, _, attack = case.partition(":")
        result = attacker.attack(row, attack, named(attack))
        print(json.dumps(asdict(result)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
