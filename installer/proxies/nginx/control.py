"""nginx as a program that runs. See nginx, "Controlling nginx"."""

from __future__ import annotations

import signal
from collections.abc import Collection, Sequence
from pathlib import Path

from palpo_installer import services
from palpo_installer.host import Command, Host
from palpo_installer.proxies import error_log, main_process
from palpo_installer.proxies.control import Mark, Verdict
from palpo_installer.proxies.nginx import diagnosis, process
from palpo_installer.proxies.sockets import Socket
from palpo_installer.services import Service


class NginxControl:
    """How nginx is controlled."""

    title = "nginx"

    def dry_run(self, service: Service, limit: float) -> Command:
        """Return ``nginx -t``."""
        return diagnosis.dry_run(service, limit)

    def start(self, service: Service, limit: float) -> Command:
        """Return how it is started."""
        return services.start_command(service, limit)

    def reload(self, service: Service, limit: float) -> Command:
        """Return how it is reloaded: by its unit, else with ``-s reload``."""
        return services.reload_command(service, limit)

    def examine(self, host: Host, service: Service, limit: float) -> Verdict:
        """Test the configuration; where nginx is stopped this writes an empty file for its process number, and logs.

        Raises:
            TimedOut: it takes too long, e.g. because a name in it cannot be resolved.
            HostError: nginx cannot be started.
        """
        return diagnosis.examine(host, service, limit)

    def conflicts(self, before: Sequence[str] | None, after: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
        """Return the new warnings: of two blocks with the same name on a socket nginx ignores the later one."""
        return diagnosis.new_conflicts(before, after, names)

    def hazard(self, host: Host, service: Service, sockets: Collection[Socket]) -> str:
        """Return none: an nginx that cannot open a socket goes on with its old configuration."""
        return ""

    def mark(self, host: Host, log: Path | None) -> Mark:
        """Return the present end of its error log."""
        return error_log.mark(host, log)

    def gave_up(self, host: Host, log: Path | None, since: Mark) -> bool:
        """Return whether it could not open a socket after trying for 2.5 seconds."""
        return any(diagnosis.GAVE_UP in message for message in diagnosis.emergencies(host, log, since))

    def cause(self, host: Host, service: Service, log: Path | None, since: Mark) -> str:
        """Return why, from the error log, or from the unit's journal where that says nothing."""
        messages = diagnosis.emergencies(host, log, since)
        if not messages and service.manager == "systemd":
            messages = diagnosis.journal_emergencies(host, service.unit, since.at)
        return diagnosis.explain(host, messages) or main_process.trouble(host, service, self.title)

    def as_running(self, host: Host, service: Service) -> Service:
        """Return the service with the manager, the prefix and the first error log that its master process has now."""
        return process.as_running(host, service)

    def hang_up(self, host: Host, service: Service) -> None:
        """Reload by the signal HUP.

        Raises:
            HostError: it cannot be sent.
        """
        main_process.tell(host, service, self.title, signal.SIGHUP)

    def clear(self, host: Host, service: Service) -> None:
        """Remove the empty file for its process number."""
        process.remove_empty_pid_file(host, service)
