"""Apache as a program that runs. See httpd, "Stopping and Restarting Apache HTTP Server"."""

from __future__ import annotations

import signal
from collections.abc import Collection, Sequence
from pathlib import Path

from palpo_installer import services
from palpo_installer.host import Command, Host
from palpo_installer.proxies import error_log, main_process
from palpo_installer.proxies.apache import diagnosis, hazards, process
from palpo_installer.proxies.control import Mark, Verdict
from palpo_installer.proxies.sockets import Socket
from palpo_installer.services import Service


class ApacheControl:
    """How Apache is controlled."""

    title = "Apache"

    def dry_run(self, service: Service, limit: float) -> Command:
        """Return ``apache2ctl -t``, or ``httpd -t``."""
        return process.dry_run(service, limit)

    def start(self, service: Service, limit: float) -> Command:
        """Return how it is started."""
        return process.start(service, limit)

    def reload(self, service: Service, limit: float) -> Command:
        """Return how it is reloaded: by its unit, else gracefully."""
        return process.reload(service, limit)

    def examine(self, host: Host, service: Service, limit: float) -> Verdict:
        """Test the configuration.

        Raises:
            TimedOut: it takes too long.
            HostError: Apache cannot be started.
        """
        completed = host.run(process.dry_run(service, limit))
        return diagnosis.verdict(completed.status == 0, completed.stderr)

    def conflicts(self, before: Sequence[str] | None, after: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
        """Return none: Apache does not warn of two virtual hosts with one name."""
        return ()

    def hazard(self, host: Host, service: Service, sockets: Collection[Socket]) -> str:
        """Return which socket of the configuration on disk it could not open: with the reload it would end."""
        return hazards.hazard(host, service)

    def mark(self, host: Host, log: Path | None) -> Mark:
        """Return the present end of its error log."""
        return error_log.mark(host, log)

    def gave_up(self, host: Host, log: Path | None, since: Mark) -> bool:
        """Return whether it ended since, as it does where it cannot open a socket or a log."""
        return any(end in message for message in diagnosis.grave(host, log, since) for end in diagnosis.GAVE_UP)

    def cause(self, host: Host, service: Service, log: Path | None, since: Mark) -> str:
        """Return why, from the error log, or from the unit's journal where that says nothing."""
        said = diagnosis.grave(host, log, since)
        if not said and service.manager == "systemd":
            said = diagnosis.journal(host, service.unit, since.at)
        return diagnosis.explain(host, said) or main_process.trouble(host, service, self.title)

    def as_running(self, host: Host, service: Service) -> Service:
        """Return the service with the manager that its main process has now."""
        return services.as_running(host, service)

    def hang_up(self, host: Host, service: Service) -> None:
        """Reload by the signal USR1.

        Raises:
            HostError: it cannot be sent.
        """
        main_process.tell(host, service, self.title, signal.SIGUSR1)

    def clear(self, host: Host, service: Service) -> None:
        """Do nothing: its test leaves nothing behind."""
