"""The engine killed, out of space, forbidden or lied to at every place, on the real nginx: the host is as before."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable

import pytest

from tests.lab import ways
from tests.lab.hosts import CHECKOUT, ThrowAwayHost
from tests.lab.load_on_neighbour import load_on_the_neighbour
from tests.lab.running import until
from tests.lab.services import Authority

ENGINE = str(CHECKOUT / "tests/lab/faulty_engine.py")


def engine(host: ThrowAwayHost, *arguments: str) -> int:
    """Run the faulty engine and return how it ended."""
    return host.run([host.python, ENGINE, *arguments], timeout=180).returncode


def register(host: ThrowAwayHost) -> tuple[str, int]:
    """Make a run of the answers; return its id and the number of its records."""
    identity = host.output([host.python, ENGINE, "register", ways.ANSWERS], timeout=180).strip()
    return identity, int(host.output([host.python, ENGINE, "count", identity], timeout=180))


def killed_and_recovered(host: ThrowAwayHost, identity: str, last: int) -> None:
    """Kill the engine of a run right after a number of records, and let the next start take it back."""
    assert engine(host, "kill", identity, str(last)) not in {0, 1, 5}, last
    recovered = host.tool("recover")
    assert recovered.returncode == 0, (last, recovered.stdout + recovered.stderr)


def hold_8448(host: ThrowAwayHost) -> None:
    """Let another program listen on port 8448 of one address."""
    script = "import socket\ns = socket.create_server(('198.18.0.10', 8448))\nwhile True: s.accept()"
    host.start([host.python, "-c", script])
    host.until_listening(8448)


def forget_certificates(host: ThrowAwayHost) -> None:
    """Let the next plan be as long as the first one."""
    host.output(["rm", "-rf", "/etc/palpo-installer"])


def steps(host: ThrowAwayHost, identity: str) -> list[str]:
    """Return the steps of a run as its journal calls them."""
    plan = json.loads(host.read(f"/var/lib/palpo-installer/runs/{identity}/plan.json"))
    operations = sum(len(change["operations"]) for change in plan["changes"])
    activations = [f"activation {n}" for n, change in enumerate(plan["changes"]) if change["activation"]]
    return [*map(str, range(operations)), *activations]


def kills(host: ThrowAwayHost, places: Iterable[int], tell: Callable[[object], None]) -> int:
    """Kill an engine after each number of records; return how many of them were recovered from as promised."""
    before, neighbours, count = host.snapshot(), ways.neighbour_answers(host), 0
    with load_on_the_neighbour(host) as load:
        for last in places:
            identity, _ = register(host)
            killed_and_recovered(host, identity, last)
            assert ways.untouched(before, host) == {}, last
            forget_certificates(host)
            count += 1
    tell(f"killed and recovered {count} times; neighbour, {load.phases[-1]}")
    assert load.failures == 0
    assert ways.neighbour_answers(host) == neighbours
    return count


@pytest.mark.slow
def test_killed_after_every_record(nginx: ThrowAwayHost, tell: Callable[[object], None]) -> None:
    """SIGKILL right after each single record: recover brings back the host, the neighbour answers throughout."""
    ways.prepare(nginx, None, "srv")
    _, records = register(nginx)
    forget_certificates(nginx)
    assert kills(nginx, range(1, records), tell) == records - 1


def test_killed_with_an_order_under_way(nginx: ThrowAwayHost, acme: Authority) -> None:
    """SIGKILL right after the record before an order: the host is as before, and what was ordered is used later."""
    host = nginx
    ways.prepare(host, acme, "srv")
    before = host.snapshot()
    identity, _ = register(host)
    order = len(steps(host, identity)) + 2 * 4 + 1
    assert engine(host, "kill", identity, str(order)) != 0
    recovered = host.tool("recover")
    assert recovered.returncode == 0, recovered.stdout
    assert ways.untouched(before, host) == {}
    assert host.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 0
    assert ways.ledger_orders(host) == 2


@pytest.mark.slow
@pytest.mark.parametrize("error", ["ENOSPC", "EACCES"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_error_at_every_act(nginx: ThrowAwayHost, tell: Callable[[object], None], error: str, when: str) -> None:
    """ENOSPC or EACCES at each act, before or after its work: taken back at once, with the reason."""
    host = nginx
    ways.prepare(host, None, "srv")
    before = host.snapshot()
    identity, _ = register(host)
    places = steps(host, identity)
    with load_on_the_neighbour(host) as load:
        for step in places:
            assert engine(host, "fail", identity, step, when, error) == 1, step
            assert ways.untouched(before, host) == {}, step
            forget_certificates(host)
            identity, _ = register(host)
    tell(f"{len(places)} acts, {error} {when} each; neighbour, {load.phases[-1]}")
    assert load.failures == 0


def test_a_full_disk(nginx: ThrowAwayHost) -> None:
    """A file system without space for our files: said so, and not even a dot name is left."""
    host = nginx
    ways.prepare(host, None, "srv")
    directory = "/etc/nginx/sites-available"
    host.output(["sh", "-c", f"cp -a {directory} /run/kept && mount -t tmpfs -o size=16k tmpfs {directory}"])
    host.output(["sh", "-c", f"cp -a /run/kept/. {directory}"])
    before = host.snapshot()
    failed = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert failed.returncode == 1
    assert "No space left on device" in failed.stdout
    assert ways.untouched(before, host) == {}


def test_a_port_that_is_taken_is_named_before_anything_is_written(nginx: ThrowAwayHost) -> None:
    """8448 held by another program on one address: the plan is refused and names the program."""
    host = nginx
    ways.prepare(host, None, "srv")
    hold_8448(host)
    before = host.snapshot()
    refused = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert refused.returncode == 1
    assert "198.18.0.10:8448 (IPv4) is held by python" in refused.stderr
    assert host.snapshot() == before


def test_a_port_that_is_taken_in_the_meantime_takes_the_change_back(nginx: ThrowAwayHost) -> None:
    """Nginx says 0 to test and reload and keeps the old configuration: noticed, taken back, the holder named."""
    host = nginx
    ways.prepare(host, None, "srv")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    identity, _ = register(host)
    hold_8448(host)
    assert engine(host, "kill", identity, "1000000") == 1
    history = host.tool("history").stdout
    assert "8448" in history
    assert "python" in history
    assert ways.untouched(before, host) == {}
    assert ways.neighbour_answers(host) == neighbours


def test_an_error_in_another_sites_file(nginx: ThrowAwayHost) -> None:
    """A line that nginx would refuse, in a file that is not ours, is named; the running nginx is left alone."""
    host = nginx
    ways.prepare(host, None, "well-known")
    identity, _ = register(host)
    # Valid for a parser, refused by nginx: a certificate that is not there.
    host.output(["sed", "-i", "s#neighbour.key#missing.key#", "/etc/nginx/sites-available/neighbour"])
    before = host.snapshot()
    refused = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert refused.returncode in {1, 5}
    assert "missing.key" in refused.stdout + refused.stderr
    assert ways.untouched(before, host) == {}
    assert "the neighbour, over TLS" in ways.neighbour_answers(host)[2]
    assert identity


def test_a_ca_that_refuses(nginx: ThrowAwayHost, acme: Authority) -> None:
    """A proof that the CA cannot fetch: its words are told, everything is taken back, and the ledger counts."""
    host = nginx
    host.write("/etc/hosts", "127.0.0.1 localhost\n")
    ways.prepare(host, acme, "well-known")
    before = host.snapshot()
    acme.running.stop()
    down = host.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert down.returncode == 1
    assert acme.directory in down.stdout + down.stderr
    assert ways.untouched(before, host) == {}


def test_ctrl_c_asks_the_engine_to_take_back(nginx: ThrowAwayHost) -> None:
    """SIGINT in the middle of apply: the engine takes back, the viewer waits for it and ends with 1."""
    host = nginx
    ways.prepare(host, None, "srv")
    before = host.snapshot()
    running = host.start([*host.command, "apply", "--answers", ways.ANSWERS, "--yes"])
    until(lambda: "\n  done  " in running.said() or not running.alive, "the first thing done")
    running.signal(signal.SIGINT)
    ended = running.wait()
    assert ended.returncode == 1, ended.stdout
    assert "stopped on request" in ended.stdout
    assert ways.untouched(before, host) == {}


@pytest.mark.parametrize(
    "ending",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_closed_viewer_changes_nothing(nginx: ThrowAwayHost, ending: signal.Signals) -> None:
    """The end of the viewer in the middle of apply: the engine goes on to the end, and attach shows it."""
    host = nginx
    ways.prepare(host, None, "srv")
    running = host.start([*host.command, "apply", "--answers", ways.ANSWERS, "--yes"])
    journal = "/var/lib/palpo-installer/runs/0001/journal.jsonl"
    until(lambda: host.exists(journal) or not running.alive, "the engine")
    running.signal(ending)
    attached = host.tool("attach")
    assert attached.returncode == 0, attached.stdout
    assert "Done." in attached.stdout
    assert ("0.0.0.0", 8448) in host.listening()
