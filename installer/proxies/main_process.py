"""The main process of a proxy: whether it is well, who works for it, and how it is told by a signal."""

from __future__ import annotations

import signal

import psutil

from palpo_installer import services
from palpo_installer.errors import HostError
from palpo_installer.host import Host, Socket
from palpo_installer.services import Service


def main_process(host: Host, service: Service) -> psutil.Process | None:
    """Return the main process, None where it does not run."""
    pid = services.main_process(host, service)
    return None if pid is None else host.process(pid)


def trouble(host: Host, service: Service, title: str) -> str:
    """Return why it cannot have done what it was told, empty when it seems well."""
    main = main_process(host, service)
    try:
        if main is None:
            return f"{title} is not running any more"
        stopped = main.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return f"{title} is not running any more"
    return f"{title}'s main process {main.pid} is stopped (SIGSTOP) and does nothing" if stopped else ""


def family(host: Host, service: Service) -> frozenset[int]:
    """Return it and its workers, none where the proxy does not run."""
    main = main_process(host, service)
    try:
        return frozenset() if main is None else frozenset({main.pid, *(each.pid for each in main.children())})
    except psutil.Error:
        return frozenset()


def with_sockets(host: Host, service: Service) -> tuple[frozenset[int], tuple[Socket, ...]]:
    """Return it and its workers, and all open sockets: while it reloads, also those that have just begun or ended."""
    before = family(host, service)
    sockets = host.listening()
    return before | family(host, service), sockets


def tell(host: Host, service: Service, title: str, number: signal.Signals) -> None:
    """Reload by the signal itself, where the usual way to send it hangs or fails; nothing where none runs.

    Raises:
        HostError: it cannot be sent.
    """
    main = main_process(host, service)
    if main is not None:
        try:
            main.send_signal(number)
        except psutil.Error as error:
            raise HostError(f"cannot be told to reload: {error}", where=f"{title} (process {main.pid})") from error
