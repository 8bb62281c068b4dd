"""``palpo-installer`` without a command, as a process in a real terminal or without any."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.invoking import AS_ANOTHER, CHECKOUT, NOBODY, answers, as_root, tool
from tests.recorded import recorded
from tests.terminals import Dialogue

POOR = {"TERM": "dumb", "LC_ALL": "C", "PATH": os.environ["PATH"]}
GOOD = POOR | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
ALTERNATE_SCREEN = "\x1b[?1049h"
CTRL_Q = b"\x11"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of a recorded host, for the real nginx of this machine."""
    recorded("nginx_stopped", tmp_path / "host")
    return tmp_path / "host"


def start(root: Path, *arguments: str | Path, environment: dict[str, str] | None = None) -> Dialogue:
    """Start the tool in a terminal, with a network of its own."""
    alone = ["unshare", "--net"] if os.geteuid() == 0 else []
    words = [*alone, sys.executable, "-X", "importtime", "-m", "palpo_installer", "--root", root, *arguments]
    quiet = ["sh", "-c", f'exec "$@" 2>{root}/imported', "sh"] if "--plain" in arguments else []
    words = [word for word in words if quiet or word not in {"-X", "importtime"}]
    return Dialogue([*quiet, *map(str, words)], environment or POOR)


def test_plain_prompts_go_through_to_the_review_and_change_nothing(root: Path) -> None:
    """Answers of a file stand in brackets; the differences are shown when asked for; leaving ends with 0."""
    before = sorted(root.rglob("*"))
    with start(root, "--plain", "--answers", answers(root)) as visit:
        visit.expect("Who answers now")
        assert visit.take_defaults() <= 12
        assert "Answer [example.com]:" in visit.said
        visit.match(r"(\d)\. Show the differences.*(\n|.)*Number: \Z")
        menu = visit.said[visit.said.rindex("What now?") :]
        numbers = {line[5:]: line[2] for line in menu.splitlines() if line.startswith("  ")}
        visit.type(numbers["Show the differences, line by line"])
        visit.expect("+++ ")
        visit.answer("Number:", numbers["Leave; nothing is changed"])
        assert visit.wait() == 0
        assert visit.said.endswith("Nothing was changed.\n")
    ours = {root / "imported", root / "my-answers.toml"}
    assert set(root.rglob("*")) - ours == set(before)


def test_plain_prompts_do_not_load_the_wizard(root: Path) -> None:
    """They are for hosts and terminals where Textual would not run, and are there at once."""
    with start(root, "--plain") as visit:
        visit.match(r"^Answer: \Z")
        visit.interrupt()
        assert visit.wait() == 2
    imported = (root / "imported").read_text()
    assert "palpo_installer.plain.session" in imported
    assert "textual" not in imported


@pytest.mark.parametrize("end", [Dialogue.interrupt, lambda visit: visit.press(b"\x04")], ids=["Ctrl-C", "Ctrl-D"])
def test_ctrl_c_and_the_end_of_input_end_it_with_a_word(root: Path, end: Callable[[Dialogue], None]) -> None:
    """Nothing was changed, it says so, and the exit code is 2."""
    with start(root) as visit:
        visit.expect("Plain prompts, since TERM is dumb.")
        visit.match(r"^Answer: \Z")
        end(visit)
        assert visit.wait() == 2
        assert visit.said.endswith("\nStopped. Nothing was changed.\n")
        assert "Traceback" not in visit.said


def test_a_terminal_that_can_do_more_gets_the_wizard(root: Path) -> None:
    """The full screen is drawn, and leaving before anything is done asks nothing."""
    with start(root, environment=GOOD) as visit:
        visit.expect(ALTERNATE_SCREEN)
        visit.match(r"\^q.*Leave")
        visit.press(CTRL_Q)
        assert visit.wait() == 0


def test_without_a_terminal_it_says_what_to_pass(root: Path) -> None:
    """Exit code 2, and the commands that need no terminal."""
    for wish in ((), ("--plain",)):
        ended = tool("--root", root, *wish)
        assert ended.returncode == 2
        assert "palpo-installer apply --answers FILE --yes" in ended.stderr
        assert ended.stdout == ""


@pytest.mark.parametrize("misplaced", [("--plain",), ("--answers", "x.toml"), ("--set", "federation.port=8448")])
def test_options_before_a_command_are_not_passed_over(misplaced: tuple[str, ...]) -> None:
    """They would have no effect there, so it is said where they belong."""
    ended = tool(*misplaced, "plan")
    assert ended.returncode == 2
    assert "--answers and --set go behind it" in ended.stderr


def test_bad_answers_to_begin_with_are_one_sentence(root: Path) -> None:
    """The same as for every command."""
    with start(root, "--set", "names.sever_name=example.com") as visit:
        assert visit.wait() == 2
        assert "Did you mean names.server_name" in visit.said
        assert "Traceback" not in visit.said


@as_root
def test_earlier_runs_that_only_root_may_read() -> None:
    """Somebody else would take our own files for another's: exit code 4, and the command with sudo."""
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        (Path(root) / "var/lib/palpo-installer/runs").mkdir(parents=True, mode=0o700)
        words = [sys.executable, "-c", AS_ANOTHER, str(NOBODY), "--root", root, "--plain"]
        with Dialogue(words, POOR | {"PYTHONPATH": str(CHECKOUT)}) as visit:
            assert visit.wait() == 4
            assert visit.said.endswith("Try: sudo palpo-installer\n")
