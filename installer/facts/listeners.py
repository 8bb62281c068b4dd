"""Listeners: who answers now, by address and port, with process, unit and container."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import psutil

from palpo_installer.errors import HostError
from palpo_installer.facts.containers import Container, named
from palpo_installer.host import Host, Socket
from palpo_installer.processes import Process, consult

STAND_INS = frozenset({"docker-proxy", "dockerd", "conmon", "rootlessport", "rootlesskit", "slirp4netns", "pasta"})
"""Programs that hold a published port for a container."""


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


def read(
    host: Host, processes: tuple[Process, ...], containers: tuple[Container, ...], note: Callable[[str], None]
) -> tuple[Listener, ...]:
    """Return who listens; ``note`` takes a sentence for what cannot be seen."""
    try:
        sockets = host.listening()
    except HostError as error:
        note(f"{error.what[:1].upper()}{error.what[1:]}.")
        return ()
    if host.layout.private:
        own = {process.pid for process in processes}
        sockets = tuple(socket for socket in sockets if socket.pid in own)
    both = _both_families(host, note) if any(socket.address == "::" for socket in sockets) else {}
    return parse(_with_elders(host, sockets, processes), both, processes, containers)


def _with_elders(host: Host, sockets: tuple[Socket, ...], processes: tuple[Process, ...]) -> Iterator[Socket]:
    """Yield each socket once for the process that is listed with it, and for each elder that holds it too.

    The listing names one process of those that share a socket, such as a worker; its master holds it as well.
    """
    known = {process.pid: process for process in processes}
    held = functools.cache(functools.partial(_held, host))
    for socket in sockets:
        yield socket
        process = known.get(socket.pid or 0)
        while process is not None and (elder := known.get(process.parent)) is not None:
            if elder.name != process.name or (socket.address, socket.port) not in held(elder.pid):
                break
            yield Socket(socket.address, socket.port, elder.pid)
            process = elder


def _held(host: Host, pid: int) -> frozenset[tuple[str, int]]:
    """Return the addresses and ports at which a process listens, none where we may not see them."""
    process = host.process(pid)
    try:
        connections = process.net_connections("tcp") if process else []
    except psutil.Error:
        return frozenset()
    return frozenset((each.laddr.ip, each.laddr.port) for each in connections if each.status == psutil.CONN_LISTEN)


def _both_families(host: Host, note: Callable[[str], None]) -> Mapping[int, bool]:
    said = consult(host, "ss", "-H", "-ltne")
    if said is None or said.status:
        note("Without the program ss, listeners on [::] are taken for IPv6 only.")
        return {}
    return parse_both_families(said.stdout)


def parse_both_families(text: str) -> Mapping[int, bool]:
    """Return for each port with a listener on ``::`` whether it takes IPv4 too, from ``ss -H -ltne``.

    ss writes such a listener as ``*:80 … v6only:0`` or ``[::]:80 … v6only:1``.
    """
    both: dict[int, bool] = {}
    for words in map(str.split, text.splitlines()):
        address, _, port = next((word for word in words if ":" in word), "").rpartition(":")
        if address in {"*", "[::]"} and port.isdigit():
            both[int(port)] = "v6only:0" in words
    return both


def parse(
    sockets: Iterable[Socket],
    both_families: Mapping[int, bool],
    processes: tuple[Process, ...],
    containers: tuple[Container, ...],
) -> tuple[Listener, ...]:
    """Return one listener for each address and port, by port; ``both_families`` is about those on ``::``."""
    known = {process.pid: process for process in processes}
    holders: dict[tuple[int, str], list[int]] = {}
    for socket in sockets:
        holders.setdefault((socket.port, socket.address), []).extend([] if socket.pid is None else [socket.pid])
    listeners = []
    for (port, address), pids in sorted(holders.items()):
        both = address == "::" and both_families.get(port, False)
        owner = _owner([known[pid] for pid in pids if pid in known])
        if owner is None:
            listeners.append(Listener(address, port, both, "", min(pids, default=None), "", ""))
        else:
            container = _container(owner, address, port, containers)
            unit = "" if container else owner.unit
            listeners.append(Listener(address, port, both, owner.name, owner.pid, unit, container))
    return tuple(listeners)


def _owner(holders: list[Process]) -> Process | None:
    # A socket that systemd opened is held by process 1 too; the service is the one that answers.
    services = [process for process in holders if process.pid != 1] or holders
    return min(services, key=lambda process: (process.started, process.pid), default=None)


def _container(owner: Process, address: str, port: int, containers: tuple[Container, ...]) -> str:
    if owner.container:
        return named(containers, owner.container)
    if owner.name not in STAND_INS:
        return ""
    for container in containers:
        if (address, port) in container.ports:
            return container.name
    words = owner.command
    return words[words.index("-container-ip") + 1] if "-container-ip" in words[:-1] else ""
