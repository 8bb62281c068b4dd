"""Reads palpo.toml and Palpo's unit for the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.audit.finding import Finding, Severity, Trap, Unread
from palpo_installer.audit.palpo_file import PalpoFile
from palpo_installer.audit.palpo_rules import PLACEHOLDERS, RULES
from palpo_installer.audit.palpo_unit import unit
from palpo_installer.errors import HostError, RefusedPlan
from palpo_installer.facts import Facts
from palpo_installer.facts.units import DIRECTORIES
from palpo_installer.homeserver.lines import Lines
from palpo_installer.homeserver.reading import text_of, values
from palpo_installer.host import Host

BROKEN = Trap("palpo-broken-file", Severity.BREAKS, "Palpo does not start with it.")


@dataclass(frozen=True)
class Read:
    """What was read of Palpo.

    Attributes:
        file: its palpo.toml, None where there is none that can be used.
        findings: what is wrong before any rule looks at it.
        read: what was looked at.
    """

    file: PalpoFile | None
    findings: tuple[Finding, ...]
    read: tuple[str, ...]

    @property
    def server_name(self) -> str:
        """The server name without its port, empty for none that can be used."""
        name = self.file.said("server_name") if self.file else None
        if not isinstance(name, str) or name in PLACEHOLDERS or name.startswith("["):
            return ""
        return name.partition(":")[0].lower()


def read(host: Host, facts: Facts, note: Callable[[Unread], None]) -> Read:
    """Return what there is of Palpo; the first palpo.toml is the one that it reads."""
    looked: list[str] = []
    findings = list(_of_unit(host, facts, looked))
    file = None
    for configuration in facts.palpo.configurations[:1]:
        try:
            data = host.read(configuration.path)
            status = host.status(configuration.path)
            if data is None or status is None:
                continue
            if configuration.path.suffix != ".toml":
                note(Unread(str(configuration.path), "only TOML is read by this version"))
                continue
            known, text = values(data), text_of(data)
        except HostError as error:
            note(Unread(str(configuration.path), error.what, "Run the audit as root"))
            continue
        except RefusedPlan as error:
            looked.append(str(configuration.path))
            findings.append(_broken(configuration.path, configuration.problem, error))
            continue
        looked.append(f"{configuration.path}: server name {known.get('server_name', 'not set')}")
        mode = configuration.path.stat().st_mode if configuration.path.is_symlink() else status.st_mode
        file = PalpoFile(configuration.path, known, Lines(text), mode, facts.palpo.runs_as == "container")
    for other in facts.palpo.configurations[1:]:
        note(Unread(str(other.path), "Palpo reads another file before it"))
    return Read(file, tuple(findings), tuple(looked))


def _broken(path: Path, problem: str, error: RefusedPlan) -> Finding:
    words = problem.partition(":")[0].removeprefix("line ")
    line = int(words) if words.isdigit() else 1
    return BROKEN.at(path, line, "Palpo", error.what, "Correct it there.")


def _of_unit(host: Host, facts: Facts, looked: list[str]) -> Iterator[Finding]:
    """Yield what is wrong with Palpo's unit, drop-ins included."""
    if not facts.palpo.unit:
        return
    for directory in DIRECTORIES:
        place = host.layout.at(directory)
        drop_ins = place / f"{facts.palpo.unit}.d"
        for path in (place / facts.palpo.unit, *(drop_ins / each for each in host.names(drop_ins))):
            text = host.text(path)
            if text:
                looked.append(str(path))
                yield from unit(path, text)


def judged(homeserver: Read, answered: frozenset[str]) -> Iterator[Finding]:
    """Yield what the rules say; ``answered`` are the well-known documents that the proxy passes on to Palpo."""
    yield from homeserver.findings
    if homeserver.file is not None:
        file = replace(homeserver.file, answered=answered)
        for rule in RULES:
            yield from rule(file)
