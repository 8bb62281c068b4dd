"""Caddy as a program that runs. See caddyserver.com, "Command Line"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from palpo_installer import services
from palpo_installer.certificates.process import Watch
from palpo_installer.host import Command, Host
from palpo_installer.proxies import error_log, main_process
from palpo_installer.proxies.caddy import hazards, ordering, process
from palpo_installer.proxies.control import Mark, Verdict
from palpo_installer.proxies.ordering import Errand
from palpo_installer.proxies.sockets import Socket
from palpo_installer.services import Service

PLACE = re.compile(r"(?P<file>/[^\s:]+):(?P<line>\d+)")


class CaddyControl:
    """How Caddy is controlled."""

    title = "Caddy"

    def dry_run(self, service: Service, limit: float) -> Command:
        """Return ``caddy validate``."""
        return process.testing(service, limit)

    def start(self, service: Service, limit: float) -> Command:
        """Return how it is started."""
        return process.start(service, limit)

    def reload(self, service: Service, limit: float) -> Command:
        """Return ``caddy reload``."""
        return process.reload(service, limit)

    def examine(self, host: Host, service: Service, limit: float) -> Verdict:
        """Test the configuration on disk.

        Raises:
            TimedOut: it takes too long.
            HostError: Caddy cannot be started.
        """
        completed = host.run(process.testing(service, limit))
        return verdict(completed.status == 0, completed.stderr)

    def conflicts(self, before: Sequence[str] | None, after: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
        """Return none: two sites with one address are an error of the test."""
        return ()

    def hazard(self, host: Host, service: Service, sockets: Collection[Socket]) -> str:
        """Return which socket of the configuration on disk a reload could not open: a part of it would answer."""
        return hazards.hazard(host, service)

    def mark(self, host: Host, log: Path | None) -> Mark:
        """Return the present time: ``caddy reload`` itself says what was wrong."""
        return error_log.mark(host, None)

    def gave_up(self, host: Host, log: Path | None, since: Mark) -> bool:
        """Return that this is not known: where Caddy keeps its old configuration, its reload fails."""
        return False

    def cause(self, host: Host, service: Service, log: Path | None, since: Mark) -> str:
        """Return why, from the unit's journal, or from the state of its process."""
        if service.manager == "systemd":
            said = error_log.journal(host, service.unit, since.at)
            found = [message for line in said.splitlines() if (message := _error(line))]
            if found:
                return f"Caddy says: {found[-1]}"
        return main_process.trouble(host, service, self.title)

    def as_running(self, host: Host, service: Service) -> Service:
        """Return the service with the manager that its process has now."""
        return services.as_running(host, service)

    def hang_up(self, host: Host, service: Service) -> None:
        """Do nothing: no signal makes Caddy reload."""

    def order(self, host: Host, service: Service, errand: Errand, watch: Watch, arrived: Callable[[], bool]) -> None:
        """Let it order a certificate beside what it serves.

        Raises:
            Failed, TimedOut, HostError, Interrupted: as ``ordering.order``.
        """
        ordering.order(host, service, errand, watch, arrived)

    def forget(self, host: Host, service: Service) -> None:
        """Let it go back to its Caddyfile where an order was cut off.

        Raises:
            HostError: it does not.
        """
        ordering.forget(host, service)

    def clear(self, host: Host, service: Service) -> None:
        """Leave everything: a test of Caddy's writes nothing beside its logs."""


def verdict(loads: bool, said: str) -> Verdict:
    """Return what a test said: the line marked as an error, else the last one; it may name a place.

    Behind its error Caddy may have a line of advice.
    """
    words = [line for line in said.splitlines() if line.strip()]
    told = next((line for line in words if line.startswith("Error: ")), words[-1] if words else "")
    error = "" if loads else _error(told) or told
    place = PLACE.search(error)
    warnings = tuple(line for line in words if '"level":"warn"' in line or "\tWARN\t" in line)
    return Verdict(
        loads=loads,
        error=error.removeprefix("Error: "),
        file=Path(place["file"]) if place else None,
        line=int(place["line"]) if place else 0,
        warnings=warnings,
    )


def _error(line: str) -> str:
    """Return the message of a line of Caddy's log that is an error, empty where it is none."""
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict) or entry.get("level") != "error":
        return ""
    return ": ".join(str(entry[key]) for key in ("msg", "error") if key in entry)
