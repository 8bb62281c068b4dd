"""The operation that opens a port in firewalld.

What is open now and what is open after a reload are two things there, each with an operation of its own, so that
each is one command. firewalld is never told to reload: that would drop what others opened for the present only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from palpo_installer import processes
from palpo_installer.errors import HostError, NotPutBack
from palpo_installer.facts.firewalld import runs
from palpo_installer.host import Command, Host
from palpo_installer.operations.base import Description, Json, State, Workbench
from palpo_installer.operations.settings import SettingOperation, carry_out, take_back, wait_for_end
from palpo_installer.operations.zone_file import ZoneFile
from palpo_installer.serialization import converter

LIMIT = 30.0


@dataclass(frozen=True)
class PortBefore:
    """Whether the port was open by itself before, ``yes`` or ``no``, and copies of the zone's file and its backup.

    A copy is empty where there was no file, or none is kept.
    """

    path: str
    open: Literal["yes", "no"]
    file: str
    backup: str


@dataclass(frozen=True)
class OpenFirewalldPort(SettingOperation):
    """Opens a TCP port in one zone.

    Attributes:
        zone: the zone.
        port: the port.
        when: ``now`` until a reload, ``permanent`` after one.
    """

    zone: str
    port: int
    when: Literal["now", "permanent"]

    @property
    def command(self) -> tuple[str, ...]:
        """What opens it while firewalld runs."""
        return (*self._running, f"--add-port={self.port}/tcp")

    @property
    def _running(self) -> tuple[str, ...]:
        permanent = ("--permanent",) if self.when == "permanent" else ()
        return ("firewall-cmd", *permanent, f"--zone={self.zone}")

    @property
    def _offline(self) -> tuple[str, ...]:
        return ("firewall-offline-cmd", f"--zone={self.zone}")

    @property
    def _subject(self) -> str:
        when = "after a reload" if self.when == "permanent" else "now"
        return f"firewalld, zone {self.zone}, port {self.port}/tcp, {when}"

    def describe(self, host: Host) -> Description:
        """Show the command."""
        when = ", for later" if self.when == "permanent" else ""
        title = f"open port {self.port} in firewalld's zone {self.zone}{when}"
        return Description(title, details=(" ".join(self.command),))

    def way_back(self, before: Json) -> str:
        """Return the command that takes it back."""
        return " ".join((*self._running, f"--remove-port={self.port}/tcp"))

    def withdrawing(self, before: Json) -> tuple[tuple[str, ...], ...]:
        """Return what closes it, by the running firewalld or in its files."""
        words = (self._running, self._offline) if self.when == "permanent" else (self._running,)
        return tuple((*each, f"--remove-port={self.port}/tcp") for each in words)

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Read whether it is open already, and which files of the zone there are."""
        opened = self._is_open(bench.host)
        record = PortBefore(self._subject, "yes" if opened else "no", "", "")
        if self.when == "permanent" and not opened:
            file = ZoneFile.of(bench.host.layout, self.zone)
            copies = file.copies(bench.copies, number)
            record = PortBefore(self._subject, "no", *(str(path) if path else "" for path in copies))
        plain: Json = converter.unstructure(record)
        return plain

    def stage(self, bench: Workbench, before: Json) -> None:
        """Copy the zone's file: firewalld writes it anew, in a form of its own."""
        was = converter.structure(before, PortBefore)
        ZoneFile.of(bench.host.layout, self.zone).keep(was.file, was.backup)

    def state(self, host: Host, before: Json) -> State:
        """Return whether it is open and was not."""
        was = converter.structure(before, PortBefore)
        return State.AFTER if was.open == "no" and self._is_open(host) else State.BEFORE

    def act(self, bench: Workbench, before: Json) -> Json:
        """Open it.

        Raises:
            HostError: it is not open afterwards.
        """
        if not self._is_open(bench.host):
            carry_out(bench, self.command, lambda: self._is_open(bench.host), LIMIT)
        return {"path": self._subject, "kind": "setting"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Close it, and let the zone's file be what it was where nobody else changed the zone.

        Raises:
            NotPutBack: it stays open.
        """
        wait_for_end(bench, self.command, LIMIT)
        was = converter.structure(before, PortBefore)
        if was.open == "yes":
            return
        try:
            if self._is_open(bench.host):
                command = (*self._words(bench.host), f"--remove-port={self.port}/tcp")
                take_back(bench, command, lambda: not self._is_open(bench.host), LIMIT)
        except NotPutBack:
            raise
        except HostError as error:
            raise NotPutBack(error.what, where=error.where) from error
        if self.when == "permanent":
            ZoneFile.of(bench.host.layout, self.zone).settle(was.file, was.backup)

    def _words(self, host: Host) -> tuple[str, ...]:
        """Return how firewalld is asked; before it runs, as at boot, what it will read is asked."""
        if self.when == "permanent" and not runs(processes.read(host)):
            return self._offline
        return self._running

    def _is_open(self, host: Host) -> bool:
        """Return whether the zone lists exactly this port.

        Raises:
            HostError: firewalld runs and does not tell.
        """
        if self.when == "now" and not runs(processes.read(host)):
            return False
        command = Command((*self._words(host), "--list-ports"), timeout=LIMIT)
        said = host.run(command)
        if said.status == INVALID_ZONE:
            return False
        if said.status != 0:
            raise HostError(f"ended with status {said.status}: {said.stderr.strip()}", where=str(command))
        return f"{self.port}/tcp" in said.stdout.split()


INVALID_ZONE = 112
"""What firewall-cmd ends with where there is no such zone (firewall-cmd(1), "Exit codes")."""
