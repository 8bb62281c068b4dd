"""A terminal on a lab host: tmux, driven by keys, read as text."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from tests.lab.hosts import LabHost
from tests.lab.running import require_programs, until

TMUX = ("tmux", "-u", "-L", "lab", "-f", "/dev/null")


class Terminal:
    """A terminal of a size, in which a command runs; what it leaves behind can be read afterwards."""

    def __init__(self, host: LabHost, columns: int, rows: int, environment: Mapping[str, str] | None = None) -> None:
        require_programs("tmux")
        self._host = host
        variables = {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "PS1": "$ "} | dict(environment or {})
        settings = [f"{name}={value}" for name, value in variables.items()]
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), shlex.join(["env", *settings, "sh"]))
        self.until("$")

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names: ``Enter``, ``Escape``, ``C-c``, ``F1``, ``Down``."""
        self._tmux("send-keys", "--", *keys)

    def run(self, command: Sequence[str]) -> None:
        """Start a command from the shell."""
        self.type(shlex.join(command))
        self.press("Enter")

    def hang_up(self) -> None:
        """Take the terminal away, as a lost connection does."""
        self._tmux("kill-session")

    def text(self) -> str:
        """Return what is on the screen."""
        return self._tmux("capture-pane", "-p")

    def colours(self) -> str:
        """Return what is on the screen with its colours as escape sequences."""
        return self._tmux("capture-pane", "-p", "-e")

    def scrollback(self) -> str:
        """Return the screen with all that scrolled out of it."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def until(self, *words: str, timeout: float = 60.0) -> str:
        """Wait until all words are on the screen, and return it."""
        return self.until_holds(lambda shown: all(word in shown for word in words), " and ".join(words), timeout)

    def until_holds(self, holds: Callable[[str], bool], what: str, timeout: float = 60.0) -> str:
        """Wait until something holds of the screen, and return it; a failure shows the screen."""
        shown = ""

        def now() -> bool:
            nonlocal shown
            shown = self.text()
            return holds(shown)

        try:
            until(now, what, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{shown}") from error
        return shown

    def _tmux(self, *arguments: str) -> str:
        return self._host.output([*TMUX, *arguments])
