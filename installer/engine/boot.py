"""What a boot does about a run that a reboot or a power cut ended, and whether the host is going down.

Two units. The first puts the files back before any service starts, so that each of them starts with the files as
they were. The second comes when the host is up: it takes back what is no file (a unit that was enabled, a timer),
stops what was stopped, asks for the old answers, and so ends the run. Neither is started where no run is open.
"""

from __future__ import annotations

import sys
from pathlib import Path

from palpo_installer.engine.journal import OPEN
from palpo_installer.errors import HostError
from palpo_installer.host import Command, Host
from palpo_installer.layout import Layout
from palpo_installer.services import QUICK

FILES_UNIT = "palpo-installer-recover.service"
REST_UNIT = "palpo-installer-recover-rest.service"


def is_going_down(host: Host) -> bool:
    """Return whether systemd is stopping this host, and would start and reload nothing (systemctl(1))."""
    if not host.layout.at("/run/systemd/system").is_dir():
        return False
    try:
        state = host.run(Command(("systemctl", "is-system-running"), timeout=QUICK)).stdout
    except HostError:
        return False
    return state.strip() == "stopping"


def files_unit(layout: Layout, command: Path) -> str:
    """Return the unit that puts the files back; ``command`` is the absolute path of palpo-installer."""
    return f"""\
# Written by palpo-installer's install.sh, which removes it with --uninstall.

[Unit]
Description=Put back the files of a palpo-installer run that was cut off
{_condition(layout)}
# Before every service, whatever its name: they all wait for basic.target (systemd.service(5), "Default
# Dependencies"). This unit must not wait for it too.
DefaultDependencies=no
After=local-fs.target
Before=basic.target
# Those that it is about, should one of them not wait for basic.target.
Before=nginx.service apache2.service httpd.service caddy.service haproxy.service traefik.service palpo.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
ExecStart={command} recover --files-only
# Renaming a few files; a boot waits no longer for a disk that hangs.
TimeoutStartSec=2min

[Install]
WantedBy=basic.target
"""


def rest_unit(layout: Layout, command: Path) -> str:
    """Return the unit that does the rest of a recovery once the host is up."""
    return f"""\
# Written by palpo-installer's install.sh, which removes it with --uninstall.

[Unit]
Description=Take back a palpo-installer run that was cut off, and prove it
{_condition(layout)}
# Proxies and Palpo run by then, or have failed to.
After=multi-user.target {FILES_UNIT}

[Service]
Type=oneshot
# What is behind the proxy may need a while until it answers as before the boot.
ExecStart=/bin/sh -c '{command} recover || {{ sleep 60; {command} recover; }}'
TimeoutStartSec=1h

[Install]
WantedBy=multi-user.target
"""


def _condition(layout: Layout) -> str:
    return f"# The file lies there as long as a run is open.\nConditionPathExistsGlob={layout.runs}/*/{OPEN}"


def write_units(directory: Path, command: Path) -> None:
    """Write both units into a directory of systemd's; they are not loaded or enabled by that."""
    for name, unit in ((FILES_UNIT, files_unit), (REST_UNIT, rest_unit)):
        (directory / name).write_text(unit(Layout(), command))


if __name__ == "__main__":
    write_units(*map(Path, sys.argv[1:]))
