"""What starts ``palpo-installer renew`` twice a day: a systemd timer, or a cron job where there is no systemd."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

from palpo_installer.host import SEARCH_PATH
from palpo_installer.layout import Layout

UNIT = "palpo-installer-renew"


def service_path(layout: Layout) -> Path:
    """Return where the service unit lies."""
    return layout.systemd / f"{UNIT}.service"


def timer_path(layout: Layout) -> Path:
    """Return where the timer unit lies."""
    return layout.systemd / f"{UNIT}.timer"


def cron_path(layout: Layout) -> Path:
    """Return where the cron job lies."""
    return layout.cron / "palpo-installer"


def service(layout: Layout, command: Path) -> str:
    """Return the service unit; ``command`` is the absolute path of palpo-installer (systemd.service(5))."""
    return f"""\
# Written by palpo-installer. It is started by {UNIT}.timer.

[Unit]
Description=Renew the certificates of the Matrix server where they are due
Wants=network-online.target
After=network-online.target
# Without answers there is nothing to renew.
ConditionPathExists={_literal(str(layout.answers))}

[Service]
Type=oneshot
ExecStart={" ".join(_quoted(word) for word in _command(layout, command))}
# An order that is under way goes on when this unit is stopped: one cut off is one lost to the CA's rate limits.
KillMode=process
# A CA may let us wait for some minutes; an hour means that something hangs.
TimeoutStartSec=1h
"""


def timer(layout: Layout) -> str:
    """Return the timer unit (systemd.timer(5)); ``layout`` names the answers it belongs to."""
    return f"""\
# Written by palpo-installer. See when it runs next with: systemctl list-timers {UNIT}.timer
# It renews what {layout.answers} names.

[Unit]
Description=Look twice a day whether a certificate of the Matrix server is due

[Timer]
# Twice a day: a CA may revoke early, and some certificates live for six days only.
OnCalendar=*-*-* 00,12:00:00
# Not everyone at the full hour.
RandomizedDelaySec=3h
# A host that was off makes up for it.
Persistent=true

[Install]
WantedBy=timers.target
"""


def cron(layout: Layout, command: Path, server_name: str) -> str:
    """Return the file for /etc/cron.d (crontab(5)); hour and minute come from the server name, and stay."""
    digest = hashlib.sha256(server_name.encode()).digest()
    minute, hour = digest[0] % 60, digest[1] % 12
    words = " ".join(shlex.quote(word) for word in _command(layout, command)).replace("%", r"\%")
    condition = shlex.quote(str(layout.answers)).replace("%", r"\%")
    return f"""\
# Written by palpo-installer: looks twice a day whether a certificate of the Matrix server is due.
# What it says goes to root by mail; without a mail server see {layout.log}.
SHELL=/bin/sh
PATH={SEARCH_PATH}
# Not everyone at the full hour: the minute was drawn for this server.
{minute} {hour},{hour + 12} * * * root test -e {condition} && {words}
"""


def _command(layout: Layout, command: Path) -> tuple[str, ...]:
    return (str(command), *layout.arguments(), "renew")


def _quoted(word: str) -> str:
    """Return a word for ExecStart (systemd.service(5), "Command lines")."""
    escaped = _literal(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    plain = word.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum()
    return escaped if plain else f'"{escaped}"'


def _literal(text: str) -> str:
    """Return a text in which systemd finds no specifier."""
    return text.replace("%", "%%")
