"""Attacks on the whole way: concurrent commands, torn files, full disks, edits and changed answers in between."""

from __future__ import annotations

import re

import pytest

from tests.lab import services, ways
from tests.lab.hosts import ADDRESS4, CHECKOUT, ThrowAwayHost
from tests.lab.running import Running, until

ENGINE = str(CHECKOUT / "tests/lab/faulty_engine.py")
SITES = "/etc/nginx/sites-available"
PLAIN, TLS = f"{SITES}/zz-palpo-installer-http.conf", f"{SITES}/zz-palpo-installer-tls.conf"
STATE = "/var/lib/palpo-installer"
HOLD = """
import fcntl, signal, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
signal.pause()
"""
CHANGE = ("--set", "homeserver.max_upload_size=20MiB")
WITHOUT_END = """
import errno, sys
from palpo_installer.engine.journal import Journal
from palpo_installer.engine.process import Engine
from palpo_installer.host import Host
append = Journal.append
def fail(journal, record):
    if record.kind == "end" and record.data["result"] == "applied":
        raise OSError(errno.ENOSPC, "No space left on device")
    append(journal, record)
Journal.append = fail
sys.exit(Engine(Host()).carry_on(sys.argv[1]))
"""
TORN_RESTAGE = """
import os, sys
from palpo_installer.operations import replacement
def torn(path, data, state):
    path.write_bytes(data[: len(data) // 2])
    os.kill(os.getpid(), 9)
replacement.write_new = torn
from palpo_installer.engine.process import Engine
from palpo_installer.engine.rollback import refuse_edits
from palpo_installer.host import Host
sys.exit(Engine(Host()).roll_back(sys.argv[1], refuse_edits))
"""
FILLED_JOURNAL = """
import subprocess, sys
from pathlib import Path
from palpo_installer.engine.journal import Journal, Record, read
path = Path("/mnt/journal.jsonl")
journal, written = Journal(path), 0
try:
    while True:
        journal.append(Record("acting", str(written), {"path": "x" * 100}))
        written += 1
except OSError:
    subprocess.run(["mount", "-o", "remount,size=1m", "/mnt"], check=True)
journal.append(Record("undone", "0"))
assert len(read(path)) == written + 1, (len(read(path)), written)
"""


def apply(host: ThrowAwayHost, *more: str) -> str:
    """Apply the answers of the host, or those in force with changes; return what was said."""
    answers = more or ("--answers", ways.ANSWERS)
    applied = host.tool("apply", *answers, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    return applied.stdout


def script(host: ThrowAwayHost, text: str, *arguments: str) -> int:
    """Run a Python script on the host and return how it ended."""
    host.write("/run/attack.py", text)
    return host.run([host.python, "/run/attack.py", *arguments]).returncode


def hold(host: ThrowAwayHost, path: str) -> Running:
    """Hold a kernel lock on a file."""
    host.output(["mkdir", "-p", path.rpartition("/")[0]])
    running = host.start([host.python, "-c", HOLD, path])
    until(lambda: "held" in running.said(), f"the lock on {path}")
    return running


def begun(host: ThrowAwayHost) -> Running:
    """Start an apply and wait for the first thing done."""
    running = host.start([*host.command, "apply", "--answers", ways.ANSWERS, "--yes"])
    until(lambda: "\n  done  " in running.said() or not running.alive, "the first thing done")
    return running


@pytest.mark.parametrize("command", ["apply --yes", "renew", "recover", "rollback --yes"])
def test_a_second_command_does_not_end_the_first_one(nginx: ThrowAwayHost, command: str) -> None:
    """While a run is at work others end with 7, do not call it cut off, and its own viewer sees it to its end."""
    ways.prepare(nginx, None, "well-known")
    first = begun(nginx)
    engine = nginx.process("palpo_installer run 0001")
    # On a machine under load the first run would be over before the second command has looked.
    engine.suspend()
    second = nginx.tool(*command.split())
    engine.resume()
    assert second.returncode == 7, second.stdout + second.stderr
    assert "cut off" not in second.stdout
    ended = first.wait()
    assert ended.returncode == 0, ended.stdout
    assert "Done." in ended.stdout


def test_a_renewed_certificate_is_served_also_where_the_site_was_edited(nginx: ThrowAwayHost) -> None:
    """A comment in our TLS file does not keep nginx from taking up the certificate that renew brought."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    before = ways.served(nginx, ADDRESS4, 443, "matrix.example.com")
    nginx.output(["sed", "-i", "1i # mine", TLS])
    nginx.output(["rm", "-r", "/etc/palpo-installer/self-signed/matrix.example.com"])
    renewed = nginx.tool("renew")
    assert "issued again" in renewed.stdout
    assert renewed.returncode == 0, renewed.stdout
    assert ways.served(nginx, ADDRESS4, 443, "matrix.example.com") != before


def test_a_rollback_that_could_not_be_finished_can_be_done_again(nginx: ThrowAwayHost) -> None:
    """Files that were read-only during a rollback are named, and go as soon as it is asked for again."""
    ways.prepare(nginx, None, "well-known")
    before = nginx.snapshot()
    apply(nginx)
    nginx.output(["sh", "-c", f"mount --bind {SITES} {SITES} && mount -o remount,bind,ro {SITES}"])
    assert nginx.tool("rollback", "--yes").returncode == 5
    nginx.output(["umount", SITES])
    again = nginx.tool("rollback", "--yes")
    assert again.returncode == 0, again.stdout
    assert ways.untouched(before, nginx) == {}


def test_a_rollback_killed_while_it_writes_leaves_no_half_file_to_be_used(nginx: ThrowAwayHost) -> None:
    """SIGKILL in the middle of writing the earlier file beside the new one: the next rollback writes it anew."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    first = nginx.read(TLS)
    apply(nginx, *CHANGE)
    assert script(nginx, TORN_RESTAGE, "0002") != 0
    assert nginx.tool("rollback", "--yes").returncode == 0
    assert nginx.read(TLS) == first
    assert nginx.output(["find", "/etc", "-name", ".palpo-installer-*"]) == ""


def test_a_run_whose_end_cannot_be_recorded_is_not_called_done(nginx: ThrowAwayHost) -> None:
    """Without its last record a run is one that was cut off, so it must be taken back now and not by the timer."""
    ways.prepare(nginx, None, "well-known")
    before = nginx.snapshot()
    identity = nginx.output([nginx.python, ENGINE, "register", ways.ANSWERS]).strip()
    assert script(nginx, WITHOUT_END, identity) == 1
    assert ways.untouched(before, nginx) == {}


def test_a_journal_on_a_full_disk_stays_readable(host: ThrowAwayHost) -> None:
    """A record of which the disk took only a part is no record, also when others follow once there is space."""
    host.output(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "/mnt"])
    assert script(host, FILLED_JOURNAL) == 0


def test_a_neighbour_that_changed_since_does_not_spoil_a_rollback(nginx: ThrowAwayHost) -> None:
    """A site that its owner changed an hour after the run is compared with itself, not with what it was."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    nginx.output(["sed", "-i", "s/return 200/return 404/", f"{SITES}/neighbour"])
    services.reload_nginx(nginx)
    until(lambda: " 404 " in ways.neighbour_answers(nginx)[0], "the neighbour's new answer")
    rolled_back = nginx.tool("rollback", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout


def test_a_rollback_of_several_runs_stops_at_an_edit_before_it_begins(nginx: ThrowAwayHost) -> None:
    """An edit in a file of the oldest run stops the rollback while the newer runs are still in force."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    apply(nginx, *CHANGE)
    nginx.output(["sed", "-i", "$a # mine", "/etc/cron.d/palpo-installer"])
    before = nginx.snapshot(without=(STATE,))
    assert nginx.tool("rollback", "1", "--yes").returncode == 1
    assert nginx.snapshot(without=(STATE,)) == before


def test_a_discarded_edit_that_ends_in_a_refusal_leaves_the_run_in_force(nginx: ThrowAwayHost) -> None:
    """A rollback that is refused for want of space touched nothing, and nothing takes the run back later."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    apply(nginx, *CHANGE)
    nginx.output(["sed", "-i", "1i # mine", TLS])
    full = "mkdir /run/kept && cp -a /etc/palpo/. /run/kept && mount -t tmpfs -o size=8k tmpfs /etc/palpo"
    fill = "cp -a /run/kept/. /etc/palpo && { cat /dev/zero >/etc/palpo/fill || true; }"
    nginx.output(["sh", "-c", f"{full} && {fill}"])
    assert nginx.tool("rollback", "--yes", "--discard-edits").returncode == 1
    assert re.search(r"0002 .* applied", nginx.tool("history").stdout)


def test_no_secret_stays_behind_where_an_engine_found_the_lock_taken(nginx: ThrowAwayHost) -> None:
    """What was handed to an engine that could not begin is gone with it."""
    ways.prepare(nginx, None, "well-known")
    hold(nginx, f"{STATE}/lock")
    assert nginx.tool("apply", "--answers", ways.ANSWERS, "--yes").returncode == 7
    assert ways.finds(nginx, ways.DATABASE_PASSWORD, [STATE]) == []


def test_recovery_waits_for_an_order_that_is_still_being_made(nginx: ThrowAwayHost) -> None:
    """As long as a certbot of a killed engine is at work, port 80 goes on serving its proof."""
    ways.prepare(nginx, None, "well-known")
    identity = nginx.output([nginx.python, ENGINE, "register", ways.ANSWERS]).strip()
    records = int(nginx.output([nginx.python, ENGINE, "count", identity]))
    assert nginx.run([nginx.python, ENGINE, "kill", identity, str(records // 3 + 8)]).returncode != 0
    assert nginx.exists(PLAIN)
    certbot = hold(nginx, f"{STATE}/certbot/lines.jsonl")
    recovery = nginx.start([*nginx.command, "recover"])
    until(lambda: "order" in recovery.said() or not recovery.alive, "the wait for the order")
    assert recovery.alive
    assert nginx.exists(PLAIN)
    certbot.stop()
    assert recovery.wait().returncode == 0
    assert not nginx.exists(PLAIN)


def test_runs_that_did_nothing_do_not_cost_the_way_back(nginx: ThrowAwayHost) -> None:
    """Ten runs that never began or were taken back leave the copies of a run that is in force alone."""
    ways.prepare(nginx, None, "well-known")
    before = nginx.snapshot()
    apply(nginx)
    nginx.output(["sh", "-c", f"for n in $(seq 2 12); do mkdir -p {STATE}/runs/00$(printf %02d $n)/copies; done"])
    apply(nginx, *CHANGE)
    rolled_back = nginx.tool("rollback", "1", "--yes")
    assert rolled_back.returncode == 0, rolled_back.stdout
    assert ways.untouched(before, nginx) == {}


def test_a_finished_run_of_another_version_stops_nothing(nginx: ThrowAwayHost) -> None:
    """The format of a run that is over matters to its own rollback only, not to plan, renew and history."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    apply(nginx, *CHANGE)
    nginx.output(["sed", "-i", '1s/"format":1/"format":0/', f"{STATE}/runs/0001/journal.jsonl"])
    for command, code in (("plan --exit-code", 0), ("history", 0), ("renew", 0)):
        ended = nginx.tool(*command.split())
        assert ended.returncode == code, ended.stdout + ended.stderr


def test_a_hand_edited_setting_of_palpo_wins_over_an_answer_that_did_not_change(nginx: ThrowAwayHost) -> None:
    """What a person set in palpo.toml since stays when a later run is about something else."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    nginx.output(["sed", "-i", "s/^allow_registration = false/allow_registration = true/", "/etc/palpo/palpo.toml"])
    apply(nginx, *CHANGE)
    assert "allow_registration = true" in nginx.read("/etc/palpo/palpo.toml")


def test_edited_saved_answers_and_what_is_served_stay_together(nginx: ThrowAwayHost) -> None:
    """After an apply with other answers the saved ones, which the timer reads, are those that are served."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    nginx.output(["sed", "-i", "1i # mine", "/etc/palpo-installer/answers.toml"])
    nginx.output(["sed", "-i", "s/matrix.example.com/four.example.com/", ways.ANSWERS])
    nginx.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert nginx.tool("plan", "--exit-code").returncode == 0


@pytest.mark.parametrize("place", [STATE, "/var", "/etc"])
def test_a_place_that_cannot_be_written_is_one_sentence_and_exit_code_1(nginx: ThrowAwayHost, place: str) -> None:
    """A read-only or full file system is told as what it is: nothing was changed, so nothing is left to put back."""
    ways.prepare(nginx, None, "well-known")
    nginx.output(["mkdir", "-p", place])
    nginx.output(["sh", "-c", f"mount --bind {place} {place} && mount -o remount,bind,ro {place}"])
    refused = nginx.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert "Traceback" not in refused.stderr
    assert "Read-only file system" in refused.stdout + refused.stderr
    assert refused.returncode == 1


def test_render_does_not_write_over_the_host(nginx: ThrowAwayHost) -> None:
    """``render --output /`` is refused: its files hold placeholders where palpo.toml holds secrets."""
    ways.prepare(nginx, None, "well-known")
    apply(nginx)
    before = nginx.snapshot()
    assert nginx.tool("render", "--output", "/").returncode == 2
    assert nginx.snapshot() == before


def test_sigterm_takes_back(nginx: ThrowAwayHost) -> None:
    """An engine that is asked to end, as at a shutdown, takes back what it began."""
    ways.prepare(nginx, None, "well-known")
    before = nginx.snapshot()
    running = begun(nginx)
    nginx.process("palpo_installer run 0001").terminate()
    assert running.wait().returncode == 1
    assert ways.untouched(before, nginx) == {}


def test_changed_answers_change_only_what_they_must_and_can_be_taken_back(nginx: ThrowAwayHost) -> None:
    """From srv to well-known port 8448 closes; the rollback of that run opens it again, byte for byte."""
    ways.prepare(nginx, None, "srv")
    apply(nginx)
    applied, sockets = nginx.snapshot(without=(STATE,)), nginx.listening()
    plain = nginx.output(["stat", "-c", "%i", PLAIN])
    apply(nginx, "--set", "federation.delegation=well-known")
    assert nginx.output(["stat", "-c", "%i", PLAIN]) == plain
    assert 8448 not in {port for _, port in nginx.listening()}
    assert nginx.tool("rollback", "2", "--yes").returncode == 0
    assert nginx.snapshot(without=(STATE,)) == applied
    assert nginx.listening() == sockets


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("ln -s /srv/palpo.toml /etc/palpo/palpo.toml", "is a link"),
        ("mkdir /etc/palpo/palpo.toml", "is a directory"),
        ("mkfifo /etc/palpo/palpo.toml", "/etc/palpo/palpo.toml: is"),
        ("echo 'server_name =' >/etc/palpo/palpo.toml", "line 1"),
        ("echo 'server_name = \"example.net\"' >/etc/palpo/palpo.toml", "example.net"),
        ("printf '# caf\\351\\n' >/etc/palpo/palpo.toml", "not UTF-8"),
    ],
)
def test_a_palpo_toml_that_cannot_be_used_is_named(nginx: ThrowAwayHost, made: str, said: str) -> None:
    """What stands in the way of palpo.toml is named before anything is written."""
    ways.prepare(nginx, None, "well-known")
    nginx.output(["sh", "-c", f"mkdir -p /etc/palpo && {made}"])
    before = nginx.snapshot()
    refused = nginx.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert refused.returncode == 1
    assert said in refused.stderr
    assert nginx.snapshot() == before
