"""The wizard in a real terminal that is taken away while SIGHUP is ignored."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import sys
from pathlib import Path

import pytest

from palpo_installer.screens import lost_terminal
from tests.terminals import Dialogue

COMMAND = (sys.executable, "-m", "palpo_installer")
ENVIRONMENT = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


def test_it_ends_and_says_so_where_nohup_writes(tmp_path: Path) -> None:
    """Whatever it was asked; without that it would read the end of its input over and over."""
    words = shlex.join((*COMMAND, "--root", str(tmp_path / "root")))
    script = f"cd {shlex.quote(str(tmp_path))} && exec nohup {words}"
    environment = {**ENVIRONMENT, "PYTHONPATH": str(Path.cwd())}
    with Dialogue(("sh", "-c", script), environment) as visit:
        visit.expect("Who answers")
        visit.hang_up()
        assert visit.wait() == 0
    said = (tmp_path / "nohup.out").read_text()
    assert "palpo-installer: The terminal is gone, so the screens end. Nothing was changed." in said
    assert "\x1b" not in said


def test_drawing_on_a_terminal_that_is_gone_fails_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's thread would end with it, and all that is drawn afterwards wait for room."""
    master, slave = pty.openpty()
    monkeypatch.setattr(lost_terminal, "ERRORS", slave)
    drawn = lost_terminal.lasting()
    drawn.write("seen")
    drawn.flush()
    assert os.read(master, 10) == b"seen"
    os.close(master)
    for _ in range(3):
        drawn.write("nobody sees this")
        drawn.flush()
    os.close(slave)


def test_what_takes_the_place_of_the_terminal_is_quiet(tmp_path: Path) -> None:
    """Its input is at its end, what is drawn is not seen, and what is printed goes where it went before."""
    script = (
        "import os; from palpo_installer.screens.lost_terminal import let_go\n"
        f"let_go({{1: os.open({str(tmp_path / 'out')!r}, os.O_WRONLY | os.O_CREAT)}})\n"
        "print(os.read(0, 1), flush=True); os.write(2, b'escape')"
    )
    with Dialogue((sys.executable, "-c", script), {**ENVIRONMENT, "PYTHONPATH": str(Path.cwd())}) as visit:
        assert visit.wait() == 0
        assert visit.said == ""
    assert (tmp_path / "out").read_text() == "b''\n"


def test_going_on_takes_the_screen_up_only_after_it_was_put_away() -> None:
    """SIGCONT comes with a lost terminal, and from whoever sends it; a second input thread would never end."""
    seen: list[str] = []
    signals = (signal.SIGTSTP, signal.SIGCONT)
    before = [signal.getsignal(each) for each in signals]
    try:
        signal.signal(signal.SIGTSTP, lambda *_: seen.append("put away"))
        signal.signal(signal.SIGCONT, lambda *_: seen.append("taken up"))
        lost_terminal.take_up_once()
        for each in (signal.SIGCONT, signal.SIGTSTP, signal.SIGCONT, signal.SIGCONT):
            signal.raise_signal(each)
        assert seen == ["put away", "taken up"]
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
