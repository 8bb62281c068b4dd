"""A host whose commands a test answers; files, processes and sockets are this machine's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from palpo_installer.errors import TimedOut
from palpo_installer.host import Command, Completed, Host
from palpo_installer.layout import Layout


class ScriptedHost(Host):
    """Remembers every command; ``answer`` returns what it prints, None for one that hangs."""

    def __init__(self, answer: Callable[[str], str | None], root: Path = Path("/")) -> None:
        super().__init__(Layout(root))
        self.answer = answer
        self.commands: list[str] = []

    def run(self, command: Command) -> Completed:
        """Return what the script says; a text that begins with ``!`` is an error's."""
        self.commands.append(str(command))
        said = self.answer(str(command))
        if said is None:
            raise TimedOut(f"did not end within {command.timeout:g} seconds", where=str(command))
        return Completed(1, "", said[1:]) if said.startswith("!") else Completed(0, said, "")
