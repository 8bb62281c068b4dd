"""What SELinux denied a program, from the audit log (auditd; ``avc: denied`` records)."""

from __future__ import annotations

import re

from palpo_installer.facts.selinux import parse_context
from palpo_installer.host import Host

LOG = "/var/log/audit/audit.log"
TAIL = 256 * 1024
"""Characters of the log that are looked at, at most."""

BIND = re.compile(
    r"^type=AVC .*denied +\{ name_bind \} for .*\bcomm=\"(?P<program>[^\"]+)\" src=(?P<port>\d+) "
    r".*\btcontext=(?P<of>\S+)",
    re.MULTILINE,
)


def listening(host: Host, program: str, port: int) -> str:
    """Return the type for which a program was lately not let listen on a port, empty where nothing says so."""
    found = parse((host.text(host.layout.at(LOG)) or "")[-TAIL:])
    return next((kind for name, number, kind in reversed(found) if (name, number) == (program, port)), "")


def parse(text: str) -> tuple[tuple[str, int, str], ...]:
    """Return program, port and the port's type of each refusal to listen, oldest first."""
    return tuple((each["program"], int(each["port"]), parse_context(each["of"])) for each in BIND.finditer(text))
