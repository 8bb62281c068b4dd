"""Operations on the policy of SELinux: a boolean, the type of a port. Nothing is ever switched off for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from palpo_installer.errors import HostError, NotPutBack
from palpo_installer.facts import selinux
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, State, Workbench
from palpo_installer.operations.settings import SettingOperation, carry_out, take_back, wait_for_end
from palpo_installer.serialization import converter

REBUILD = 180.0
"""Seconds for a command that builds the whole policy anew, on a small host."""


@dataclass(frozen=True)
class BooleanBefore:
    """A boolean as it was; a word is ``on``, ``off``, or empty where it could not be read."""

    path: str
    now: str
    lasting: str


@dataclass(frozen=True)
class SetBoolean(SettingOperation):
    """Switches a boolean of the policy on, now and for later boots; ``name`` is the boolean's."""

    name: str

    @property
    def command(self) -> tuple[str, ...]:
        """What switches it on."""
        return ("setsebool", "-P", f"{self.name}=on")

    def describe(self, host: Host) -> Description:
        """Show the command and the way back."""
        return Description(f"switch on the SELinux boolean {self.name}", details=(" ".join(self.command),))

    def way_back(self, before: Json) -> str:
        """Return the command that takes it back."""
        return f"setsebool -P {self.name}=off"

    def withdrawing(self, before: Json) -> tuple[tuple[str, ...], ...]:
        """Return what switches off its lasting value, and what sets the present one."""
        was = converter.structure(before, BooleanBefore)
        return ("setsebool", "-P", f"{self.name}=off"), ("setsebool", f"{self.name}={was.now}")

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Read its values."""
        now, lasting = self._values(bench.host)
        plain: Json = converter.unstructure(BooleanBefore(f"SELinux boolean {self.name}", now, lasting))
        return plain

    def state(self, host: Host, before: Json) -> State:
        """Return whether a value that was not on is on now."""
        return State.AFTER if any(self._switched(host, before)) else State.BEFORE

    def act(self, bench: Workbench, before: Json) -> Json:
        """Switch it on.

        Raises:
            HostError: it is not on afterwards.
        """
        if self._values(bench.host) != ("on", "on"):
            carry_out(bench, self.command, lambda: "off" not in self._values(bench.host), REBUILD)
        return {"path": f"SELinux boolean {self.name}", "kind": "setting"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Switch off what was off before; the lasting value takes the present one with it.

        Raises:
            NotPutBack: it stays on.
        """
        wait_for_end(bench, self.command, REBUILD)
        was = converter.structure(before, BooleanBefore)
        now, lasting = self._switched(bench.host, before)
        command, present = self.withdrawing(before)
        if lasting:
            take_back(bench, command, lambda: not self._switched(bench.host, before)[1], REBUILD)
            now = was.now not in {"", self._values(bench.host)[0]}
        if now:
            take_back(bench, present, lambda: self._values(bench.host)[0] == was.now, REBUILD)

    def _values(self, host: Host) -> tuple[str, str]:
        """Return its value now and the lasting one."""
        said = selinux.boolean(host, self.name)
        return _word(said.now), _word(said.lasting)

    def _switched(self, host: Host, before: Json) -> tuple[bool, bool]:
        """Return whether the present and the lasting value are on and were not."""
        was = converter.structure(before, BooleanBefore)
        now, lasting = self._values(host)
        return now == "on" != was.now, lasting == "on" != was.lasting


def _word(value: bool | None) -> str:
    return "" if value is None else "on" if value else "off"


@dataclass(frozen=True)
class LabelBefore:
    """The administrator's own type of a port before, empty for none; ``after`` is the one that was set."""

    path: str
    local: str
    after: str


@dataclass(frozen=True)
class LabelPort(SettingOperation):
    """Gives a TCP port a type.

    Attributes:
        port: the port.
        type: its type afterwards.
        former: its type when the plan was made, for showing it.
        defined: whether it has an entry of its own already, which is changed and not added.
    """

    port: int
    type: str
    former: str
    defined: bool

    @property
    def command(self) -> tuple[str, ...]:
        """What gives it the type."""
        return ("semanage", "port", "--modify" if self.defined else "--add", "-t", self.type, "-p", "tcp", self._port)

    @property
    def _port(self) -> str:
        return str(self.port)

    def describe(self, host: Host) -> Description:
        """Show the command, and the type until now."""
        details = (" ".join(self.command), f"until now its type is {self.former or 'not known'}")
        return Description(f"let SELinux take port {self.port} for {self.type}", details=details)

    def way_back(self, before: Json) -> str:
        """Return the command that takes it back."""
        return " ".join(self._former(converter.structure(before, LabelBefore).local))

    def withdrawing(self, before: Json) -> tuple[tuple[str, ...], ...]:
        """Return what gives it back the former type."""
        return (self._former(converter.structure(before, LabelBefore).local),)

    def _former(self, local: str) -> tuple[str, ...]:
        verb = ("--modify", "-t", local) if local else ("--delete",)
        return ("semanage", "port", *verb, "-p", "tcp", self._port)

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Read the administrator's own type of it."""
        before = LabelBefore(f"SELinux type of port {self.port}", self._local(bench.host), self.type)
        plain: Json = converter.unstructure(before)
        return plain

    def state(self, host: Host, before: Json) -> State:
        """Return whose type it has."""
        was, now = converter.structure(before, LabelBefore), self._local(host)
        if now == was.local:
            return State.BEFORE
        return State.AFTER if now == was.after else State.OTHER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Give it the type.

        Raises:
            HostError: it does not have it afterwards.
        """
        if self._local(bench.host) != self.type:
            carry_out(bench, self.command, lambda: self._local(bench.host) == self.type, REBUILD)
        return {"path": f"SELinux type of port {self.port}", "kind": "setting"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Give it back the administrator's former type, or none.

        Raises:
            NotPutBack: somebody gave it another one since, and it is left; or it keeps ours.
        """
        wait_for_end(bench, self.command, REBUILD)
        was, state = converter.structure(before, LabelBefore), self.state(bench.host, before)
        if state is State.OTHER:
            what = f"has type {self._local(bench.host)} by somebody else since, and is left as it is"
            raise NotPutBack(what, where=was.path)
        if state is State.AFTER:
            take_back(bench, self._former(was.local), lambda: self._local(bench.host) == was.local, REBUILD)

    def surrender(self, bench: Workbench, before: Json) -> Json:
        """Take the type that somebody gave it for the one that this run left."""
        plain: Json = converter.unstructure(
            replace(converter.structure(before, LabelBefore), after=self._local(bench.host))
        )
        return plain

    def _local(self, host: Host) -> str:
        """Return the administrator's own type of exactly this port, empty for none.

        Raises:
            HostError: the policy's store cannot be read.
        """
        said = host.run(selinux.LIST_LOCAL)
        if said.status != 0:
            raise HostError(f"ended with status {said.status}: {said.stderr.strip()}", where=str(selinux.LIST_LOCAL))
        found = selinux.parse_labels(said.stdout, local=True)
        exact = (each.type for each in found if each.ports.first == each.ports.last == self.port)
        return next(exact, "")
