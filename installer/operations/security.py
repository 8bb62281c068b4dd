"""What a run may set in SELinux, in firewalls and in who reads our keys, and how a later run takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from palpo_installer.errors import HostError, NotPutBack
from palpo_installer.host import Host
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.base import Description, Json, Operation, State, Workbench
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.selinux import REBUILD, LabelPort, SetBoolean
from palpo_installer.operations.settings import wait_for_end
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.serialization import tag

Setting = SetBoolean | LabelPort | OpenFirewalldPort | AllowUfwPort | LetGroupIn
tag(Setting)


@dataclass(frozen=True)
class Withdraw(Operation):
    """Takes back a setting of an earlier run that is still as that run left it.

    Attributes:
        setting: what was set.
        before: what was the case before it, from the journal of that run.
        run: the run.
    """

    setting: Setting
    before: Mapping[str, str]
    run: str

    def describe(self, host: Host) -> Description:
        """Show the subject, the run and the command."""
        details = (self.setting.way_back(self.before), f"set by run {self.run}, and as it left it")
        return Description(f"take back: {self.before['path']}", details=details)

    def prepare(self, bench: Workbench, number: int) -> Json:
        """See whether the setting is still that of the run."""
        return {"path": self.before["path"], "state": self.setting.state(bench.host, self.before).value}

    def observe(self, bench: Workbench, before: Json) -> State:
        """Return whether the setting is gone that was there."""
        now = self.setting.state(bench.host, self.before)
        if before["state"] != State.AFTER or now is State.AFTER:
            return State.BEFORE
        return State.AFTER if now is State.BEFORE else State.OTHER

    def act(self, bench: Workbench, before: Json) -> Json:
        """Take the setting back, unless somebody changed it.

        Raises:
            HostError: it is still there.
        """
        if before["state"] == State.AFTER:
            try:
                self.setting.undo(bench, self.before)
            except NotPutBack as error:
                raise HostError(error.what, where=error.where, next=error.next) from error
        return {"path": self.before["path"], "kind": "withdrawn"}

    def undo(self, bench: Workbench, before: Json) -> None:
        """Make the setting again, also where only a part of it is gone.

        Raises:
            NotPutBack: it cannot be made.
        """
        if before["state"] != State.AFTER:
            return
        for command in self.setting.withdrawing(self.before):
            wait_for_end(bench, command, REBUILD)
        try:
            # A setting of several parts counts as there as long as one of them is.
            if self.setting.state(bench.host, self.before) is not State.OTHER:
                self.setting.act(bench, self.before)
        except HostError as error:
            raise NotPutBack(error.what, where=error.where, next=error.next) from error
