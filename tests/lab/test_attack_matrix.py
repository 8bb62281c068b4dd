"""Every kind of operation meets every attack, on the real nginx: as before, or complete; neighbours answered."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence

import pytest

from tests import system_calls
from tests.lab import services, ways
from tests.lab.attacked_kinds import ELSEWHERE, FORMER, FORMER_PORT, FORMER_SITE, ROWS, kinds
from tests.lab.attacks import ATTACKS, KILLED_AT, named
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.lab.load_on_neighbour import load_on_the_neighbour
from tests.lab.services import Authority

pytestmark = pytest.mark.skipif(not system_calls.is_possible(), reason="system calls are filtered on x86-64 only")

Case = tuple[str, str]
Tell = Callable[[object], None]

PATIENT = ("a reload that is done and hangs", "a reload that does nothing")
"""Attacks whose every case takes long, and of whose sort there is a quicker one."""

NAMES = [kind.__name__ for kind in kinds() if kind in ROWS]
MATRIX: list[Case] = [(kind, attack) for kind in NAMES for attack in ATTACKS]


@pytest.fixture
def attacked(nginx: ThrowAwayHost, acme: Authority) -> ThrowAwayHost:
    """A host behind ufw whose nginx serves a neighbour and a site that may be withdrawn."""
    ways.prepare(nginx, acme, "srv")
    nginx.write(str(FORMER_SITE), FORMER)
    services.reload_nginx(nginx)
    nginx.until_listening(FORMER_PORT)
    services.start_ufw(nginx, FORMER_PORT)
    return nginx


def diagonal() -> list[Case]:
    """Return cases in which every kind and every quick attack comes at least once."""
    attacks = [name for name in ATTACKS if name not in PATIENT]
    return [(NAMES[n % len(NAMES)], attacks[n % len(attacks)]) for n in range(max(len(NAMES), len(attacks)))]


def attack(host: ThrowAwayHost, cases: Sequence[Case]) -> list[dict[str, object]]:
    """Carry out cases on a host, one after the other, and return how each ended."""
    named = [f"{kind}:{attack}" for kind, attack in cases]
    program = [host.python, "-m", "tests.lab.attacker", ways.ANSWERS, *named]
    ended = host.run(program, environment={"PYTHONPATH": str(CHECKOUT)}, timeout=60 + 15 * len(cases))
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def survives(host: ThrowAwayHost, cases: Sequence[Case], tell: Tell) -> None:
    """Check all cases, and that the neighbour answered every request but where nginx itself was killed."""
    neighbours = ways.neighbour_answers(host)
    gentle = [case for case in cases if not named(case[1]).deadly]
    with load_on_the_neighbour(host) as load:
        results = attack(host, gentle)
    deadly = [case for case in cases if named(case[1]).deadly]
    if deadly:
        results += attack(host, deadly)
    states = [result["state"] for result in results]
    met, attacks = ({case[position] for case in cases} for position in (0, 1))
    ends = f"{states.count('before')} as before, {states.count('complete')} complete and then rolled back"
    tell(f"{len(met)} kinds, {len(attacks)} attacks, {len(results)} cases: {ends}")
    for phase in load.phases:
        tell(f"neighbour, {phase}")
    wrong = [f"{each['kind']}, {each['attack']}: {each['wrong']}" for each in results if each["wrong"]]
    assert not wrong, "\n".join(wrong)
    assert len(results) == len(cases)
    assert load.failures == 0
    assert ways.neighbour_answers(host) == neighbours


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: str(kind.__name__))
def test_every_kind_is_attacked(kind: type) -> None:
    """What a plan may do to a host has a row in the matrix, or a test elsewhere that is there and is about it."""
    assert (kind in ROWS) is not (kind in ELSEWHERE), (
        f"{kind.__name__} needs one row in tests/lab/attacked_kinds.py: in ROWS, or in ELSEWHERE"
    )
    if kind in ELSEWHERE:
        module, _, test = ELSEWHERE[kind].partition(".")
        found = importlib.import_module(f"tests.lab.{module}")
        assert callable(getattr(found, test))
        assert getattr(found, kind.__name__) is kind


def test_each_kind_and_each_attack_once(attacked: ThrowAwayHost, tell: Tell) -> None:
    """Killed, refused, out of space, lied to, or told to stop: taken back or complete, never half."""
    survives(attacked, diagonal(), tell)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
def test_every_attack_on_a_kind(attacked: ThrowAwayHost, tell: Tell, kind: str) -> None:
    """One row of the matrix on one host."""
    survives(attacked, [case for case in MATRIX if case[0] == kind], tell)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RemoveFile", "ConfigurePalpo", "ProbeChallenge", "EditLines", "WithdrawProxy"])
def test_killed_at_every_call(attacked: ThrowAwayHost, tell: Tell, kind: str) -> None:
    """SIGKILL at each single system call by which a run changes something, from the first to the last record."""
    (whole,) = attack(attacked, [(kind, "SIGHUP")])
    calls = whole["calls"]
    assert isinstance(calls, int)
    survives(attacked, [(kind, f"{KILLED_AT}{number}") for number in range(calls)], tell)
