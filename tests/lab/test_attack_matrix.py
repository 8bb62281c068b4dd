"""Every kind of operation meets every attack, on each real proxy: as before, or complete; neighbours answered."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain

import pytest

from tests import system_calls
from tests.lab import services, ways
from tests.lab.attacked_kinds import ELSEWHERE, ROWS, kinds, rows_of
from tests.lab.attacked_proxies import FORMER_PORT, NGINX, PROXIES, AttackedProxy
from tests.lab.attacks import ATTACKS, telling, trying
from tests.lab.conformance import rows
from tests.lab.conformance.served import neighboured, prepare
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.lab.judging import named
from tests.lab.load_on_neighbour import Load, load_on_the_neighbour
from tests.lab.running import until

pytestmark = pytest.mark.skipif(not system_calls.is_possible(), reason="system calls are filtered on x86-64 only")

Case = tuple[str, str]
Tell = Callable[[object], None]

HOSTS = 2
"""On how many the cases of a test are carried out at once."""

PATIENT = ("a reload that is done and hangs", "a main process that is stopped")
"""Attacks whose every case takes long, and of whose sort there is a quicker one."""

OTHERS = [kind for kind in PROXIES if kind != NGINX.kind]
CALLED = {row.kind: row for row in rows.ROWS}
MATRIX = [(proxy.kind, row) for proxy in PROXIES.values() for row in rows_of(proxy)]


@contextmanager
def attacked(proxy: AttackedProxy) -> Iterator[ThrowAwayHost]:
    """Give a host behind ufw whose proxy serves a neighbour and a site that may be withdrawn; another one is there."""
    row = CALLED[proxy.kind]
    with neighboured(row) as (host, authority):
        prepare(row, host, authority, "srv")
        host.output(["sh", "-c", f"{PROXIES[proxy.successor].lonely}; {proxy.prepared}"])
        host.write(str(proxy.place("former")), proxy.text("former", FORMER_PORT))
        host.output(proxy.reload)
        host.until_listening(FORMER_PORT)
        asked = ["curl", "--silent", "--head", f"http://former.example.org:{FORMER_PORT}/"]
        asked += ["--resolve", f"former.example.org:{FORMER_PORT}:198.18.0.10"]
        until(lambda: "the former port" in host.run(asked).stdout, "the site that may be withdrawn")
        services.start_ufw(host, FORMER_PORT)
        yield host


def sample(proxy: AttackedProxy) -> list[Case]:
    """Return some cases: with nginx every row and every quick attack comes at least once.

    With each of the others comes every quick attack on the proxy itself, and a third of those on the engine, which is
    the same program whatever the proxy: all three together have all of them, and every row, in other pairs than nginx.
    """
    quick, names = [name for name in ATTACKS if name not in PATIENT], rows_of(proxy)
    if proxy is NGINX:
        count = max(len(names), len(quick))
        return [(names[n % len(names)], quick[n % len(quick)]) for n in range(count)]
    number = OTHERS.index(proxy.kind)
    own = [name for name in quick if ATTACKS[name].place in {trying, telling}]
    engine = [name for name in quick if name not in own][number :: len(OTHERS)]
    thirds = [[name for name in [*ROWS][third::3] if name in names] for third in (number, (number + 1) % 3)]
    return list(zip(chain(*thirds), (*own, *engine), strict=False))


def attack(host: ThrowAwayHost, cases: Sequence[Case]) -> list[dict[str, object]]:
    """Carry out cases on a host, one after the other, and return how each ended."""
    named = [f"{row}:{attack}" for row, attack in cases]
    program = [host.python, "-m", "tests.lab.attacker", ways.ANSWERS, *named]
    ended = host.run(program, environment={"PYTHONPATH": str(CHECKOUT)}, timeout=60 + 120 * len(cases))
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def survives(proxy: AttackedProxy, cases: Sequence[Case], tell: Tell) -> None:
    """Check all cases, on some hosts at once: most of the time is waiting for answers."""
    deadly = [case for case in cases if named(case[1]).deadly or case[1] in proxy.deadly]
    others = [case for case in cases if case not in deadly]
    # They come on one host, since the attacker starts anew for them.
    parts = [(others[number::HOSTS], deadly if number else []) for number in range(HOSTS)]
    with ThreadPoolExecutor(HOSTS) as pool:
        checks = [pool.submit(survives_on_a_host, proxy, *part, tell) for part in parts if any(part)]
    for check in checks:
        check.result()


def survives_on_a_host(proxy: AttackedProxy, others: Sequence[Case], deadly: Sequence[Case], tell: Tell) -> None:
    """Check cases, and that the neighbour answered every request but where the proxy itself was killed."""
    cases = [*others, *deadly]
    with attacked(proxy) as host:
        neighbours = ways.neighbour_answers(host)
        with load_on_the_neighbour(host) as load:
            results = attack(host, others)
        if deadly:
            results += attack(host, deadly)
        states = [result["state"] for result in results]
        met, attacks = ({case[position] for case in cases} for position in (0, 1))
        ends = f"{states.count('before')} as before, {states.count('complete')} complete and then rolled back"
        tell(f"{proxy.kind}: {len(met)} rows, {len(attacks)} attacks, {len(results)} cases: {ends}")
        for phase in load.phases:
            tell(f"{proxy.kind}: neighbour, {phase}")
        wrong = [f"{each['row']}, {each['attack']}: {each['wrong']}" for each in results if each["wrong"]]
        assert not wrong, "\n".join(wrong)
        assert len(results) == len(cases)
        assert_answered(proxy, load, len(cases))
        assert ways.neighbour_answers(host) == neighbours


def assert_answered(proxy: AttackedProxy, load: Load, cases: int) -> None:
    """Check that no request failed; where a reload may reset a new connection, not more than one for each case did."""
    if not proxy.resets:
        assert load.failures == 0
        return
    reasons = [reason for phase in load.phases for reason in phase.reasons]
    assert [reason for reason in reasons if not reason.startswith("new ") or "reset by peer" not in reason] == []
    assert load.failures <= cases


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: str(kind.__name__))
def test_every_kind_is_attacked(kind: type) -> None:
    """What a plan may do to a host has a row in the matrix, or a test elsewhere that is there and is about it."""
    attacked = {row.kind for row in ROWS.values()}
    assert (kind in attacked) is not (kind in ELSEWHERE), (
        f"{kind.__name__} needs one row in tests/lab/attacked_kinds.py: in ROWS, or in ELSEWHERE"
    )
    if kind in ELSEWHERE:
        module, _, test = ELSEWHERE[kind].partition(".")
        found = importlib.import_module(f"tests.lab.{module}")
        assert callable(getattr(found, test))
        assert getattr(found, kind.__name__) is kind


def test_every_proxy_is_attacked() -> None:
    """Each that the conformance suite has, and so each that the installer offers."""
    assert PROXIES.keys() == CALLED.keys()


@pytest.mark.parametrize(
    "proxy",
    [PROXIES["nginx"], *(pytest.param(PROXIES[kind], marks=pytest.mark.slow) for kind in OTHERS)],
    ids=lambda proxy: proxy.kind,
)
def test_a_sample_of_the_matrix(proxy: AttackedProxy, tell: Tell) -> None:
    """Killed, refused, out of space, lied to, or told to stop: taken back or complete, never half."""
    survives(proxy, sample(proxy), tell)


def test_the_samples_miss_nothing() -> None:
    """Of the other proxies too each row and each quick attack comes at least once."""
    cases = [case for kind in OTHERS for case in sample(PROXIES[kind])]
    assert {row for row, _ in cases} == {row for kind in OTHERS for row in rows_of(PROXIES[kind])}
    assert {attack for _, attack in cases} == {*ATTACKS} - {*PATIENT}


@pytest.mark.slow
@pytest.mark.parametrize(("proxy", "row"), MATRIX)
def test_every_attack_on_a_kind(tell: Tell, proxy: str, row: str) -> None:
    """One row of the matrix on one host."""
    survives(PROXIES[proxy], [(row, attack) for attack in ATTACKS], tell)


@pytest.mark.slow
@pytest.mark.parametrize("row", ["RemoveFile", "ConfigurePalpo", "ProbeChallenge", "EditLines", "WithdrawProxy"])
def test_killed_at_every_call(tell: Tell, row: str) -> None:
    """SIGKILL at each single system call by which a run changes something, from the first to the last record."""
    with attacked(NGINX) as host:
        (whole,) = attack(host, [(row, "left alone")])
    survives(NGINX, [(row, f"killed at call {number}") for number in range(int(str(whole["calls"])))], tell)


@pytest.mark.slow
@pytest.mark.parametrize("of", ["", "a rollback "], ids=["run", "rollback"])
def test_killed_at_every_call_beside(tell: Tell, of: str) -> None:
    """SIGKILL where the engine keeps its books: secrets, events, locks, the sign of an open run, what is forgotten."""
    with attacked(NGINX) as host:
        (whole,) = attack(host, [("RemoveFile", f"{of}left alone")])
    calls = range(int(str(whole["beside"])))
    survives(NGINX, [("RemoveFile", f"{of}killed beside call {number}") for number in calls], tell)


@pytest.mark.slow
@pytest.mark.parametrize("row", ["RemoveFile", "EditLines"])
def test_a_rollback_killed_at_every_call(tell: Tell, row: str) -> None:
    """As the run itself, from the first file that is made ready to the last record."""
    with attacked(NGINX) as host:
        (whole,) = attack(host, [(row, "a rollback left alone")])
    survives(NGINX, [(row, f"a rollback killed at call {number}") for number in range(int(str(whole["calls"])))], tell)
