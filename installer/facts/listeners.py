"""Listeners: who answers now, by address and port, with process, unit and container."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Listener:
    """One listening TCP socket.

    Attributes:
        address: as bound: ``0.0.0.0``, ``::`` or a specific address.
        port: its port.
        both_families: a ``::`` socket that takes IPv4 too (IPV6_V6ONLY is off).
        process: the program's name, empty where we may not see it.
        pid: of the owner (the oldest process that holds the socket), None where we may not see it.
        unit: the systemd unit that started it, empty for none.
        container: the container's name or short id, empty for none.
    """

    address: str
    port: int
    both_families: bool
    process: str
    pid: int | None
    unit: str
    container: str

    @property
    def owner(self) -> str:
        """The owner in words: container, unit, or process with its number."""
        if self.container:
            return f"container {self.container}"
        if self.unit:
            return f"{self.process or 'a process'} ({self.unit})"
        if self.pid is None:
            return "a process we may not see"
        return f"{self.process} (process {self.pid})"
