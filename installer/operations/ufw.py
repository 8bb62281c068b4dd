"""The operation that lets a port in through ufw."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from palpo_installer.host import Command, Host
from palpo_installer.operations.base import Description, Json, State, Workbench
from palpo_installer.operations.settings import SettingOperation, carry_out, take_back, wait_for_end
from palpo_installer.processes import consult
from palpo_installer.serialization import converter

LIMIT = 60.0
YesNo = Literal["yes", "no"]


@dataclass(frozen=True)
class Family:
    """How ufw keeps the rules of one family of addresses.

    Attributes:
        everywhere: the network that stands for every address.
        file: where the rules are kept, below /etc/ufw.
        program: which lists those in force.
        chain: where they are.
    """

    everywhere: str
    file: str
    program: str
    chain: str


FAMILIES = (
    Family("0.0.0.0/0", "user.rules", "iptables", "ufw-user-input"),
    Family("::/0", "user6.rules", "ip6tables", "ufw6-user-input"),
)


@dataclass(frozen=True)
class RuleBefore:
    """Whether the rule was there before, for each family."""

    path: str
    ipv4: YesNo
    ipv6: YesNo


@dataclass(frozen=True)
class AllowUfwPort(SettingOperation):
    """Lets a TCP port in; the rule comes last, and those that others made about the port go before it."""

    port: int

    @property
    def command(self) -> tuple[str, ...]:
        """What makes the rule."""
        return ("ufw", "allow", f"{self.port}/tcp")

    def describe(self, host: Host) -> Description:
        """Show the command."""
        return Description(f"let port {self.port} in through ufw", details=(" ".join(self.command),))

    def way_back(self, before: Json) -> str:
        """Return the command that takes it back."""
        return f"ufw delete allow {self.port}/tcp"

    def withdrawing(self, before: Json) -> tuple[tuple[str, ...], ...]:
        """Return what deletes the rule, for each family."""
        return tuple(("ufw", "delete", *self._rule(family)) for family in FAMILIES)

    def _rule(self, family: Family) -> tuple[str, ...]:
        return ("allow", "proto", "tcp", "from", family.everywhere, "to", "any", "port", str(self.port))

    def prepare(self, bench: Workbench, number: int) -> Json:
        """Read whether there is such a rule."""
        ipv4, ipv6 = (self._kept(bench.host, family) for family in FAMILIES)
        plain: Json = converter.unstructure(RuleBefore(f"ufw, port {self.port}/tcp", _word(ipv4), _word(ipv6)))
        return plain

    def state(self, host: Host, before: Json) -> State:
        """Return whether there is a rule that was not there."""
        return State.AFTER if self._added(host, before) else State.BEFORE

    def act(self, bench: Workbench, before: Json) -> Json:
        """Make the rule.

        Raises:
            HostError: it is not there afterwards.
        """
        for family in FAMILIES:
            if self._in_force(bench.host, family) and not self._kept(bench.host, family):
                # ufw could not write its file, as on a full disk: it would make the rule a second time.
                delete = (family.program, "--delete", family.chain, *self._match)
                bench.host.run(Command(delete, timeout=LIMIT))
        carry_out(bench, self.command, lambda: self._kept(bench.host, FAMILIES[0]), LIMIT)
        return {"path": f"ufw, port {self.port}/tcp", "kind": "setting"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Delete the rule of each family that had none.

        Raises:
            NotPutBack: it is still there.
        """
        wait_for_end(bench, self.command, LIMIT)
        for family in self._added(bench.host, before):
            rule = self._rule(family)
            if not self._kept(bench.host, family):
                # In force and not in the file: a deletion was cut off, and ufw deletes only what it knows.
                bench.host.run(Command(("ufw", *rule), timeout=LIMIT))
            take_back(bench, ("ufw", "delete", *rule), lambda one=family: not self._is_there(bench.host, one), LIMIT)  # type: ignore[misc]

    def _added(self, host: Host, before: Json) -> tuple[Family, ...]:
        """Return the families that have the rule and had not."""
        was = converter.structure(before, RuleBefore)
        pairs = zip(FAMILIES, (was.ipv4, was.ipv6), strict=True)
        return tuple(family for family, had in pairs if had == "no" and self._is_there(host, family))

    def _is_there(self, host: Host, family: Family) -> bool:
        return self._kept(host, family) or self._in_force(host, family)

    def _kept(self, host: Host, family: Family) -> bool:
        """Return whether the rule stands in ufw's file, which it writes before the kernel hears of it.

        Raises:
            HostError: the file cannot be read.
        """
        path: Path = host.layout.at("/etc/ufw") / family.file
        rules = (host.read(path) or b"").decode(errors="replace")
        every = re.escape(family.everywhere)
        return (
            re.search(rf"^### tuple ### allow tcp {self.port} {every} any {every} in\b", rules, re.MULTILINE)
            is not None
        )

    @property
    def _match(self) -> tuple[str, ...]:
        """The rule as the kernel's program shows it."""
        return ("-p", "tcp", "-m", "tcp", "--dport", str(self.port), "-j", "ACCEPT")

    def _in_force(self, host: Host, family: Family) -> bool:
        """Return whether the kernel has the rule; where the chain is not there, as at boot, it has not."""
        said = consult(host, family.program, "-S", family.chain)
        rule = " ".join(("-A", family.chain, *self._match))
        return said is not None and said.status == 0 and rule in said.stdout.splitlines()


def _word(value: bool) -> YesNo:
    return "yes" if value else "no"
