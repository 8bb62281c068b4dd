"""``palpo-installer audit``: the Matrix configuration that is already there, and what it will break."""

from __future__ import annotations

import click

from palpo_installer.audit.auditing import of_host
from palpo_installer.audit.report import describe
from palpo_installer.commands.options import json_option
from palpo_installer.host import Host
from palpo_installer.serialization import dump


@click.command()
@json_option
@click.pass_obj
def audit(host: Host, *, as_json: bool) -> int:
    """Read the Matrix configuration that is there, ours or not, and name each trap with file, line and cure."""
    found = of_host(host)
    click.echo(dump(found) if as_json else describe(found))
    return 6 if found.traps else 0
