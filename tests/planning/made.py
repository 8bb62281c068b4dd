"""Plans over recorded hosts, applied to their files by the real engine; and a host with a real nginx."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from palpo_installer.changes import Plan
from palpo_installer.engine import launch
from palpo_installer.engine.events import EventFile
from palpo_installer.engine.history import ours
from palpo_installer.engine.in_force import in_force, settled, written
from palpo_installer.engine.run import Run
from palpo_installer.facts import gather
from palpo_installer.facts.names import RESOLV_CONF, Name
from palpo_installer.homeserver.keys import signing_key
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.base import Workbench
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.questions import resolve
from palpo_installer.secret import Secret, SecretReference
from palpo_installer.session import own_command
from tests.lab.pebble import running
from tests.ports import free_port
from tests.recorded import recorded
from tests.situations import DATABASE

COMMAND = Path("/usr/local/bin/palpo-installer")
RAW: Mapping[str, object] = {
    # Not whichever proxy of this machine happens to hold a port.
    "proxy.kind": "nginx",
    "names.server_name": "example.com",
    "names.client_host": "matrix.example.com",
    "names.base_domain": "ours",
    "homeserver.database_url": DATABASE,
    "certificates.method": "self-signed",
}
"""Answers that need nothing from outside."""


def inputs_of(host: Host, raw: Mapping[str, object] | None = None, names: tuple[Name, ...] = ()) -> Inputs:
    """Return what a plan for a host is made from; ``raw`` are answers over ``RAW``, None takes one away."""
    facts = gather(host)
    system = replace(facts.system, addresses=("192.0.2.10", "127.0.0.1"), ipv6=False)
    facts = replace(facts, system=system, names=names)
    given = {key: value for key, value in {**RAW, **(raw or {})}.items() if value is not None}
    resolved = resolve(given, facts, host.layout)
    return Inputs(
        host=host,
        facts=facts,
        answers=resolved.answers,
        ours=ours(host.layout),
        settled=settled(host.layout),
        written=written(host.layout),
        in_force=in_force(host.layout),
        secrets=resolved.secrets,
        command=COMMAND,
        now=datetime.now(UTC),
    )


def inputs_on(root: Path, raw: Mapping[str, object] | None = None, recording: str = "nginx_stopped") -> Inputs:
    """Return what a plan for a recorded host is made from."""
    return inputs_of(recorded(recording, root), raw)


def again(inputs: Inputs) -> Inputs:
    """Return the inputs of another look at the same host, with the same answers."""
    now = inputs_of(inputs.host)
    return replace(now, answers=inputs.answers, secrets=inputs.secrets)


def without_activations(plan: Plan) -> Plan:
    """Return a plan whose files are written and taken up by nobody."""
    return replace(plan, changes=tuple(replace(change, activation=None) for change in plan.changes))


def carry_out(plan: Plan, inputs: Inputs) -> list[str]:
    """Apply a plan as the engine does, and return what it reported while it waited."""
    layout = inputs.layout
    directory = layout.runs / launch.register(plan, {}, layout)
    reports: list[str] = []

    def secret(reference: SecretReference) -> Secret:
        found = inputs.reveal(reference)
        return found or signing_key(layout, reference.locator)

    bench = Workbench(inputs.host, directory.name, directory / "copies", secret, reports.append, lambda: None)
    with EventFile(directory / "events.jsonl") as events, Run(plan, directory, bench, events) as run:
        outcome = run.apply()
    assert outcome.result == "applied", outcome.cause
    return reports


class OfflineHost(Host):
    """This machine without name servers: a test asks nobody."""

    def text(self, path: Path) -> str | None:
        """Return a file's text, but for the one that names the servers."""
        return None if path == RESOLV_CONF else super().text(path)


NGINX = """
user root;
pid {root}/nginx.pid;
error_log {root}/error.log;
daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    server {{ listen 127.0.0.1:{port} default_server; server_name neighbour.example; return 200 "neighbour"; }}
    include {root}/etc/nginx/conf.d/*.conf;
}}
"""


def configured(root: Path) -> OfflineHost:
    """Write the configuration of an nginx below a directory, with a neighbour on a free port of loopback."""
    assert shutil.which("nginx", path="/usr/sbin:/usr/bin"), "nginx is missing; apt-get install nginx"
    root.chmod(0o755)
    layout = Layout(root, http_port=free_port(), https_port=free_port(), addresses=("127.0.0.1",))
    configuration = root / "etc/nginx/nginx.conf"
    (configuration.parent / "conf.d").mkdir(parents=True)
    configuration.write_text(NGINX.format(root=root, port=layout.http_port))
    return OfflineHost(layout)


@contextmanager
def serving(host: Host) -> Iterator[Host]:
    """Run nginx with the configuration that is there."""
    argv = ("nginx", "-c", str(host.layout.at("/etc/nginx/nginx.conf")))
    with running(argv, {"PATH": "/usr/sbin:/usr/bin"}, host.layout.http_port):
        yield host


@contextmanager
def real_nginx(root: Path) -> Iterator[Host]:
    """Run nginx on a host where nothing was applied yet."""
    with serving(configured(root)) as host:
        yield host


@contextmanager
def applied_nginx(root: Path) -> Iterator[Host]:
    """Run nginx on a host where everything was applied before it started."""
    inputs = real_inputs(configured(root))
    carry_out(without_activations(make(inputs)), inputs)
    with serving(inputs.host) as host:
        yield host


def real_inputs(host: Host, raw: Mapping[str, object] | None = None) -> Inputs:
    """Return what a plan for a host with a real nginx is made from."""
    inputs = inputs_of(host, raw)
    system = replace(inputs.facts.system, addresses=("127.0.0.1",))
    command = own_command(host.which("palpo-installer"))
    return replace(inputs, facts=replace(inputs.facts, system=system), command=command)
