"""How HAProxy's unit starts it: the command with its variables, as systemd puts them in. See systemd.exec(5)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.facts import units
from palpo_installer.host import Host
from palpo_installer.processes import consult

OPTIONS = "EXTRAOPTS"
"""The variable for more options in the units of Debian and its kin."""


@dataclass(frozen=True)
class Starting:
    """The start of a unit.

    Attributes:
        command: the words of ``ExecStart``, variables as written.
        environment: of the unit itself.
        files: of its ``EnvironmentFile`` lines, in order.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: tuple[Path, ...]

    def variables(self, host: Host) -> dict[str, str]:
        """Return the variables; a file wins over the unit, a later one over an earlier one."""
        found = dict(self.environment)
        for path in self.files:
            found |= assignments(host.text(path) or "")
        return found

    def expanded(self, host: Host) -> tuple[str, ...]:
        """Return the command as systemd would run it now: ``$X`` as a word of its own becomes several words."""
        variables, words = self.variables(host), []
        for word in self.command:
            if alone := re.fullmatch(r"\$([A-Za-z_]\w*)", word):
                words += variables.get(alone[1], "").split()
            else:
                words.append(re.sub(r"\$\{(\w+)\}", lambda name: variables.get(name[1], ""), word))
        return tuple(words)

    @property
    def takes_options(self) -> bool:
        """Whether the command takes more options from a variable."""
        return f"${OPTIONS}" in self.command


def assignments(text: str) -> dict[str, str]:
    """Return the variables of an environment file (systemd.exec(5), ``EnvironmentFile``)."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and re.fullmatch(r"[A-Za-z_]\w*", name):
            found[name] = value.strip().strip("\"'")
    return found


def line_for_options(text: str) -> int:
    """Return the number of the line in front of which an assignment of ``EXTRAOPTS`` is the last; 0 for none."""
    lines = text.splitlines()
    assigned = [n for n, line in enumerate(lines, 1) if line.strip().startswith(f"{OPTIONS}=")]
    before = assigned[-1] + 1 if assigned else len(lines)
    return before if before <= len(lines) else 0


def starting(host: Host, name: str) -> Starting | None:
    """Return how a unit starts HAProxy, drop-ins included where systemd can be asked; None where it is not known."""
    if host.layout.root == Path("/") and host.status(Path("/run/systemd/system")) is not None:
        said = consult(host, "systemctl", "show", "--property=ExecStart,Environment,EnvironmentFiles,LoadState", name)
        if said is not None and "LoadState=loaded" in said.stdout.splitlines():
            return parse_shown(said.stdout)
    for directory in units.DIRECTORIES:
        text = host.text(host.layout.at(directory) / name)
        if text is not None:
            return parse_file(host, text)
    return None


def parse_shown(text: str) -> Starting | None:
    """Return it from what ``systemctl show`` says."""
    command = re.search(r"^ExecStart=.*?argv\[\]=(.*?) ; ", text, re.MULTILINE)
    environment = re.search(r"^Environment=(.*)$", text, re.MULTILINE)
    files = re.findall(r"^EnvironmentFiles=(\S+)", text, re.MULTILINE)
    if command is None:
        return None
    pairs = (word.partition("=") for word in shlex.split(environment[1] if environment else ""))
    return Starting(tuple(command[1].split()), {name: value for name, _, value in pairs}, tuple(map(Path, files)))


def parse_file(host: Host, text: str) -> Starting | None:
    """Return it from the text of the unit's file."""
    found = units.parse("haproxy.service", text)
    if not found.start:
        return None
    pairs = (word.partition("=") for word in shlex.split(found.environment))
    files = re.findall(r"^EnvironmentFile=-?(\S+)", text, re.MULTILINE)
    environment = {name: value for name, _, value in pairs}
    return Starting(tuple(found.start.split()), environment, tuple(host.layout.at(each) for each in files))
