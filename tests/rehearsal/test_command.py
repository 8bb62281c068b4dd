"""``palpo-installer rehearse``: exit codes, both forms of the report, without root, and what it leaves of a host."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import FunctionLoader

from palpo_installer.commands.rehearsing import rehearse, stopping_as_by_keyboard
from palpo_installer.errors import AnswersError, RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies import templates
from palpo_installer.serialization import load
from palpo_installer.verify import Report
from tests.commands.invoking import ANSWERS, AS_ANOTHER, CHECKOUT, NOBODY, answers, as_root, invoke
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs
from tests.lab.snapshots import BELOW
from tests.planning.made import OfflineHost
from tests.recorded import recorded
from tests.trees import tree


@pytest.fixture
def root() -> Iterator[Path]:
    """The files of a recorded host, and answers, where everybody can read them."""
    require_programs("nginx")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o755)
        recorded("nginx_stopped", path)
        # Said outright: what else runs on this machine decides where nothing is said.
        (path / "answers.toml").write_text(f'{ANSWERS}\n[proxy]\nkind = "nginx"\n')
        yield path


@pytest.fixture
def files(root: Path) -> Host:
    """The host of these files, for the real nginx of this machine."""
    return OfflineHost(Layout(root))


def test_promises_that_are_kept_are_exit_0(files: Host, root: Path) -> None:
    """In words and as JSON; the host's files are as before."""
    before = tree(root)
    said = invoke(rehearse, files, "--answers", root / "answers.toml")
    assert (said.code, said.error) == (0, None)
    assert re.search(r"^pass +request targets: matrix.example.com:443$", said.output, re.MULTILINE)
    assert "0 FAIL" in said.output
    made = load(invoke(rehearse, files, "--answers", root / "answers.toml", "--json").output, Report)
    assert "answers" in {check.name for check in made.checks}
    assert not made.failures
    assert tree(root) == before


def test_a_broken_promise_is_exit_6(files: Host, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a changed template: the promise is named, in both forms."""
    sound = templates.environment()

    def source(name: str) -> str:
        text = sound.loader.get_source(sound, name)[0] if sound.loader else ""
        return text.replace('add_header Access-Control-Allow-Origin "";', "add_header Access-Control-Allow-Origin *;")

    changed = sound.overlay(loader=FunctionLoader(source))
    monkeypatch.setattr(templates, "environment", lambda: changed)
    said = invoke(rehearse, files, "--answers", root / "answers.toml")
    assert (said.code, said.error) == (6, None)
    assert re.search(r"^FAIL +answers: matrix.example.com:443$", said.output, re.MULTILINE)
    assert "A promise would be broken: answers of the homeserver" in " ".join(said.output.split())
    said = invoke(rehearse, files, "--answers", root / "answers.toml", "--json")
    assert said.code == 6
    assert [check.name for check in load(said.output, Report).failures] == ["answers"]


def test_settings_are_over_the_file(files: Host, root: Path) -> None:
    """So that what a different answer would bring can be tried out."""
    said = invoke(rehearse, files, "--answers", root / "answers.toml", "--set", "federation.delegation=srv")
    assert said.code == 0
    assert "request targets: example.com:8448" in said.output


def test_what_it_cannot_do_is_an_error(files: Host, tmp_path: Path) -> None:
    """Without answers, and on a host without nginx."""
    assert isinstance(invoke(rehearse, files).error, AnswersError)
    without = OfflineHost(Layout(tmp_path))
    assert isinstance(
        invoke(rehearse, without, "--answers", answers(tmp_path), "--set", "proxy.kind=nginx").error, RefusedPlan
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_stop_it_as_ctrl_c_does(number: signal.Signals) -> None:
    """So that everything is tidied up; afterwards they mean what they meant before."""
    usual = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stopping_as_by_keyboard():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == usual


def test_nohup_is_heeded() -> None:
    """A lost connection that is ignored stays ignored."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_as_by_keyboard():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, usual)


@as_root
def test_it_needs_no_root(root: Path) -> None:
    """Another user gets the same report, on a machine that has a loopback device and nothing else."""
    assert shutil.which("unshare")
    alone = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    asked = ("--root", str(root), "rehearse", "--answers", str(root / "answers.toml"))
    ended = subprocess.run(
        (*alone, sys.executable, "-c", AS_ANOTHER, str(NOBODY), *asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ", 0 FAIL, 0 cannot tell" in ended.stdout


def test_a_host_is_as_before(nginx: ThrowAwayHost) -> None:
    """With nginx and a neighbour's site running there: files, also temporary ones and logs, sockets and processes."""
    nginx.write("/var/lib/rehearsal/answers.toml", ANSWERS)
    here = {"TMPDIR": "/var/lib/rehearsal"}

    def seen() -> tuple[object, ...]:
        running = nginx.output(["pgrep", "-f", "nginx: "]).split()
        return nginx.snapshot((*BELOW, "/var/log/nginx", "/run/nginx.pid")), nginx.listening(), running

    before = seen()
    ended = nginx.tool("rehearse", "--answers", "/var/lib/rehearsal/answers.toml", environment=here)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "0 FAIL" in ended.stdout
    assert seen() == before
