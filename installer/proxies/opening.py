"""Whether a socket can be opened now, as the kernel says while nothing listens for that; and who keeps it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from palpo_installer.facts import denials
from palpo_installer.host import Host
from palpo_installer.proxies.found import Listen


def refusal_of(listen: Listen, *, shares: bool = False) -> str:
    """Return why a socket cannot be opened now, empty where it can.

    Args:
        listen: the socket.
        shares: whether the proxy shares its sockets with others of the same user (SO_REUSEPORT, see socket(7)).
    """
    version = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
    try:
        with socket.socket(version, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shares))
            if version == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int("ipv6only=off" not in listen.options))
            trial.bind((listen.address, listen.port))
    except OSError as error:
        return error.strerror or str(error)
    return ""


@dataclass(frozen=True)
class Refused:
    """A socket that a proxy could not open, in the words of its log."""

    address: str
    port: int
    reason: str


def in_words(host: Host, title: str, program: str, sockets: Iterable[Refused]) -> str:
    """Return that a proxy could not listen, with the owner of a port that is taken, or why SELinux refused it.

    Args:
        host: for who holds what.
        title: what people call the proxy.
        program: what SELinux knows it by.
        sockets: what it could not open.
    """
    sentences = (f"{each.address}:{each.port}: {each.reason}{_why(host, program, each)}" for each in sockets)
    return f"{title} could not listen on " + "; ".join(dict.fromkeys(sentences))


def _why(host: Host, program: str, refused: Refused) -> str:
    if refused.reason == "Permission denied" and (kind := denials.listening(host, program, refused.port)):
        return f', refused by SELinux, to which the port is {kind} (see {denials.LOG}); host.selinux = "allow" mends it'
    return held_by(host, refused.port) if refused.reason == "Address already in use" else ""


def held_by(host: Host, port: int, but: frozenset[int] = frozenset()) -> str:
    """Return who holds a port, as the end of a sentence; ``but`` are processes that do not count."""
    owners = dict.fromkeys(socket.pid for socket in host.listening() if socket.port == port and socket.pid)
    named = [
        f"{process.name()} (process {pid})"
        for pid in owners
        if pid and pid not in but and (process := host.process(pid))
    ]
    return f", held by {', '.join(named)}" if named else ""


def holder(host: Host, pid: int) -> str:
    """Return a process that holds a socket, in words, also where it has ended by now."""
    process = host.process(pid)
    return f"{process.name()} (process {pid})" if process else f"process {pid}"
