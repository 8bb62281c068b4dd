"""The lock that makes a run the only one: the kernel's, so that it ends with its owner."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from palpo_installer.errors import HostError, Locked
from palpo_installer.layout import Layout


@contextmanager
def hold(layout: Layout, purpose: str) -> Iterator[None]:
    """Hold the lock; ``purpose`` is what others are told, e.g. ``run 0003``.

    Raises:
        Locked: somebody else holds it.
    """
    make_state_directory(layout)
    descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _taken(descriptor) or not _is_still(layout, descriptor):
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another command"
            raise Locked(f"{holder} is at work on this host", next="Wait for its end, or see: palpo-installer attach")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, purpose.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    """Take the lock; a viewer's look (``is_free``) holds it for a moment only, so ask more than once."""
    for _ in range(5):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False


def _is_still(layout: Layout, descriptor: int) -> bool:
    """Return whether the file that was locked is the one that others find: an uninstall removes it at its end."""
    try:
        return os.path.samestat(os.fstat(descriptor), layout.lock.stat())
    except FileNotFoundError:
        return False


def is_free(layout: Layout) -> bool:
    """Return whether nobody holds the lock."""
    try:
        descriptor = os.open(layout.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def make_state_directory(layout: Layout) -> None:
    """Make the directories that runs need; the proxy must be able to reach the webroot in them.

    Raises:
        HostError: they cannot be made.
    """
    try:
        layout.state.mkdir(mode=0o755, parents=True, exist_ok=True)
        layout.runs.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot be made: {error.strerror}", where=str(layout.state)) from error
