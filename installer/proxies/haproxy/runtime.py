"""Renewed certificates for a running HAProxy, over its runtime socket: no worker is started or ended for them.

See its management guide, "set ssl cert" and "commit ssl cert". What is on disk is the same: a later reload reads that.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.proxies.base import Link
from palpo_installer.proxies.haproxy.configuration import HAProxy

SINCE = (2, 4, 0)
LIMIT = 10.0
"""Seconds for each command."""
LONGEST = 2**20
"""Bytes of an answer that are read."""
CREDENTIALS = struct.Struct("3i")
"""Process, user and group of who listens on a Unix socket (unix(7), ``SO_PEERCRED``)."""


def swap(host: Host, haproxy: HAProxy, links: Sequence[Link]) -> None:
    """Let HAProxy show the certificates that the files behind these links hold now.

    Args:
        host: the machine.
        haproxy: as found, running.
        links: the names under which it loads each chain, and beside it, with ``.key``, its key.

    Raises:
        HostError: it has no socket for this, or does not take one of them; others may be taken up by then.
    """
    place = address(haproxy)
    targets = {str(link.path): Path(link.target) for link in links}
    known = loaded(place)
    for name, chain in targets.items():
        if (key := targets.get(f"{name}.key")) is not None:
            if name not in known:
                raise HostError(f"HAProxy has loaded no certificate by the name {name}", where=place)
            _replace(host, place, known[name], (chain, key))


def address(haproxy: HAProxy) -> str:
    """Return the Unix socket on which a running HAProxy takes commands of an administrator.

    Raises:
        HostError: it has none, or is too old.
    """
    paths = (each.address.removeprefix("unix@") for each in haproxy.sockets if each.level == "admin")
    found = next((path for path in paths if path.startswith("/")), None)
    if found is None or haproxy.version < SINCE or haproxy.pid is None:
        raise HostError("HAProxy has no Unix socket of level admin on which it takes certificates")
    return found


def loaded(place: str) -> Mapping[str, str]:
    """Return how HAProxy names each certificate that it has loaded, by its path.

    Raises:
        HostError: it does not answer.
    """
    names = (line.strip() for line in command(place, b"show ssl cert").splitlines())
    return {os.path.normpath(name): name for name in names if name and not name.startswith(("#", "*"))}


def _replace(host: Host, place: str, name: str, files: tuple[Path, Path]) -> None:
    # An empty line ends what is sent, and what came after it would be taken for commands, and told.
    lines = [line for file in files for line in (host.read(file) or b"").splitlines() if line.strip()]
    if "Transaction" not in command(place, b"set ssl cert %s <<\n%s\n" % (name.encode(), b"\n".join(lines))):
        raise HostError(f"HAProxy does not take the certificate {files[0]} for {name}", where=place)
    if "Success" not in command(place, b"commit ssl cert %s" % name.encode()):
        command(place, b"abort ssl cert %s" % name.encode())
        raise HostError(f"HAProxy does not change over to the certificate {files[0]} for {name}", where=place)


def command(place: str, text: bytes) -> str:
    """Return the answer to a command; what is sent may hold a key, and is never told.

    Raises:
        HostError: nobody answers in time, or whoever listens is not ours to tell.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(LIMIT)
            client.connect(place)
            _, user, _ = CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
            if user != os.geteuid():
                raise HostError(f"user {user} listens there, who is not to be shown a key", where=place)
            client.sendall(text + b"\n")
            answer = b""
            while len(answer) < LONGEST and (more := client.recv(65536)):
                answer += more
    except OSError as error:
        raise HostError(f"HAProxy does not answer: {error.strerror or error}", where=place) from error
    return answer.decode(errors="replace")
