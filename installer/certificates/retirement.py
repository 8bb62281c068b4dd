"""How the renewal timer is ended where nothing is to be renewed any more, and brought back."""

from __future__ import annotations

from dataclasses import dataclass

from palpo_installer.certificates.timer import ActivateTimer, Before
from palpo_installer.errors import GateFailed, HostError, NotPutBack
from palpo_installer.host import Host
from palpo_installer.operations.base import Description, Json, Workbench
from palpo_installer.serialization import converter


@dataclass(frozen=True)
class RetireTimer(ActivateTimer):
    """Ends the renewal timer, whose files are gone by then; systemd keeps it in its memory until it is stopped."""

    def describe(self, host: Host) -> Description:
        """Return how it shows itself."""
        return Description(f"Stop and disable {self.timer}", details=(f"systemctl stop {self.timer}",))

    def activate(self, bench: Workbench, before: Json) -> None:
        """Stop it, remove the link that starts it at boot, and prove that it is neither there nor waiting.

        Raises:
            GateFailed: it still is.
        """
        try:
            self.systemctl(bench.host, "stop", self.timer)
            self.forget(bench.host, converter.structure(before, Before))
            self.systemctl(bench.host, "daemon-reload")
            now = self.seen(bench.host)
        except (HostError, OSError) as error:
            raise GateFailed(str(error), where=self.timer) from error
        if now.active or now.enabled:
            raise GateFailed("still waits for its next time", where=self.timer, next=f"See: systemctl cat {self.timer}")

    def restore(self, bench: Workbench, before: Json) -> None:
        """Let it wait for its next time again, once its files are back, as it did before.

        Raises:
            NotPutBack: it does not.
        """
        if converter.structure(before, Before).enabled:
            try:
                self.systemctl(bench.host, "daemon-reload")
                self.systemctl(bench.host, "enable", self.timer)
            except HostError as error:
                raise NotPutBack(error.what, where=error.where, next=error.next) from error
        super().restore(bench, before)
