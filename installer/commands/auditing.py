"""``palpo-installer audit``: the Matrix configuration that is already there, and what it will break."""

from __future__ import annotations

from dataclasses import replace

import click

from palpo_installer.audit.auditing import audit as judge
from palpo_installer.audit.report import describe
from palpo_installer.commands.options import json_option
from palpo_installer.facts import gather
from palpo_installer.facts import names as dns
from palpo_installer.facts.names import WITHOUT_PORT
from palpo_installer.host import Host
from palpo_installer.serialization import dump


@click.command()
@json_option
@click.pass_obj
def audit(host: Host, *, as_json: bool) -> int:
    """Read the Matrix configuration that is there, ours or not, and name each trap with file, line and cure."""
    facts = gather(host)
    told = (each.server_name for each in facts.palpo.configurations[:1])
    names = tuple(dict.fromkeys(WITHOUT_PORT.sub("", name) for name in told if name))
    found = judge(host, replace(facts, names=dns.read(host, names)))
    click.echo(dump(found) if as_json else describe(found))
    return 6 if found.traps else 0
