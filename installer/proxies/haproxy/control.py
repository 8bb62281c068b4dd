"""HAProxy as a program that runs. See its management guide, "Stopping and restarting HAProxy"."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Sequence
from pathlib import Path

from palpo_installer import services
from palpo_installer.host import Command, Host
from palpo_installer.proxies import error_log, main_process
from palpo_installer.proxies.base import Link
from palpo_installer.proxies.control import Mark, Verdict
from palpo_installer.proxies.found import Proxy
from palpo_installer.proxies.haproxy import hazards, process, runtime
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.haproxy.discovery import loaded
from palpo_installer.proxies.sockets import Socket
from palpo_installer.services import Service

ALERT = re.compile(r"\[ALERT\]\s+(?:\S+ )?\(\d+\) : (?P<message>.+)")
WARNING = re.compile(r"\[WARNING\]\s+(?:\S+ )?\(\d+\) : (?P<message>.+)")
PLACE = re.compile(r"parsing \[(?P<file>/[^\]]+):(?P<line>\d+)\]")


class HAProxyControl:
    """How HAProxy is controlled."""

    title = "HAProxy"

    def dry_run(self, service: Service, limit: float) -> Command:
        """Return ``haproxy -c`` with all that is loaded."""
        return testing(service, loaded(service.argv), limit)

    def start(self, service: Service, limit: float) -> Command:
        """Return how it is started."""
        return services.start_command(service, limit)

    def reload(self, service: Service, limit: float) -> Command:
        """Return how it is reloaded: by its unit, else by the signal USR2."""
        return process.reload(service, limit)

    def take_up(self, host: Host, service: Service, limit: float) -> Command:
        """Return how it is reloaded, or restarted where it has to load other files than it was started with."""
        return process.take_up(host, service, limit)

    def swap(self, host: Host, proxy: Proxy, links: Sequence[Link]) -> None:
        """Let it show renewed certificates by its runtime socket.

        Raises:
            HostError: it has none, or does not take one of them.
        """
        if isinstance(proxy, HAProxy):
            runtime.swap(host, proxy, links)

    def examine(self, host: Host, service: Service, limit: float) -> Verdict:
        """Test the configuration on disk, as it would be loaded now.

        Raises:
            TimedOut: it takes too long, e.g. because a name in it cannot be resolved.
            HostError: HAProxy cannot be started.
        """
        completed = host.run(testing(service, process.files(host, service), limit))
        return verdict(completed.status == 0, completed.stderr)

    def conflicts(self, before: Sequence[str] | None, after: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
        """Return none: names are conditions here, and who listens on a port of ours is known before."""
        return ()

    def hazard(self, host: Host, service: Service, sockets: Collection[Socket]) -> str:
        """Return which socket HAProxy cannot get: it would stop accepting for seconds while it tries."""
        return hazards.hazard(host, service, sockets)

    def mark(self, host: Host, log: Path | None) -> Mark:
        """Return the present time: HAProxy tells its errors to the journal."""
        return error_log.mark(host, None)

    def gave_up(self, host: Host, log: Path | None, since: Mark) -> bool:
        """Return that this is not known: there is no file that tells it."""
        return False

    def cause(self, host: Host, service: Service, log: Path | None, since: Mark) -> str:
        """Return why, from the unit's journal, or from the state of its main process."""
        if service.manager == "systemd":
            said = error_log.journal(host, service.unit, since.at)
            found = [alert["message"] for line in said.splitlines() if (alert := ALERT.search(line))]
            if found:
                return f"HAProxy says: {found[0]}"
        return main_process.trouble(host, service, self.title)

    def as_running(self, host: Host, service: Service) -> Service:
        """Return the service with the manager and the files that its main process has now."""
        return process.as_running(host, service)

    def hang_up(self, host: Host, service: Service) -> None:
        """Reload by the signal USR2.

        Raises:
            HostError: it cannot be sent.
        """
        main_process.tell(host, service, self.title, signal.SIGUSR2)

    def clear(self, host: Host, service: Service) -> None:
        """Leave everything: a test of HAProxy's writes nothing."""


def testing(service: Service, files: Sequence[str], limit: float) -> Command:
    """Return how a configuration of these files is tested."""
    loads = (word for file in files for word in ("-f", file))
    return Command((service.argv[0], "-c", *loads), timeout=limit)


def verdict(loads: bool, said: str) -> Verdict:
    """Return what a test said."""
    alerts = [found["message"] for line in said.splitlines() if (found := ALERT.search(line))]
    warnings = tuple(found["message"] for line in said.splitlines() if (found := WARNING.search(line)))
    error = alerts[0] if alerts else said.strip()
    place = PLACE.search(error)
    return Verdict(
        loads=loads,
        error="" if loads else error,
        file=Path(place["file"]) if place and not loads else None,
        line=int(place["line"]) if place and not loads else 0,
        warnings=warnings,
    )
