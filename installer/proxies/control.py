"""What the engine asks of every kind of proxy: to test its configuration, to take it up, and to say what went wrong."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from palpo_installer.host import Command, Host
from palpo_installer.proxies.sockets import Socket
from palpo_installer.services import Service


@dataclass(frozen=True)
class Verdict:
    """What a proxy's own test of its configuration says.

    Attributes:
        loads: whether the configuration loads.
        error: why not, in the proxy's words.
        file: where, None where it names no place.
        line: in that file.
        warnings: in order, a repeated one as often as it came.
    """

    loads: bool
    error: str
    file: Path | None
    line: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """A place in a log: the file's number and how long it was, both 0 where there was none; and when it was taken."""

    inode: int
    size: int
    at: float


class Control(Protocol):
    """One kind of proxy as a program that runs: nothing here knows what is served."""

    @property
    def title(self) -> str:
        """What people call the proxy."""

    def dry_run(self, service: Service, limit: float) -> Command:
        """Return how it tests its configuration."""

    def start(self, service: Service, limit: float) -> Command:
        """Return how it is started."""

    def reload(self, service: Service, limit: float) -> Command:
        """Return how it takes up its configuration without losing a request."""

    def examine(self, host: Host, service: Service, limit: float) -> Verdict:
        """Test the configuration on disk.

        Raises:
            TimedOut: it takes too long.
            HostError: the program cannot be started.
        """

    def conflicts(self, before: Sequence[str] | None, after: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
        """Return the warnings of a test that a change brought and that tell of a name which two sites have.

        Where it is not known what it warned of before (None), those count that speak of our own ``names``.
        """

    def hazard(self, host: Host, service: Service, sockets: Collection[Socket]) -> str:
        """Return why a reload now would end the proxy or cost it a socket, though its test passes; empty for none.

        Args:
            host: the machine.
            service: the proxy as it runs.
            sockets: where the change will be answered, each address by itself.
        """

    def mark(self, host: Host, log: Path | None) -> Mark:
        """Return the present end of its error log."""

    def gave_up(self, host: Host, log: Path | None, since: Mark) -> bool:
        """Return whether the log says that it goes on with its old configuration, so that waiting is of no use."""

    def cause(self, host: Host, service: Service, log: Path | None, since: Mark) -> str:
        """Return why it did not take up its configuration, with the owner of a port that is taken; empty if unknown."""

    def as_running(self, host: Host, service: Service) -> Service:
        """Return the service with the manager and the arguments that its main process has now."""

    def hang_up(self, host: Host, service: Service) -> None:
        """Reload by a signal, where the usual way to reload hangs or fails; nothing where there is no such signal.

        Raises:
            HostError: it cannot be sent.
        """

    def clear(self, host: Host, service: Service) -> None:
        """Remove what the proxy's own test leaves behind where it is stopped."""
