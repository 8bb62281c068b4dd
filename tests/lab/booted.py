"""A booted Debian host: systemd as process 1 of a container, within a throw-away copy of this machine."""

from __future__ import annotations

import functools
import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.lab import trees
from tests.lab.hosts import CHECKOUT, LabHost, ThrowAwayHost
from tests.lab.running import require_programs, until

WHEELS = "/srv/wheels"
UNITS = ("palpo-installer-recover.service", "palpo-installer-recover-rest.service")
INSTALLED = (
    "opt/palpo-installer",
    "usr/local/bin/palpo-installer",
    *(f"etc/systemd/system/{unit}" for unit in UNITS),
    f"etc/systemd/system/basic.target.wants/{UNITS[0]}",
    f"etc/systemd/system/multi-user.target.wants/{UNITS[1]}",
)


class BootedHost(LabHost):
    """A Debian host under systemd, with the network and the names of a throw-away host.

    What is written lives through reboots and is gone at the end. The checkout is seen read-only, at its
    own place; the wheels for installing it without a network are in /srv/wheels, unless it is another tree.

    Attributes:
        outside: the throw-away host around it, for what should not run under systemd: names, pebble.
    """

    python = "/usr/bin/python3"
    command = ("/usr/local/bin/palpo-installer",)

    def __init__(self, *layers: Path, tree: Path | None = None, options: Sequence[str] = ()) -> None:
        super().__init__()
        require_programs("systemd-nspawn")
        wheels = [] if tree else [trees.wheelhouse(trees.debian())]
        self._layers = [*layers, tree or trees.debian()]
        self._binds = [*options, f"--bind-ro={CHECKOUT}", *(f"--bind-ro={directory}:{WHEELS}" for directory in wheels)]
        self.outside = ThrowAwayHost(keep=[*self._layers, *wheels])
        self._groups = _control_groups(f"palpo-lab-{self.outside.pid}")
        self._pid = 0
        with ExitStack() as undo:
            undo.callback(self.stop)
            self.boot()
            undo.pop_all()

    @property
    def pid(self) -> int:
        """The host's systemd, as this machine counts."""
        return self._pid

    def boot(self) -> None:
        """Boot, and return when systemd says "running"."""
        layers = ":".join(str(layer) for layer in self._layers)
        groups = [str(group) for group in self._groups]
        script = str(CHECKOUT / "tests/lab/boot.sh")
        self._container = self.outside.start(["sh", script, layers, *groups, "--", *self._binds])
        until(self._found, "process 1 of the booted host")
        until(lambda: self._state() in ("running", "degraded"), "the end of the boot", 60)
        failed = self.output(["systemctl", "--failed", "--no-legend", "--plain"])
        assert self._state() == "running", f"units failed at boot: {failed}"

    def reboot(self) -> None:
        """Reboot in order, as ``reboot`` does."""
        self.run(["systemctl", "reboot"])
        self._container.wait()
        super().stop()
        self.boot()

    def power_cut(self) -> None:
        """End every process at once, without a word, and boot again."""
        psutil.Process(self.pid).send_signal(signal.SIGKILL)
        self._container.wait()
        super().stop()
        self.boot()

    def stop(self) -> None:
        """End the host."""
        super().stop()
        self.outside.stop()
        for group in self._groups:
            until(functools.partial(_removed, group), f"the end of the processes in {group}")

    def _state(self) -> str:
        return self.run(["systemctl", "is-system-running"]).stdout.strip()

    def _found(self) -> bool:
        assert self._container.alive, f"the host did not boot: {self._container.said()}"
        found = [process.pid for process in self._container.family() if _is_first_of_container(process.pid)]
        self._pid = found[0] if found else 0
        return bool(found)


def installed() -> Path:
    """Return the layer that ``install.sh`` makes on a booted host from this checkout, without a network."""
    return trees.kept("installed", f"{trees.debian()}{trees.source_digest()}", _install_into)


def _install_into(layer: Path) -> None:
    host = BootedHost()
    try:
        done = install(host, "--no-run")
        assert done.returncode == 0, done.stderr
        host.output(["tar", "--create", "--file=/srv/installed.tar", "--directory=/", *INSTALLED], timeout=120)
        archive = f"/proc/{host.pid}/root/srv/installed.tar"
        subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={layer}"], check=True)
    finally:
        host.stop()


def install(host: BootedHost, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the checkout's ``install.sh`` with the wheels at hand."""
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
    return host.run(["sh", f"{CHECKOUT}/install.sh", *arguments], environment=offline, timeout=300)


def _is_first_of_container(pid: int) -> bool:
    """Whether a process is the first of the third level: this machine, the throw-away host, the container."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    numbers = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
    return len(numbers) == 3 and numbers[2] == "1"


def _control_groups(name: str) -> list[Path]:
    """Make a control group of its own in each hierarchy systemd uses: in a shared one hosts end each other."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = {kind: path for _, kind, path in (line.split(":", 2) for line in lines)}
    top = Path("/sys/fs/cgroup")
    hierarchies = [(top, ""), (top / "unified", ""), (top / "systemd", "name=systemd")]
    groups = [
        mounted / own[kind].lstrip("/") / name
        for mounted, kind in hierarchies
        if kind in own and (mounted / "cgroup.procs").exists()
    ]
    for group in groups:
        group.mkdir()
    return groups


def _removed(group: Path) -> bool:
    """Remove a control group with those below it; False while there are processes."""
    try:
        for below in sorted(group.rglob("*/"), reverse=True):
            below.rmdir()
        group.rmdir()
    except OSError:
        return False
    return True
