"""Finds Caddy: the program, the running process, what it was started with, its Caddyfile and its unit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from palpo_installer.errors import HostError
from palpo_installer.host import Command, Host
from palpo_installer.processes import PROC, Process, consult, in_our_network
from palpo_installer.proxies import discovering, editability
from palpo_installer.proxies.caddy import admin, automation, insertion, reading, storage, tree
from palpo_installer.proxies.caddy.configuration import Caddy

UNIT = "caddy.service"
CADDYFILE = "/etc/caddy/Caddyfile"
USER = "caddy"


@dataclass(frozen=True)
class Started:
    """How a Caddy was started.

    Attributes:
        verb: its subcommand, e.g. ``run``.
        configuration: ``--config``, empty where it was not given.
        adapter: ``--adapter``, empty where it was not given.
        resume: whether it takes up the configuration it had last (``--resume``).
        environment: the file of ``--envfile``, empty for none.
        pid_file: ``--pidfile``, empty for none.
    """

    verb: str
    configuration: str = ""
    adapter: str = ""
    resume: bool = False
    environment: str = ""
    pid_file: str = ""


def read(
    host: Host, processes: tuple[Process, ...], owners: frozenset[int], note: Callable[[str], None]
) -> Caddy | None:
    """Return Caddy as found, None where it is not installed.

    Under a layout that is not the host's root, only the Caddyfile there counts, and only a process that was started
    with it. ``owners`` are the processes that listen in our network namespace.
    """
    main = _main(host, processes, owners)
    binary = discovering.program(host, main, "caddy")
    if binary is None:
        return None
    version = version_of(host, binary)
    if version is None:
        note(f"{binary} tells no version that could be read; Caddy is left out.")
        return None
    unit = _unit(host, main)
    started = parse_command(main.command) if main else unit.started
    configuration = _configuration(host, started, main)
    if host.layout.root != Path("/") and host.status(configuration) is None:
        return None
    environment = environment_of(host, main.pid) if main else {}
    written = tree.load(host, configuration, environment)
    what = reading.parse(written, version)
    kept = storage.directory_of(
        next((each for each in written.segments if not each.words), None),
        environment,
        _user(host, main) or unit.user,
    )
    elsewhere = _elsewhere(started, unit.name, configuration, host)
    if main and not elsewhere and what.options.admin and not written.problems:
        elsewhere = _differs(host, binary, configuration, what.options.admin, environment)
    return Caddy(
        binary=binary,
        version=version,
        configuration=configuration,
        files=written.files,
        servers=automation.with_certificates(host, what.servers, what.options, kept),
        streams=(),
        problems=() if elsewhere else written.problems,
        user=_user(host, main) or unit.user,
        error_log=what.error_log,
        pid_file=started.pid_file,
        pid=main.pid if main else None,
        unit=unit.name,
        unit_enabled=unit.enabled,
        options=what.options,
        imports=what.imports,
        globbed=written.globbed,
        last_line=written.last_line,
        braceless=written.braceless,
        elsewhere=elsewhere,
        variables=written.variables,
        room=insertion.room(host.text(configuration) or "", written.options_imported),
        uneditable=editability.uneditable(host, configuration),
        storage=kept,
        particular=what.particular,
    )


def version_of(host: Host, binary: Path) -> tuple[int, int, int] | None:
    """Return its version; one that was built by ``go install`` has it only among the modules that it is made of."""
    for question in ("version", "build-info"):
        said = consult(host, str(binary), question)
        version = parse_version(said.stdout) if said is not None and said.status == 0 else None
        if version is not None:
            return version
    return None


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Return the version that ``caddy version`` tells: ``v2.10.0 h1:…``, or ``2.6.2`` as Debian builds it.

    In what ``caddy build-info`` tells, it is that of the module itself.
    """
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
    match = found or re.search(r"^mod\tgithub\.com/caddyserver/caddy/v2\tv(\d+)\.(\d+)\.(\d+)", text, re.MULTILINE)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def parse_command(command: Sequence[str]) -> Started:
    """Return how a Caddy with a command line was started (caddyserver.com, "Command Line")."""
    words = list(command[1:])
    verb = words.pop(0) if words and not words[0].startswith("-") else ""
    values = {"config": "", "adapter": "", "envfile": "", "pidfile": ""}
    short = {"c": "config", "a": "adapter", "r": "resume"}
    resume = False
    while words:
        flag, given, value = words.pop(0).partition("=")
        name = flag.lstrip("-")
        name = short.get(name, name)
        if name in values:
            values[name] = value if given else (words.pop(0) if words else "")
        resume |= name == "resume" and value != "false"
    return Started(verb, values["config"], values["adapter"], resume, values["envfile"], values["pidfile"])


def environment_of(host: Host, pid: int) -> Mapping[str, str]:
    """Return the environment of a process, from which a Caddyfile may take values; empty where we may not see it."""
    pairs = (host.text(PROC / str(pid) / "environ") or "").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _main(host: Host, processes: tuple[Process, ...], owners: frozenset[int]) -> Process | None:
    """Return the process that serves this host: one that listens here, then a unit's, then the oldest."""
    found = [each for each in processes if is_server(each.name, each.command) and not each.container]
    if host.layout.root != Path("/"):
        ours = str(host.layout.at(CADDYFILE))
        found = [each for each in found if parse_command(each.command).configuration == ours]
    return discovering.serving(found, owners, lambda pid: in_our_network(host, pid))


def is_server(name: str, command: Sequence[str]) -> bool:
    """Return whether a process is a Caddy that serves, and not one that is told to reload another."""
    return name == "caddy" and parse_command(command).verb in {"run", "file-server", "reverse-proxy", "respond"}


def _configuration(host: Host, started: Started, main: Process | None) -> Path:
    """Return the main file: that of the command line, or the Caddyfile where Caddy was started."""
    if host.layout.root != Path("/") or (main is None and not started.configuration):
        return host.layout.at(CADDYFILE)
    folder = _folder(host, main)
    return folder / (started.configuration or "Caddyfile")


def _folder(host: Host, main: Process | None) -> Path:
    process = host.process(main.pid) if main else None
    try:
        return Path(process.cwd()) if process else Path("/")
    except psutil.Error:
        return Path("/")


def _elsewhere(started: Started, unit: str, configuration: Path, host: Host) -> str:
    """Return why the Caddyfile is not what Caddy runs with, as its command line tells; empty where it is."""
    if started.verb not in {"", "run"}:
        return f"it was started as caddy {started.verb}, which reads no Caddyfile"
    if started.resume:
        return f"it was started with --resume, and goes on with what it was told through its API ({unit or 'by hand'})"
    if started.adapter not in {"", "caddyfile"}:
        return f"its configuration {configuration} is written for the adapter {started.adapter}"
    if configuration.suffix == ".json" and not started.adapter:
        return f"its configuration {configuration} is JSON"
    if not started.configuration and host.status(configuration) is None:
        return "it was started without a configuration, and is told what to serve through its API"
    return ""


def _differs(host: Host, binary: Path, configuration: Path, address: str, environment: Mapping[str, str]) -> str:
    """Return that Caddy runs with something else than its Caddyfile, empty where that is not so, or not known."""
    running = admin.running_configuration(address)
    argv = (str(binary), "adapt", "--adapter", "caddyfile", "--config", str(configuration))
    given = {name: value for name, value in environment.items() if name not in {"PATH", "LC_ALL"}}
    try:
        said = host.run(Command(argv, timeout=5.0, environment=given))
        written = json.loads(said.stdout) if said.status == 0 else None
    except (HostError, ValueError):
        return ""
    if running is None or written is None or _unordered(running) == _unordered(written):
        return ""
    return (
        f"it serves something else than {configuration} says: that file was changed and Caddy was not reloaded, or "
        "Caddy was told otherwise through its API"
    )


@dataclass(frozen=True)
class _Unit:
    """The unit that runs Caddy, or would start it."""

    name: str = ""
    enabled: bool | None = None
    user: str = "root"
    started: Started = Started("run")


def _unordered(value: object) -> object:
    """Return a configuration with its lists of words sorted: Caddy writes the names of a site in any order."""
    match value:
        case dict():
            return {key: _unordered(each) for key, each in value.items()}
        case list() if all(isinstance(each, str) for each in value):
            return sorted(value)
        case list():
            return [_unordered(each) for each in value]
        case _:
            return value


def _unit(host: Host, main: Process | None) -> _Unit:
    name, enabled = discovering.unit(host, main, UNIT)
    if not name:
        return _Unit()
    private = host.layout.root != Path("/")
    shown = None if private else consult(host, "systemctl", "show", "--property=ExecStart,User", name)
    text = shown.stdout if shown is not None else ""
    command = re.search(r"argv\[\]=(.*?) ;", text)
    user = re.search(r"^User=(\S+)$", text, re.MULTILINE)
    started = parse_command(command[1].split()) if command else Started("run")
    return _Unit(name, enabled, user[1] if user else USER if private else "root", started)


def _user(host: Host, main: Process | None) -> str:
    """Return the account that the process runs as, empty where it is not known."""
    process = host.process(main.pid) if main else None
    try:
        return process.username() if process else ""
    except psutil.Error:
        return ""
