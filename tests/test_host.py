"""The door to the machine: real files, real commands, real sockets."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from palpo_installer.errors import HostError, TimedOut
from palpo_installer.host import SEARCH_PATH, Command, Host
from palpo_installer.layout import Layout
from tests.lab.running import until

HOST = Host()
PYTHON = sys.executable


def said(script: str, *arguments: str, timeout: float = 20.0) -> str:
    """Return what a Python program prints when the host runs it."""
    return HOST.run(Command((PYTHON, "-c", script, *arguments), timeout=timeout)).stdout


def test_a_missing_file_is_none_and_an_unreadable_one_an_error(tmp_path: Path) -> None:
    """Nothing there, also below a file, is no error; a directory, a named pipe or a loop of links is."""
    (tmp_path / "file").write_bytes(b"\xff")
    assert HOST.read(tmp_path / "file") == b"\xff"
    assert HOST.read(tmp_path / "none") is None
    assert HOST.read(tmp_path / "file" / "below") is None
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "loop"):
        with pytest.raises(HostError, match="cannot be read") as raised:
            HOST.read(path)
        assert raised.value.where == str(path)
        assert HOST.text(path) is None


def test_text_replaces_what_is_no_text(tmp_path: Path) -> None:
    """A stray byte does not hide the rest of a file."""
    (tmp_path / "file").write_bytes(b"caf\xe9\n")
    assert HOST.text(tmp_path / "file") == "caf\ufffd\n"
    assert HOST.text(tmp_path / "none") is None


def test_a_digest_follows_links(tmp_path: Path) -> None:
    """The bytes behind a link count; nothing there is the empty digest."""
    (tmp_path / "file").write_text("abc")
    (tmp_path / "link").symlink_to("file")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert HOST.digest(tmp_path / "link") == HOST.digest(tmp_path / "file") == expected
    assert HOST.digest(tmp_path / "none") == ""


def test_names_and_status(tmp_path: Path) -> None:
    """Names are sorted, a missing directory has none; the status is that of a link itself."""
    for name in ("b", "a"):
        (tmp_path / name).write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert HOST.names(tmp_path) == ("a", "b", "dangling")
    assert HOST.names(tmp_path / "none") == HOST.names(tmp_path / "a") == ()
    assert HOST.status(tmp_path / "dangling") is not None
    assert HOST.status(tmp_path / "none") is None


def test_programs_are_searched_where_the_system_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever our own PATH says: without sbin in it nginx would seem to be missing."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert HOST.which("sh") is not None
    assert HOST.which("no-such-program") is None


def test_a_command_says_its_status_and_both_outputs() -> None:
    """A status other than 0 is an answer; bytes that are no text are replaced."""
    script = "import sys; sys.stdout.buffer.write(b'out\\xff'); print('err', file=sys.stderr); sys.exit(3)"
    completed = HOST.run(Command((PYTHON, "-c", script)))
    assert (completed.status, completed.stdout, completed.stderr) == (3, "out\ufffd", "err\n")


def test_a_command_gets_a_built_environment_and_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours leaks into it: not our variables, directory or terminal; no shell reads its words."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid")
    script = "import os, sys; print(sorted(os.environ), os.environ['PATH'], os.getcwd(), repr(sys.stdin.read()))"
    assert said(script).strip() == f"['LC_ALL', 'PATH'] {SEARCH_PATH} / ''"
    assert said("import os; print(os.getsid(0) == os.getpid())").strip() == "True"
    assert said("import sys; print(sys.argv[1])", "$(id); * >x").strip() == "$(id); * >x"
    given = Command((PYTHON, "-c", "import os; print(os.environ['MORE'])"), environment={"MORE": "yes"})
    assert HOST.run(given).stdout == "yes\n"


def test_a_time_limit_ends_the_children_too(tmp_path: Path) -> None:
    """Of a command that hangs nothing goes on afterwards, and the error names it with its limit."""
    note = tmp_path / "pids"
    script = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}')\n"
        "child.wait()\n"
    )
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"did not end within 1 seconds") as raised:
        said(script, str(note), timeout=1.0)
    assert time.monotonic() - began < 5
    assert raised.value.where.startswith(PYTHON)
    for pid in map(int, note.read_text().split()):
        until(partial(has_ended, pid), f"the end of process {pid}")


def has_ended(pid: int) -> bool:
    """Return whether a process is gone, or only waits to be counted; a killed one takes a moment for it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_daemon_that_keeps_the_pipes_does_not_hold_us_up() -> None:
    """One that left the group survives the limit, and we go on all the same."""
    script = (
        "import subprocess, sys\n"
        "daemon = subprocess.Popen(['sleep', '4'], start_new_session=True)\n"
        "print(daemon.pid, flush=True)\n"
    )
    began = time.monotonic()
    with pytest.raises(TimedOut):
        said(script, timeout=0.3)
    assert time.monotonic() - began < 3.9


def test_a_daemon_that_a_command_leaves_behind_can_go_on_writing(tmp_path: Path) -> None:
    """It is not waited for, and what it says goes nowhere."""
    place = tmp_path / "pid"
    script = 'sleep 60 & echo $! >"$0"'
    ended = Host().run(Command(("sh", "-c", script, str(place)), timeout=20.0, daemon=True))
    assert (ended.status, ended.stdout, ended.stderr) == (0, "", "")
    left = psutil.Process(int(place.read_text()))
    try:
        assert {Path(f"/proc/{left.pid}/fd/{number}").readlink() for number in (1, 2)} == {Path("/dev/null")}
    finally:
        left.kill()


@pytest.mark.parametrize("program", ["no-such-program", "/etc", "/no/such/file"])
def test_a_missing_program_is_an_error_with_its_command(program: str) -> None:
    """Also one that is no program at all; never a traceback of the operating system's error."""
    with pytest.raises(HostError, match="cannot be started") as raised:
        HOST.run(Command((program, "--option")))
    assert raised.value.where == f"{program} --option"


def test_a_command_is_searched_in_the_systems_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``which`` finds is what runs."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert HOST.run(Command(("true",))).status == 0


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_listening_sockets_are_listed_with_their_owner(family: socket.AddressFamily, address: str) -> None:
    """A socket of ours is there as long as it listens, in both families; one that only connects is not."""
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        with socket.create_connection((address, port)) as client:
            found = {(each.address, each.port): each.pid for each in HOST.listening()}
            assert found[address, port] == os.getpid()
            assert (address, client.getsockname()[1]) not in found
    assert (address, port) not in {(each.address, each.port) for each in HOST.listening()}


def test_a_process_that_is_gone_is_none() -> None:
    """Ours is there; the number of one that ended is nobody."""
    process = HOST.process(os.getpid())
    assert process is not None
    assert process.pid == os.getpid()
    gone = int(said("import os; print(os.getpid())"))
    assert HOST.process(gone) is None


def test_root_is_told_from_others() -> None:
    """Only user 0 may see and change everything."""
    assert HOST.is_root == (os.geteuid() == 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_private_copy_is_its_owners() -> None:
    """Without root one's own copy may be changed, and neither somebody else's nor an ordinary directory's host."""
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        os.chown(ours, 65534, 65534)
        os.seteuid(65534)
        try:
            found = [Host(Layout(Path(path), private=own)).is_root for path in (ours, theirs) for own in (True, False)]
        finally:
            os.seteuid(0)
    assert found == [True, False, False, False]
