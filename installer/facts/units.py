"""Units of systemd, read from their files: who starts what, as which account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.processes import consult

DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""Where units are, the first that has one winning (systemd.unit(5), "Unit File Load Path")."""


@dataclass(frozen=True)
class Unit:
    """A service unit.

    Attributes:
        name: e.g. ``palpo.service``.
        start: its ``ExecStart``, without the prefixes that change how it is run.
        user: the account it runs as.
        group: its group, empty where it is the account's own.
        directory: its ``WorkingDirectory``, empty for none.
        environment: the assignments of its ``Environment`` lines, as written.
    """

    name: str
    start: str
    user: str
    group: str
    directory: str
    environment: str


def starting(host: Host, program: re.Pattern[str]) -> tuple[Unit, ...]:
    """Return the service units whose ``ExecStart`` matches, by name."""
    seen: dict[str, Path] = {}
    for directory in DIRECTORIES:
        place = host.layout.at(directory)
        for name in host.names(place):
            if name.endswith(".service"):
                seen.setdefault(name, place / name)
    units = (parse(name, host.text(path) or "") for name, path in sorted(seen.items()))
    return tuple(unit for unit in units if program.search(unit.start))


def parse(name: str, text: str) -> Unit:
    """Return a unit by the text of its file; drop-ins are not looked at."""
    service = re.search(r"^\[Service\]\s*$(.*?)(?=^\[|\Z)", text.replace("\\\n", " "), re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", service[1] if service else "", re.MULTILINE)
    last = dict(lines)
    return Unit(
        name=name,
        start=last.get("ExecStart", "").lstrip("@-:+!|"),
        user=last.get("User") or "root",
        group=last.get("Group", ""),
        directory=last.get("WorkingDirectory", "").lstrip("-"),
        environment=" ".join(value for key, value in lines if key == "Environment"),
    )


def account(host: Host, unit: Unit) -> tuple[str, str]:
    """Return the user and group of a unit, drop-ins included where systemd can be asked."""
    said = None
    if host.layout.root == Path("/") and host.status(Path("/run/systemd/system")) is not None:
        said = consult(host, "systemctl", "show", "--property=User,Group,LoadState", unit.name)
    if said is None or "LoadState=loaded" not in said.stdout.splitlines():
        return unit.user, unit.group or unit.user
    values = dict(line.partition("=")[::2] for line in said.stdout.splitlines())
    user = values.get("User") or "root"
    return user, values.get("Group") or user
