"""How the renewal timer is made to run, and taken back.

Its files belong to the change; this is about what systemd knows of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from palpo_installer import services
from palpo_installer.errors import GateFailed, HostError, NotPutBack
from palpo_installer.host import Command, Host
from palpo_installer.operations.base import Activation, Description, Json, Workbench
from palpo_installer.serialization import converter
from palpo_installer.services import QUICK

TIMER = "palpo-installer-renew.timer"


@dataclass(frozen=True)
class Before:
    """The timer before the change, and which of the directories were there that systemd makes for it."""

    enabled: bool
    active: bool
    directories: tuple[Path, ...]


@dataclass(frozen=True)
class ActivateTimer(Activation):
    """Makes the renewal timer run.

    Attributes:
        scheduler: who runs it; ``cron`` reads its directory by itself.
        timer: the timer unit.
    """

    scheduler: Literal["systemd", "cron"]
    timer: str = TIMER

    def describe(self, host: Host) -> Description:
        """Return how it shows itself."""
        if self.scheduler == "cron":
            return Description("Where cron runs, it takes up the renewal job by itself")
        return Description(f"Enable and start {self.timer}", details=(f"systemctl enable --now {self.timer}",))

    def prepare(self, bench: Workbench) -> Json:
        """Record whether it is enabled and waits."""
        plain: Json = {} if self.scheduler == "cron" else converter.unstructure(self.seen(bench.host))
        return plain

    def seen(self, host: Host) -> Before:
        """Return what systemd knows of it now."""
        said = services.unit_properties(host, self.timer)
        return Before(
            enabled=said.get("UnitFileState") == "enabled",
            active=said.get("ActiveState") == "active",
            directories=self.directories(host),
        )

    def directories(self, host: Host) -> tuple[Path, ...]:
        """Return which of systemd's directories for it are there."""
        return tuple(path.parent for path in self._traces(host) if path.parent.is_dir())

    def _traces(self, host: Host) -> tuple[Path, Path]:
        """Return the link that starts it at boot, and the note of when it last ran (systemd.timer(5), Persistent=)."""
        link = host.layout.systemd / "timers.target.wants" / self.timer
        return link, host.layout.at(f"/var/lib/systemd/timers/stamp-{self.timer}")

    def activate(self, bench: Workbench, before: Json) -> None:
        """Enable and start it, and prove that it waits for its next time.

        Raises:
            GateFailed: it does not.
        """
        if self.scheduler == "cron":
            return
        try:
            self.systemctl(bench.host, "daemon-reload")
            self.systemctl(bench.host, "enable", self.timer)
            self.systemctl(bench.host, "restart", self.timer)
            problem = self._problem(bench.host)
        except HostError as error:
            raise GateFailed(error.what, where=error.where, next=error.next) from error
        if problem:
            raise GateFailed(problem, where=self.timer, next=f"See: systemctl status {self.timer}")

    def _problem(self, host: Host) -> str:
        said = services.unit_properties(host, self.timer)
        if said.get("ActiveState") != "active" or said.get("UnitFileState") != "enabled":
            return f"is {said.get('ActiveState')} and {said.get('UnitFileState')}, not active and enabled"
        argv = (
            "systemctl",
            "show",
            "--property=NextElapseUSecRealtime,NextElapseUSecMonotonic",
            "--value",
            self.timer,
        )
        times = host.run(Command(argv, timeout=QUICK)).stdout.split()
        return "" if any(time not in {"0", "infinity"} for time in times) else "has no next time to run at"

    def restore(self, bench: Workbench, before: Json) -> None:
        """Let systemd know of the timer what it knew before, once the files are back.

        A timer whose file is gone goes on in systemd's memory until it is stopped, and ``systemctl disable``
        does not know it any more, so that its link is removed here.

        Raises:
            NotPutBack: it still runs, or does not run again.
        """
        if self.scheduler == "cron":
            return
        record = converter.structure(before, Before)
        host = bench.host
        try:
            if not record.active and self.seen(host).active:
                self.systemctl(host, "stop", self.timer)
            if not record.enabled:
                self.forget(host, record)
            self.systemctl(host, "daemon-reload")
            if record.active:
                self.systemctl(host, "restart", self.timer)
            now = self.seen(host)
        except (HostError, OSError) as error:
            raise NotPutBack(str(error), where=self.timer, next=f"See: systemctl status {self.timer}") from error
        if (now.enabled, now.active) != (record.enabled, record.active):
            what = f"should be {_in_words(record)} as before, and is {_in_words(now)}"
            raise NotPutBack(what, where=self.timer, next=f"See: systemctl status {self.timer}")

    def forget(self, host: Host, record: Before) -> None:
        """Remove what ``systemctl enable`` and its runs left, and directories that were not there before."""
        for path in self._traces(host):
            path.unlink(missing_ok=True)
            directory = path.parent
            if directory not in record.directories and directory.is_dir() and not host.names(directory):
                directory.rmdir()
        services.forget_failure(host, self.timer)

    @staticmethod
    def systemctl(host: Host, *words: str) -> None:
        """Run systemctl.

        Raises:
            HostError: it failed.
        """
        completed = host.run(Command(("systemctl", *words), timeout=60.0))
        if completed.status != 0:
            said = completed.stderr.strip()
            raise HostError(f"ended with status {completed.status}: {said}", where=" ".join(("systemctl", *words)))


@dataclass(frozen=True)
class StopTimer(Activation):
    """Stops the renewal timer and lets systemd forget it, once its files are gone.

    Attributes:
        scheduler: who runs it; ``cron`` reads its directory by itself.
        former: the timer before the first run, and which of systemd's directories for it were there.
        timer: the timer unit.
    """

    scheduler: Literal["systemd", "cron"]
    former: Before
    timer: str = TIMER

    @property
    def _starting(self) -> ActivateTimer:
        return ActivateTimer(self.scheduler, self.timer)

    def describe(self, host: Host) -> Description:
        """Return how it shows itself."""
        if self.scheduler == "cron":
            return Description("Where cron runs, it forgets the renewal job by itself")
        return Description(f"Stop and disable {self.timer}", details=("certificates are not renewed any more",))

    def prepare(self, bench: Workbench) -> Json:
        """Record whether it is enabled and waits."""
        return self._starting.prepare(bench)

    def activate(self, bench: Workbench, before: Json) -> None:
        """Let systemd know of it what it knew before the first run.

        Raises:
            GateFailed: it still runs.
        """
        former: Json = converter.unstructure(self.former)
        try:
            self._starting.restore(bench, former)
        except NotPutBack as error:
            raise GateFailed(error.what, where=error.where, next=error.next) from error

    def restore(self, bench: Workbench, before: Json) -> None:
        """Start it again once its files are back, where it ran.

        Raises:
            NotPutBack: it does not run again.
        """
        if self.scheduler == "cron":
            return
        if not converter.structure(before, Before).active:
            self._starting.restore(bench, before)
            return
        try:
            self._starting.activate(bench, before)
        except GateFailed as error:
            raise NotPutBack(error.what, where=error.where, next=error.next) from error


def _in_words(state: Before) -> str:
    return f"{'enabled' if state.enabled else 'disabled'} and {'active' if state.active else 'stopped'}"
