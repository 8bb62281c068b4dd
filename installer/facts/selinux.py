"""SELinux: what it lets the proxy listen on and connect to. Read only; nothing is loaded for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from palpo_installer.errors import HostError
from palpo_installer.facts.ports import PortRange, parse_ranges
from palpo_installer.facts.system import parse_release
from palpo_installer.host import Command, Host
from palpo_installer.processes import consult

BOOLEANS = Path("/sys/fs/selinux/booleans")
ENFORCE = Path("/sys/fs/selinux/enforce")
DOMAIN = "httpd_t"
"""What nginx, Apache and Caddy run in under the policies of Fedora, its descendants and Debian."""

DOMAINS: Mapping[str, str] = {"haproxy": "haproxy_t"}
"""What a proxy would run in where that is another domain (rhcs.te): the ``httpd`` booleans say nothing about it."""

CONNECT = "httpd_can_network_connect"
RELAY = "httpd_can_network_relay"
SHUTDOWN = "httpd_graceful_shutdown"
WATCHED = (RELAY, CONNECT, SHUTDOWN)

LISTENING = "http_port_t"
BINDABLE = frozenset({LISTENING, "http_cache_port_t"})
"""Types that the domain may bind in every policy (apache.te: corenet_tcp_bind_http_port, …_http_cache_port)."""

RELAYED = frozenset({*BINDABLE, "squid_port_t", "gopher_port_t", "ftp_port_t", "ephemeral_port_t"})
"""Types that it may connect to with ``httpd_can_network_relay`` (apache.te, the tunable of that name)."""

READABLE = frozenset({"var_lib_t", "httpd_sys_content_t", "httpd_sys_rw_content_t", "httpd_var_lib_t"})
"""Types of files that it may read without any boolean (apache.te: files_read_var_lib_files)."""

KNOWN = frozenset({80, 443, 488, 8008, 8009, 8443})
"""Ports of type ``http_port_t`` in every policy: for a host that cannot be asked."""

PATIENCE = 20.0
"""Seconds for ``semanage``, which opens the whole policy."""

LIST = Command(("semanage", "port", "--list", "--noheading"), timeout=PATIENCE)
LIST_LOCAL = Command((*LIST.argv, "--locallist"), timeout=PATIENCE)
"""What the administrator labelled."""


@dataclass(frozen=True)
class Boolean:
    """A switch of the policy.

    Attributes:
        now: its value in the kernel, None where the kernel runs without SELinux.
        lasting: its value after the next boot, None where it cannot be read.
    """

    name: str
    now: bool | None
    lasting: bool | None

    @property
    def on(self) -> bool:
        """Whether it is on and stays on."""
        return self.now is not False and self.lasting is not False


@dataclass(frozen=True)
class PortLabel:
    """The type of some TCP ports; ``local`` where the administrator gave it, beside the policy."""

    type: str
    ports: PortRange
    local: bool


@dataclass(frozen=True)
class SELinux:
    """What the policy says, as far as the proxy needs it.

    Attributes:
        domain: what the proxy runs in, or would; of the facts, what one that does not run would.
        booleans: those that decide where it may connect to.
        labels: of TCP ports; none where they cannot be read.
        webroot: the type that the directory for proofs has, or gets from the one above it; empty if unknown.
        managed: whether ``semanage`` is there, which labels ports.
        running: what each proxy that runs does run in, by its kind.
    """

    domain: str
    booleans: tuple[Boolean, ...]
    labels: tuple[PortLabel, ...]
    webroot: str
    managed: bool
    running: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> SELinux:
        """Return what the policy says about one proxy, by its kind."""
        return replace(self, domain=self.running.get(kind) or DOMAINS.get(kind, self.domain))

    def type_of(self, port: int) -> str:
        """Return a TCP port's type: the administrator's before the policy's, the narrowest range; empty if unknown."""
        if not self.labels:
            return LISTENING if port in KNOWN else ""
        covering = [label for label in self.labels if port in label.ports]
        return min(covering, key=lambda each: (not each.local, each.ports.size)).type if covering else ""

    def local_range(self, port: int) -> PortLabel | None:
        """Return the administrator's label of a whole range with this port; nothing else may label it then."""
        return next((each for each in self.labels if each.local and each.ports.size > 1 and port in each.ports), None)

    def unlistenable(self, ports: tuple[int, ...]) -> tuple[int, ...]:
        """Return the ports that the proxy may not listen on."""
        return tuple(port for port in ports if self._confined and self.type_of(port) not in BINDABLE)

    def lacking(self, ports: tuple[int, ...]) -> tuple[str, ...]:
        """Return the booleans that are off, and needed by the proxy to connect to these ports: the narrowest."""
        lacking = (self._lacking(port) for port in ports)
        wide = tuple(dict.fromkeys(name for name in lacking if name))
        return (CONNECT,) if CONNECT in wide else wide

    def _lacking(self, port: int) -> str:
        kind = self.type_of(port)
        enough = [CONNECT, *([RELAY] if kind in RELAYED else []), *([SHUTDOWN] if kind == LISTENING else [])]
        if not self._confined or any(each.on for each in self.booleans if each.name in enough):
            return ""
        return RELAY if RELAY in enough else CONNECT

    @property
    def _confined(self) -> bool:
        return self.domain == DOMAIN


def read(host: Host, proxies: Mapping[str, int]) -> SELinux | None:
    """Return what the policy says, None where SELinux is off or the host is a private copy.

    Args:
        host: the machine.
        proxies: the main processes of the proxies that run, by their kinds.
    """
    if host.layout.private or host.status(ENFORCE) is None:
        return None
    said = {kind: host.text(Path("/proc") / str(pid) / "attr/current") or "" for kind, pid in proxies.items()}
    values = lasting(host)
    return SELinux(
        domain=DOMAIN,
        booleans=tuple(_boolean(host, name, values) for name in WATCHED),
        labels=labels(host),
        webroot=_type_at(host, host.layout.webroot),
        managed=host.which("semanage") is not None,
        running={kind: parse_context(context) for kind, context in said.items()},
    )


def boolean(host: Host, name: str) -> Boolean:
    """Return one switch: its value now from the kernel, the lasting one from the policy's store, as root."""
    return _boolean(host, name, lasting(host))


def _boolean(host: Host, name: str, lasting_values: Mapping[str, bool]) -> Boolean:
    now = host.text(BOOLEANS / name)
    return Boolean(name, None if now is None else now.startswith("1"), lasting_values.get(name))


def lasting(host: Host) -> dict[str, bool]:
    """Return the values that booleans have after a boot; without ``semanage`` only those that somebody set."""
    said = consult(host, "semanage", "boolean", "--list", "--noheading", timeout=PATIENCE) if host.is_root else None
    if said is not None and said.status == 0:
        return parse_booleans(said.stdout)
    configuration = parse_release(host.text(host.layout.at("/etc/selinux/config")) or "")
    store = host.layout.at("/var/lib/selinux") / configuration.get("SELINUXTYPE", "targeted")
    return parse_records(host.text(store / "active/booleans.local") or "")


def parse_records(text: str) -> dict[str, bool]:
    """Return the values in the store's ``booleans.local``, one ``name=1`` for each line."""
    return {each[1]: each[2] == "1" for each in re.finditer(r"^(\w+)=([01])$", text, re.MULTILINE)}


def parse_booleans(text: str) -> dict[str, bool]:
    """Return the lasting values in ``semanage boolean --list``: ``name (off , on) …`` has them second."""
    found = re.finditer(r"^(\w+)\s+\(\s*(?:on|off)\s*,\s*(on|off)\s*\)", text, re.MULTILINE)
    return {each[1]: each[2] == "on" for each in found}


def labels(host: Host) -> tuple[PortLabel, ...]:
    """Return the labels of TCP ports, none where they cannot be read; the store is root's."""
    if not host.is_root:
        return ()
    try:
        all_of_them, local = host.run(LIST), host.run(LIST_LOCAL)
    except HostError:
        return ()
    if all_of_them.status or local.status:
        return ()
    ours = tuple(parse_labels(local.stdout, local=True))
    theirs = {(each.type, each.ports) for each in ours}
    policy = (each for each in parse_labels(all_of_them.stdout, local=False) if (each.type, each.ports) not in theirs)
    return (*ours, *policy)


def parse_labels(text: str, *, local: bool) -> Iterator[PortLabel]:
    """Yield the TCP lines of ``semanage port --list``: ``http_port_t   tcp   80, 81, 8000-8010``."""
    for line in text.splitlines():
        words = line.split(None, 2)
        if len(words) == 3 and words[1] == "tcp":
            yield from (PortLabel(words[0], ports, local) for ports in parse_ranges(words[2]))


def parse_context(text: str) -> str:
    """Return the type in a context: ``system_u:system_r:httpd_t:s0``."""
    parts = text.strip("\0\n ").split(":")
    return parts[2] if len(parts) > 2 else ""


def _type_at(host: Host, path: Path) -> str:
    there = next((each for each in (path, *path.parents) if host.status(each) is not None), path)
    try:
        return parse_context(os.getxattr(there, "security.selinux").decode(errors="replace"))
    except OSError:
        return ""
