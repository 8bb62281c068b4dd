"""``palpo-installer rehearse``: the site that would be installed, served from a private copy of the proxy."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from palpo_installer import rehearsal
from palpo_installer.commands.options import answers_options, json_option
from palpo_installer.host import Host
from palpo_installer.serialization import dump
from palpo_installer.session import begin, given
from palpo_installer.verify import describe


@click.command()
@answers_options
@json_option
@click.pass_obj
def rehearse(host: Host, file: Path | None, settings: tuple[str, ...], *, as_json: bool) -> int:
    """Try the site out in a private copy of the proxy on loopback, and probe it; change nothing."""
    session = begin(host, given(host, file, settings))
    with stopping_as_by_keyboard():
        report = rehearsal.rehearse(session.answers, session.proxy, host.layout)
    click.echo(dump(report) if as_json else describe(report))
    return 6 if report.failures else 0


@contextmanager
def stopping_as_by_keyboard() -> Iterator[None]:
    """Let a lost connection, and a wish of the system to stop, end us as Ctrl-C does: with everything tidied up."""
    usual = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        for number, handler in usual.items():
            # Under nohup, a lost connection is no reason to stop.
            if handler is not signal.SIG_IGN:
                signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
