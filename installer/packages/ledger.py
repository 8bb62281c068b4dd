"""What we added to the packages of this host: written before anything is installed, exact after a kill too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from palpo_installer import serialization
from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.packages import apt

Way = Literal["purge", "remove"]
"""How a package goes again; ``remove`` where its configuration was there before it."""


@dataclass(frozen=True)
class Installation:
    """One installation of a proxy.

    Attributes:
        kind: the proxy.
        package: what was asked for.
        before: the state of every package that was to come, empty for one that dpkg did not know.
        added: the packages that came, and how each goes again.
        configuration: the files of the proxy's configuration as they came: path, and hash or target of a link.
        settled: whether ``added`` is known; not while it goes on, or after it was cut off.
    """

    kind: str
    package: str
    before: Mapping[str, str]
    added: Mapping[str, Way]
    configuration: Mapping[str, str]
    settled: bool = False


@dataclass(frozen=True)
class Ledger:
    """All that are in force, oldest first."""

    installations: tuple[Installation, ...] = ()

    @property
    def added(self) -> Mapping[str, Way]:
        """Every package of ours."""
        return {name: way for each in self.installations for name, way in each.added.items()}


def read(layout: Layout) -> Ledger:
    """Return the ledger.

    Raises:
        HostError: it cannot be read.
    """
    try:
        return serialization.load(layout.packages.read_text(), Ledger)
    except FileNotFoundError:
        return Ledger()
    except (OSError, ValueError) as error:
        raise HostError(f"cannot be read: {error}", where=str(layout.packages)) from error


def write(ledger: Ledger, layout: Layout) -> None:
    """Write the ledger, synced; one without an installation is no file."""
    if not ledger.installations:
        layout.packages.unlink(missing_ok=True)
        return
    new = layout.packages.with_name(f".{layout.packages.name}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(serialization.dump(ledger))
            file.flush()
            os.fsync(file.fileno())
        new.rename(layout.packages)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise HostError(f"cannot be written: {error.strerror}", where=str(layout.packages)) from error


def settle(host: Host, configuration: Mapping[str, Path]) -> Ledger:
    """Return the ledger with what every installation that is not settled brought; ``configuration`` is by kind."""
    ledger = read(host.layout)
    if all(each.settled for each in ledger.installations):
        return ledger
    now = apt.states(host)
    seen = tuple(
        each if each.settled else _settled(each, now, configuration.get(each.kind)) for each in ledger.installations
    )
    settled = Ledger(tuple(each for each in seen if each.added))
    write(settled, host.layout)
    return settled


def _settled(one: Installation, now: Mapping[str, str], configuration: Path | None) -> Installation:
    """Return an installation with what it brought: what dpkg knows now and did not have before, half or whole."""
    ways: dict[str, Way] = {
        name: "remove" if state == "config-files" else "purge"
        for name, state in one.before.items()
        if state in {"", "not-installed", "config-files"}
        and now.get(name, "not-installed") not in {"not-installed", state}
    }
    return replace(one, added=ways, configuration=files_of(configuration) if configuration else {}, settled=True)


def files_of(directory: Path) -> Mapping[str, str]:
    """Return every file and link below a directory: path, and the hash of its bytes or where it leads."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"link {path.readlink()}"
        elif path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
