from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer import services
from palpo_installer.errors import HostError, TimedOut
from palpo_installer.host import Command, Host
from palpo_installer.services import Service
from tests.scripted import ScriptedHost

UNIT = Service(name="nginx", manager="systemd", unit="nginx.service")
CONTAINER = Service(name="palpo", manager="container", container="palpo", runtime="podman")


@contextmanager
def by_hand(directory: Path) -> Iterator[tuple[Service, subprocess.Popen[bytes]]]:
    """Run a program of its own name, started by hand, with its number in a file."""
    program = directory / "sleeper"
    shutil.copy("/bin/sleep", program)
    pid_file = directory / "sleeper.pid"
    process = subprocess.Popen([program, "60"])
    pid_file.write_text(f"{process.pid}\n")
    try:
        yield Service("sleeper", "direct", argv=(str(program),), pid_file=pid_file), process
    finally:
        process.kill()
        process.wait()


def test_each_manager_is_told_in_its_own_words() -> None:
    """Systemctl with the unit, the runtime with the container, the program itself with its arguments."""
    direct = Service("nginx", "direct", argv=("/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"))
    assert str(services.reload_command(UNIT)) == "systemctl reload nginx.service"
    assert str(services.restart_command(CONTAINER)) == "podman restart palpo"
    assert str(services.start_command(direct)) == "/usr/sbin/nginx -c /etc/nginx/nginx.conf"
    assert str(services.reload_command(direct)) == "/usr/sbin/nginx -c /etc/nginx/nginx.conf -s reload"
    assert services.reload_command(UNIT, 7).timeout == 7


def test_what_nobody_manages_cannot_be_restarted() -> None:
    """There is no command to make up; the person is told."""
    with pytest.raises(HostError, match="nothing manages palpo"):
        services.restart_command(Service("palpo", "direct"))


def test_a_failing_command_tells_what_it_said() -> None:
    """The last lines, the command, and where to look."""
    host = ScriptedHost(lambda _: "!Job failed.\nSee the journal.")
    with pytest.raises(HostError, match=r"status 1: Job failed\. / See the journal\.") as failure:
        services.carry_out(host, UNIT, services.reload_command(UNIT))
    assert failure.value.where == "systemctl reload nginx.service"
    assert "journalctl -u nginx.service" in failure.value.next


def test_a_hanging_reload_is_ended_by_its_control_process() -> None:
    """The job ends with that process, so nothing else is done; the main process is not touched."""
    host = ScriptedHost(lambda command: None if " reload " in command else "")
    with pytest.raises(TimedOut):
        services.carry_out(host, UNIT, services.reload_command(UNIT))
    assert host.commands[1:] == ["systemctl kill --kill-who=control --signal=KILL nginx.service"]


def test_a_job_without_a_control_process_is_cancelled() -> None:
    """The unit waits for its main process to say that it reloaded."""

    def answer(command: str) -> str | None:
        if " reload " in command:
            return None
        return "!No control process to kill" if " kill " in command else "Job=126\nActiveState=reloading\n"

    host = ScriptedHost(answer)
    with pytest.raises(TimedOut):
        services.carry_out(host, UNIT, services.reload_command(UNIT))
    assert host.commands[-1] == "systemctl cancel 126"


@pytest.mark.parametrize(
    ("state", "runs"),
    [("active", True), ("reloading", True), ("activating", True), ("inactive", False), ("failed", False)],
)
def test_a_unit_runs_in_these_states(state: str, runs: bool) -> None:
    """A unit that crashes and is started again counts as running: somebody wants it to."""
    host = ScriptedHost(lambda _: f"MainPID=0\nActiveState={state}\nUnitFileState=disabled\n")
    assert services.is_active(host, UNIT) is runs
    assert services.has_failed(host, UNIT) is (state == "failed")
    assert services.main_process(host, UNIT) is None


@pytest.mark.parametrize(("state", "enabled"), [("enabled", True), ("disabled", False), ("static", None), ("", None)])
def test_only_some_units_can_be_enabled(state: str, enabled: bool | None) -> None:
    """Static, masked and missing ones are not ours to enable; without a unit there is nothing to ask."""
    host = ScriptedHost(lambda _: f"UnitFileState={state}\n")
    assert services.is_enabled(host, UNIT) is enabled
    assert services.is_enabled(host, CONTAINER) is None


@pytest.mark.parametrize(("said", "pid"), [("4711\n", 4711), ("0\n", None), ("!no such container", None)])
def test_a_container_runs_by_its_main_process(said: str, pid: int | None) -> None:
    """The runtime knows it; 0 is a container that is stopped."""
    host = ScriptedHost(lambda _: said)
    assert services.main_process(host, CONTAINER) == pid
    assert services.is_active(host, CONTAINER) is (pid is not None)


def test_what_was_started_by_hand_is_found_and_stopped(tmp_path: Path) -> None:
    """By its file; SIGTERM needs no configuration that loads."""
    with by_hand(tmp_path) as (service, process):
        assert services.main_process(Host(), service) == process.pid
        services.stop(Host(), service, limit=10)
        assert not services.is_active(Host(), service)
        services.stop(Host(), service, limit=10)


def test_what_was_just_started_is_waited_for_until_it_has_written_its_number(tmp_path: Path) -> None:
    """A daemon does so after the command that started it has returned; what has ended is not waited for."""
    # No other test has a process of this name.
    program, pid_file = tmp_path / f"late-{os.getpid()}", tmp_path / "late.pid"
    shutil.copy("/bin/sleep", program)
    service = Service(program.name, "direct", pid_file=pid_file)
    with subprocess.Popen([program, "600"]) as process:
        try:
            assert not services.is_active_soon(Host(), service, within=0)
            late = threading.Timer(0.1, pid_file.write_text, [str(process.pid)])
            late.start()
            assert services.is_active_soon(Host(), service, within=60)
            late.join()
        finally:
            process.kill()
    pid_file.unlink()
    assert not services.is_active_soon(Host(), service, within=600)


def test_what_writes_its_number_nowhere_is_found_by_its_command_line(tmp_path: Path) -> None:
    """The program with the word behind it, and not the same program that only asks for something."""
    shutil.copy("/bin/sh", tmp_path / "standing-in")
    for word in ("run", "reload"):
        (tmp_path / word).write_text("read line\n")
    service = Service("standing-in", "direct", searched="run")
    assert services.main_process(Host(), service) is None
    with ExitStack() as stack:
        started = [
            stack.enter_context(subprocess.Popen([tmp_path / "standing-in", word], cwd=tmp_path, stdin=subprocess.PIPE))
            for word in ("reload", "run")
        ]
        try:
            assert services.main_process(Host(), service) == started[1].pid
        finally:
            for each in started:
                each.kill()


def test_an_old_file_with_another_programs_number_is_not_believed(tmp_path: Path) -> None:
    """That process is left alone."""
    with by_hand(tmp_path) as (service, process):
        other = replace(service, name="nginx")
        assert services.main_process(Host(), other) is None
        services.stop(Host(), other, limit=1)
        assert process.poll() is None


def test_a_program_beside_its_unit_is_told_apart(tmp_path: Path) -> None:
    """The unit's main process is another one or none: the unit cannot reload what it did not start."""
    with by_hand(tmp_path) as (service, process):
        unit = replace(service, manager="systemd", unit="sleeper.service")
        stopped = ScriptedHost(lambda _: "MainPID=0\nActiveState=inactive\n")
        assert services.as_running(stopped, unit).manager == "direct"
        its_own = ScriptedHost(lambda _: f"MainPID={process.pid}\nActiveState=active\n")
        assert services.as_running(its_own, unit) == unit
    assert services.as_running(stopped, unit) == unit


def test_a_real_command_is_bounded() -> None:
    """It is killed at its limit; nothing of systemd is asked for what was started by hand."""
    with pytest.raises(TimedOut):
        services.carry_out(Host(), Service("sleep", "direct"), Command(("sleep", "30"), timeout=0.2))
