"""While a package is installed nothing is started by it: the plan that follows does that, and proves it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.host import Host

SIGN = "# Made by palpo-installer"

SCRIPT = """\
#!/bin/sh
{sign} while it installs a package, and removed after that: the package starts no service meanwhile
# (invoke-rc.d(8)). Should this file be left over, it forbids nothing any more and can be deleted.
case " $* " in *" start "* | *"(start)"*) ;; *) exit 0 ;; esac
[ -e '{lock}' ] || exit 0
flock --nonblock --conflict-exit-code 75 '{lock}' true
[ $? -ne 75 ] || exit 101
exit 0
"""


def policy_path(host: Host) -> Path:
    """Return where Debian asks whether a package may start a service."""
    return host.layout.at("/usr/sbin/policy-rc.d")


@contextmanager
def nothing_started(host: Host) -> Iterator[int]:
    """Keep packages from starting services; a policy that the host has already stays, and decides alone.

    The policy holds as long as somebody has the lock that is yielded: give it to the package manager, and it holds
    to that one's end, and not a moment longer, whatever becomes of us.

    Raises:
        HostError: it cannot be written.
    """
    lock = host.layout.state / "packages.lock"
    path = policy_path(host)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        lift(host)
        _write(path, SCRIPT.format(sign=SIGN, lock=lock))
        yield descriptor
    finally:
        lift(host)
        os.close(descriptor)
        lock.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    if path.exists():
        return
    new = path.with_name(f".{path.name}.palpo-installer")
    try:
        new.write_text(text)
        new.chmod(0o755)
        new.rename(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise HostError(f"cannot be written: {error.strerror}", where=str(path)) from error


def lift(host: Host) -> None:
    """Remove our policy, where there is one."""
    path = policy_path(host)
    if SIGN in (host.text(path) or ""):
        path.unlink(missing_ok=True)
