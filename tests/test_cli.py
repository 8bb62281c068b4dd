"""The whole tool as a process: exit codes, one sentence for each error, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from palpo_installer import __version__
from palpo_installer.cli import commands, main
from palpo_installer.engine.lock import hold
from palpo_installer.layout import Layout
from tests.commands.invoking import ANSWERS, CHECKOUT, NOBODY, answers, as_root, tool
from tests.recorded import recorded

Ended = subprocess.CompletedProcess[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of a recorded host, for the real nginx of this machine."""
    recorded("nginx_stopped", tmp_path / "host")
    return tmp_path / "host"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Return what runs the tool in this process, from its entry point to its exit code."""

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["palpo-installer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(sys.argv, ended.value.code, said.out, said.err)

    return run


def one_sentence(ended: Ended) -> str:
    """Check that an error is one line that names the tool, and return it."""
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.stderr.startswith("palpo-installer: "), ended.stderr
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_every_command_is_there() -> None:
    """The names that timers, scripts and people use; the engine's own is not shown."""
    context = click.Context(commands)
    found = {name: commands.get_command(context, name) for name in commands.list_commands(context)}
    shown = {name for name, command in found.items() if command is not None and not command.hidden}
    assert shown >= {"detect", "plan", "render", "apply", "attach", "verify", "renew", "history", "rollback", "recover"}
    assert commands.get_command(context, "no-such-command") is None
    assert shown == found.keys() - {"run"}


def test_help_and_version(here: Callable[..., Ended]) -> None:
    """Help says what the exit codes mean; both end with 0."""
    helped, version = here("--help"), here("--version")
    assert (helped.returncode, version.returncode) == (0, 0)
    assert "Exit codes: 0 done or nothing to do" in " ".join(helped.stdout.split())
    assert __version__ in version.stdout
    assert "..." not in helped.stdout.partition("Commands:")[2], "what a command does is said in a whole sentence"


@pytest.mark.parametrize("arguments", [("no-such-command",), ("plan", "--no-such-option"), ("render",)])
def test_wrong_usage_is_exit_2(here: Callable[..., Ended], arguments: tuple[str, ...]) -> None:
    """Click's own words and hint, no traceback."""
    ended = here(*arguments)
    assert ended.returncode == 2
    assert "Usage: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[names\n", "my-answers.toml:1: this is no TOML"),
        ("\udcff", "my-answers.toml:1: this is not UTF-8"),
        ("version = 99\n", "knows versions up to 1"),
        ('[names]\nserver_name = ["a", 1]\n', "names.server_name"),
        ('names = "x"\n', "names: there is no such key"),
        ('[names]\nsever_name = "example.com"\n', "Did you mean names.server_name"),
        ("[names]\nserver_name = 1979-05-27\n", "names.server_name"),
    ],
    ids=["toml", "utf-8", "version", "list", "section", "key", "date"],
)
def test_broken_answers_are_exit_2_and_one_sentence(
    here: Callable[..., Ended], root: Path, text: str, words: str
) -> None:
    """Whatever the file has in it: its place or key is named."""
    path = root.parent / "my-answers.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    ended = here("--root", root, "plan", "--answers", path)
    assert ended.returncode == 2
    assert words in one_sentence(ended)


@as_root
def test_pending_changes_are_exit_3(root: Path) -> None:
    """The real nginx of this machine with a configuration of its own; nothing is written there."""
    file = answers(root.parent)
    ended = tool("--root", root, "plan", "--answers", file, "--exit-code")
    assert (ended.returncode, ended.stderr) == (3, "")
    assert f"write {root}/etc/nginx/sites-available/zz-palpo-installer-http.conf" in ended.stdout
    assert "hunter2" not in ended.stdout
    assert not (root / "etc/palpo").exists()


@as_root
@pytest.mark.parametrize("command", ["apply", "renew"])
def test_changing_commands_are_exit_4_without_root(command: str) -> None:
    """Another user is told so at once, and what to type instead."""
    ended = tool(command, user=NOBODY)
    assert ended.returncode == 4
    sentence = one_sentence(ended)
    assert sentence.endswith(f"needs root. Try: sudo palpo-installer {command}\n")


@as_root
def test_reading_commands_need_no_root() -> None:
    """A person without rights sees what there is to see, and is told what is missing."""
    ended = tool("detect", user=NOBODY)
    assert ended.returncode == 0
    assert "Without root" in ended.stdout


@pytest.fixture
def open_root() -> Iterator[Path]:
    """The files of a recorded host where everybody can look, with a directory of ours that is root's alone."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o755)
        recorded("nginx_stopped", path)
        (path / "answers.toml").write_text(ANSWERS)
        (path / "etc/palpo-installer").mkdir(mode=0o700)
        yield path


@as_root
def test_verify_without_root_ends_in_a_report(open_root: Path) -> None:
    """What root alone may read is no traceback: it looks from outside, as everybody can."""
    ended = tool("--root", open_root, "verify", "--answers", open_root / "answers.toml", user=NOBODY)
    assert (ended.returncode, ended.stderr) == (6, "")


@as_root
@pytest.mark.parametrize("command", ["history", "plan"])
def test_an_installed_host_is_not_taken_for_a_new_one(open_root: Path, command: str) -> None:
    """Earlier runs are root's to read: without them our own files would look like somebody else's."""
    (open_root / "var/lib/palpo-installer").mkdir(parents=True)
    (open_root / "var/lib/palpo-installer/runs").mkdir(mode=0o700)
    ended = tool("--root", open_root, command, user=NOBODY)
    assert ended.returncode == 4
    assert "can be read by root only" in one_sentence(ended)


@as_root
def test_a_plan_that_would_need_root_says_so(open_root: Path) -> None:
    """Our own answers and Palpo's file may be closed to us: the path, and what to try."""
    (open_root / "etc/palpo").mkdir(mode=0o700)
    (open_root / "etc/palpo/palpo.toml").write_text("")
    ended = tool("--root", open_root, "plan", "--answers", open_root / "answers.toml", user=NOBODY)
    assert ended.returncode == 1
    sentence = one_sentence(ended)
    assert "Permission denied" in sentence
    assert sentence.endswith(". Try it as root\n")


@as_root
def test_a_refusal_is_exit_1(tmp_path: Path) -> None:
    """An empty host has no nginx: one sentence with what to do."""
    (tmp_path / "empty").mkdir()
    ended = tool("--root", tmp_path / "empty", "plan", "--answers", answers(tmp_path, ANSWERS))
    assert ended.returncode == 1
    assert "nginx is not installed on this host" in one_sentence(ended)


@as_root
def test_a_run_at_work_is_exit_7(tmp_path: Path) -> None:
    """Another run is at work: one sentence with how to follow it."""
    with hold(Layout(tmp_path), "run 0042"):
        ended = tool("--root", tmp_path, "renew")
    assert ended.returncode == 7
    assert "is at work on this host" in one_sentence(ended)


@as_root
def test_without_a_yes_or_a_terminal_nothing_is_changed(root: Path) -> None:
    """An answer that never comes is a no."""
    ended = tool("--root", root, "apply", "--answers", answers(root.parent))
    assert ended.returncode == 2
    assert ended.stderr.endswith("Stopped. Nothing was changed.\n")
    assert not (root / "etc/palpo").exists()


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    """As in ``palpo-installer history | head -0``: no traceback about a broken pipe."""
    argv = (sys.executable, "-m", "palpo_installer", "--root", str(tmp_path), "history")
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(argv, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, cwd=CHECKOUT)
    os.close(writer)
    assert ended.stderr == ""
