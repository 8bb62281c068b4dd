"""Uninstall on the real nginx: the host is as before the first run, but for what stays and is named."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from tests.lab import services, ways
from tests.lab.booted import BootedHost
from tests.lab.hosts import ADDRESS4, CHECKOUT, LabHost, ThrowAwayHost
from tests.lab.load_on_neighbour import load_on_the_neighbour
from tests.lab.services import Authority
from tests.lab.snapshots import differences
from tests.lab.taking_back import STATE, STAYS, left, taken_back, uninstall
from tests.lab.test_booted_apply import install_palpo
from tests.lab.test_faults import engine

SITES = "/etc/nginx/sites-available"
TLS = f"{SITES}/zz-palpo-installer-tls.conf"
PALPO = "/etc/palpo/palpo.toml"
REGISTRATION = ("--set", "homeserver.registration=open")


def apply(host: LabHost, *more: str) -> None:
    """Apply the answers of the host, or those in force with changes."""
    applied = host.tool("apply", *(more or ("--answers", ways.ANSWERS)), "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr


def told(said: str) -> list[str]:
    """Return what a review says that stays."""
    section = said.partition("What stays, and why\n")[2].partition("\n  wait")[0]
    return [line.partition(": ")[0].strip() for line in section.splitlines() if line.startswith("  ")]


def test_all_runs_are_taken_back_and_what_stays_is_told(nginx: ThrowAwayHost, acme: Authority) -> None:
    """After two sets of answers the host is byte for byte as before the first, neighbours noticed nothing.

    What stays is exactly what the review says, a second time there is nothing to do, and applying again orders nothing.
    """
    host = nginx
    ways.prepare(host, acme, "well-known")
    before, neighbours = host.snapshot(), ways.neighbour_answers(host)
    apply(host)
    apply(host, "--set", "federation.delegation=srv", *REGISTRATION)
    assert ("0.0.0.0", 8448) in host.listening()
    orders = ways.ledger_orders(host)
    with load_on_the_neighbour(host) as load:
        said = uninstall(host)
    assert load.failures == 0
    assert ways.neighbour_answers(host) == neighbours
    assert 8448 not in {port for _, port in host.listening()}
    stays = {"/etc/palpo-installer/acme", "/etc/palpo-installer/keys", f"{STATE}/ledger.jsonl"}
    assert left(before, host) == stays
    assert set(told(said)) == stays | {"/var/log/palpo-installer"}
    assert host.output(["ls", "-A", STATE]).split() == ["ledger.jsonl"]
    assert host.tool("uninstall").stdout.startswith("Nothing is installed here")
    apply(host)
    assert ways.ledger_orders(host) == orders


@pytest.mark.slow
def test_an_edited_file_stops_it_unless_the_edit_is_given_up(nginx: ThrowAwayHost) -> None:
    """It is named and nothing is changed; with --discard-edits a copy for root alone is left, and is told."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    apply(host)
    host.output(["sed", "-i", "1i # mine", TLS])
    installed = host.snapshot()
    stopped = host.tool("uninstall", "--yes")
    assert stopped.returncode == 1
    assert f"{TLS} was edited by hand" in stopped.stdout
    assert host.snapshot() == installed
    said = uninstall(host, "--discard-edits")
    copy = f"{STATE}/edited/etc-nginx-sites-available-zz-palpo-installer-tls.conf"
    assert copy in said
    assert host.read(copy).startswith("# mine\n")
    assert host.output(["stat", "--format=%a", copy, f"{STATE}/edited"]).split() == ["600", "700"]
    assert left(before, host) == STAYS | {f"{STATE}/edited"}


@pytest.mark.slow
def test_somebody_elses_palpo_toml_comes_back(nginx: ThrowAwayHost) -> None:
    """With its bytes, mode and owner, as long as nobody edited it since; an edited one stays, with our values named."""
    host = nginx
    ways.prepare(host, None, "well-known")
    host.write(PALPO, '# mine\nserver_name = "example.com"\nmine = 1\n', 0o640)
    host.output(["chown", "daemon:games", PALPO])
    before = host.snapshot()
    apply(host)
    apply(host, *REGISTRATION)
    host.output(["sh", "-c", f"cp -a {PALPO} /run/kept && sed -i 's/^mine = 1/mine = 2/' {PALPO}"])
    edited = host.tool("uninstall", text="n\n").stdout
    assert f"{PALPO}: was edited by hand. What palpo-installer set in it: " in edited
    assert "allow_registration" in edited
    host.output(["cp", "-a", "/run/kept", PALPO])
    said = taken_back(host, "uninstall", before)
    assert "put back /etc/palpo/palpo.toml as it was before" in said
    assert ways.DATABASE_PASSWORD not in said


@pytest.mark.slow
def test_a_palpo_that_runs_keeps_its_file(nginx: ThrowAwayHost) -> None:
    """What we created and Palpo answers with stays, with the reason, and Palpo goes on answering."""
    host = nginx
    ways.prepare(host, None, "well-known")
    apply(host)
    ways.start_palpo(host)
    said = uninstall(host)
    assert f"{PALPO}: Palpo runs with it, at 127.0.0.1:8008, and it holds the server's name and its signing key" in said
    assert "versions" in ways.fetch(host, "http://127.0.0.1:8008/_matrix/client/versions")
    assert host.exists(PALPO)


@pytest.mark.parametrize("hours", [0, pytest.param(7, marks=pytest.mark.slow)])
def test_an_nginx_that_was_stopped_is_stopped_unless_others_may_rely_on_it(host: ThrowAwayHost, hours: int) -> None:
    """Within hours of the first run it is as it was; later, with another site on it, it goes on, and that is told."""
    services.configure_nginx(host)
    ways.prepare(host, None, "srv")
    before = host.snapshot()
    apply(host)
    journal = f"{STATE}/runs/0001/journal.jsonl"
    script = "import re, sys; p = sys.argv[1]; t = open(p).read(); older = lambda m: f'\"at\":{float(m[1]) - 3600 * H}'"
    script = script.replace("H}", f"{hours}}}") + "; open(p, 'w').write(re.sub(r'\"at\":([0-9.]+)', older, t))"
    host.output([host.python, "-c", script, journal])
    said = taken_back(host, "uninstall", before)
    ports = {port for _, port in host.listening()}
    assert 8448 not in ports
    assert ({80, 443} <= ports) is bool(hours)
    if hours:
        assert "It was stopped before run 0001" in said
        assert f"{SITES.replace('available', 'enabled')}/" in said
    else:
        assert "nginx was stopped before run 0001, and that is so again." in said


@pytest.mark.parametrize("broken", ["missing certificate", pytest.param("syntax", marks=pytest.mark.slow)])
def test_a_configuration_that_somebody_else_broke_is_named_and_nothing_is_lost(
    nginx: ThrowAwayHost, broken: str
) -> None:
    """Nginx goes on with all that it served, our files are there, and once it is mended uninstall goes through."""
    host = nginx
    ways.prepare(host, None, "well-known")
    before = host.snapshot()
    apply(host)
    neighbour, kept = f"{SITES}/neighbour", "/run/neighbour"
    expression = "s#neighbour.key#missing.key#" if broken == "missing certificate" else "$a }"
    host.output(["sh", "-c", f"cp -a {neighbour} {kept} && sed -i '{expression}' {neighbour}"])
    installed, answers = host.snapshot(without=(STATE,)), ways.neighbour_answers(host)
    failed = host.tool("uninstall", "--yes")
    assert failed.returncode == 1, failed.stdout
    assert "/neighbour:" in failed.stdout + failed.stderr or "missing.key" in failed.stdout
    assert host.snapshot(without=(STATE,)) == installed
    assert ways.neighbour_answers(host) == answers
    assert ways.served(host, ADDRESS4, 443, "matrix.example.com")
    host.output(["cp", "-a", kept, neighbour])
    taken_back(host, "uninstall", before)


def kills(host: ThrowAwayHost, every: int) -> int:
    """Kill an uninstall after each so many records; return how many ended as before it, or else as before all."""
    ways.prepare(host, None, "srv")
    before = host.snapshot()
    apply(host)
    installed, neighbours = host.snapshot(without=(STATE,)), ways.neighbour_answers(host)
    register = [host.python, str(CHECKOUT / "tests/lab/faulty_engine.py"), "register-removal"]
    identity = host.output(register).strip()
    records = int(host.output([*register[:-1], "count", identity]))
    places: Iterable[int] = (*range(1, records, every), records)
    count = 0
    with load_on_the_neighbour(host) as load:
        for last in places:
            assert engine(host, "kill", identity, str(last)) not in {0, 1, 5}, last
            if last < records:
                assert host.tool("recover").returncode == 0, last
                assert differences(installed, host.snapshot(without=(STATE,))) == {}, last
                assert "matrix.example.com" in ways.fetch(host, "http://matrix.example.com/")
                identity = host.output(register).strip()
            count += 1
        # All was taken back and proven; the next start deletes the history.
        assert host.exists(f"{STATE}/runs/0001/journal.jsonl")
        assert host.tool("uninstall").stdout.startswith("Nothing is installed here")
    assert left(before, host) == STAYS
    assert not host.exists(STATE)
    assert load.failures == 0
    assert ways.neighbour_answers(host) == neighbours
    return count


def test_killed_at_some_records(nginx: ThrowAwayHost) -> None:
    """SIGKILL in the middle ends, at the next start, as before the uninstall; after its last record, as before all."""
    assert kills(nginx, 18) >= 3


@pytest.mark.slow
def test_killed_after_every_record(nginx: ThrowAwayHost) -> None:
    """SIGKILL right after each single record of an uninstall."""
    assert kills(nginx, 1) > 30


@pytest.mark.slow
def test_after_twelve_runs_the_first_bytes_come_back(nginx: ThrowAwayHost) -> None:
    """The copies of ten runs are kept, and of older ones only what was somebody else's."""
    host = nginx
    ways.prepare(host, None, "well-known")
    host.write(PALPO, '# mine\nserver_name = "example.com"\n')
    before = host.snapshot()
    apply(host)
    for size in range(20, 31):
        apply(host, "--set", f"homeserver.max_upload_size={size}MiB")
    earlier = host.output(["find", f"{STATE}/runs/0001", f"{STATE}/runs/0002", "-path", "*/*s/*", "-type", "f"])
    assert earlier.count("/originals/") == 1
    taken_back(host, "uninstall", before)


@pytest.mark.slow
@pytest.mark.booted
@pytest.mark.parametrize("mine", [False, True])
def test_under_systemd(booted: BootedHost, booted_acme: Authority, mine: bool) -> None:
    """No unit, timer or link of one is left; Palpo is restarted with its earlier file, or keeps ours if it needs it."""
    host = booted
    install_palpo(host)
    ways.prepare(host, booted_acme, "srv")
    if mine:
        # What a person wrote who runs Palpo already: the same server, told by its key.
        apply(host)
        host.output(["systemctl", "enable", "--now", "palpo"])
        host.until_listening(8008)
        host.output(["sh", "-c", f"cp -a {PALPO} /root/mine && sed -i '$a # mine' /root/mine"])
        host.output(["cp", "-a", "/root/mine", PALPO])
        uninstall(host)
    before = host.snapshot()
    apply(host)
    apply(host, *REGISTRATION)
    host.output(["systemctl", "enable", "--now", "palpo"])
    host.until_listening(8008)
    pid = host.output(["systemctl", "show", "--property=MainPID", "palpo"])
    said = uninstall(host)
    assert host.run(["systemctl", "cat", "palpo-installer-renew.timer"]).returncode != 0
    assert host.output(["systemctl", "is-system-running"]).strip() == "running"
    assert host.output(["systemctl", "is-active", "nginx", "palpo"]).split() == ["active", "active"]
    restarted = host.output(["systemctl", "show", "--property=MainPID", "palpo"]) != pid
    assert restarted is mine
    if mine:
        assert left(before, host) == set()
        return
    assert f"{PALPO}: Palpo runs with it" in said
    stays = {"/etc/palpo-installer/acme", "/etc/palpo-installer/keys", f"{STATE}/ledger.jsonl", "/etc/palpo"}
    assert left(before, host) - {"/etc/systemd/system/multi-user.target.wants/palpo.service"} == stays
    assert json.dumps(told(said)).count("palpo.toml") == 1
