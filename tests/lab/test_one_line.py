"""The one line, on fresh booted Debian hosts, from a web server beside them; there is no other network."""

from __future__ import annotations

import platform
import random
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import names, services, trees, ways
from tests.lab.booted import UNITS, BootedHost
from tests.lab.running import require_root
from tests.lab.snapshots import differences
from tests.lab.test_lost_terminal import connect, terminal
from tests.terminals import Dialogue

pytestmark = pytest.mark.booted

ADDRESS = "http://127.0.0.1:8000"
ELSEWHERE = "http://127.0.0.1:8001"
PYTHONS = ("cpython-311", "cpython-313")
LINES = {"curl": f"curl -fsSL {ADDRESS}/install.sh | sh", "wget": f"wget -qO- {ADDRESS}/install.sh | sh"}
CUTS = 30
LOOKED_AT = ("/etc", "/opt", "/root", "/srv", "/tmp", "/usr/local", "/var/lib")
FULL_SCREEN = "\x1b[?1049h"
AS_PEOPLE = "LC_ALL=C.UTF-8 TERM=xterm-256color"


def release() -> Path:
    """Return the directory that is served."""
    return trees.release(ADDRESS, [f"{python}-{platform.machine()}-linux-gnu" for python in PYTHONS])


def serve(host: BootedHost, directory: Path, port: int = 8000) -> None:
    """Serve a directory on the host around a booted one, which has the same loopback device."""
    where = ["--bind", "127.0.0.1", "--directory", str(directory), str(port)]
    host.outside.start([sys.executable, "-m", "http.server", *where])
    host.until_listening(port)


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Iterator[BootedHost]:
    """A booted Debian of the suite asked for, bookworm if none, on which nothing of ours is installed."""
    require_root()
    host = BootedHost(tree=trees.debian(getattr(request, "param", trees.SUITE)))
    try:
        serve(host, release())
        yield host
    finally:
        host.stop()


def take_away(host: BootedHost, *patterns: str) -> None:
    """Remove packages."""
    script = 'dpkg --purge --force-depends $(dpkg-query --show --showformat="\\${Package} " "$@") >&2'
    host.output(["sh", "-c", script, "sh", *patterns])


def is_installed(host: BootedHost) -> None:
    """Check that the tool is there and starts, that boots know of it, and that nothing is left of fetching it."""
    assert "Usage:" in host.output(["palpo-installer", "--help"])
    for unit in UNITS:
        assert host.output(["systemctl", "is-enabled", unit]).strip() == "enabled"
    left = host.output(["sh", "-c", "ls /opt/palpo-installer/current/"]).split()
    assert {"complete", "install.log", "pyvenv.cfg"} <= set(left)
    assert not {"bundle", "wheels"} & set(left)
    assert host.run(["/opt/palpo-installer/current/bin/python", "-m", "pip"]).returncode == 1


def begin_the_wizard(visit: Dialogue) -> None:
    """Wait for the wizard's first choice, and take it by a key."""
    visit.expect(FULL_SCREEN, 120)
    visit.expect("Set up Palpo behind nginx")
    visit.press(b"\r")
    visit.expect("Server name")


@pytest.mark.parametrize(
    ("fresh", "with_venv", "fetcher"),
    [
        pytest.param("bookworm", False, "curl"),
        pytest.param("bookworm", True, "wget"),
        pytest.param("trixie", False, "wget"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                ("bookworm", True, "curl"),
                ("bookworm", False, "wget"),
                ("trixie", True, "wget"),
                ("trixie", True, "curl"),
                ("trixie", False, "curl"),
            )
        ),
    ],
    indirect=["fresh"],
)
def test_over_ssh_the_line_ends_in_the_wizard(fresh: BootedHost, with_venv: bool, fetcher: str) -> None:
    """With one of curl and wget, with and without python3-venv: it installs, and the wizard has the terminal."""
    take_away(fresh, *({"curl", "wget"} - {fetcher}))
    if not with_venv:
        take_away(fresh, "python3*-venv", "python3-*-whl")
    assert (fresh.run(["python3", "-c", "import ensurepip"]).returncode == 0) is with_venv
    with connect(fresh, f"export {AS_PEOPLE}; {LINES[fetcher]}") as visit:
        visit.expect("Installing palpo-installer:")
        begin_the_wizard(visit)
    is_installed(fresh)


@pytest.mark.parametrize("fresh", ["bookworm", pytest.param("trixie", marks=pytest.mark.slow)], indirect=True)
def test_through_sudo_and_doas(fresh: BootedHost) -> None:
    """A person who is not root is told the line that helps; through sudo or doas it ends in the wizard."""
    fresh.output(["useradd", "--create-home", "admin"])
    fresh.write("/etc/sudoers.d/admin", "admin ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    fresh.write("/etc/doas.conf", "permit nopass keepenv admin\n", 0o600)

    def as_admin(line: str) -> list[str]:
        return ["runuser", "--user", "admin", "--", "sh", "-c", f"cd; export {AS_PEOPLE}; {line}"]

    refused = fresh.run(as_admin(LINES["curl"]))
    assert refused.returncode == 4
    assert f"curl -fsSL {ADDRESS}/install.sh | sudo sh" in refused.stderr
    assert not fresh.exists("/opt/palpo-installer")
    for helper, fetcher in (("sudo", "curl"), ("doas", "wget")):
        with terminal(fresh, as_admin(re.sub(r"sh$", f"{helper} sh", LINES[fetcher]))) as visit:
            begin_the_wizard(visit)
        is_installed(fresh)
        fresh.output(["sh", "-c", f"curl -fsSL {ADDRESS}/install.sh | sh -s -- --uninstall"])


def test_without_a_terminal_it_installs_and_says_what_to_do(fresh: BootedHost) -> None:
    """As in cloud-init: nobody is asked anything, the two ways on are named, and the exit code is 0."""
    done = fresh.run(["sh", "-c", LINES["curl"]], timeout=120)
    assert (done.returncode, done.stdout) == (0, "")
    assert "There is no terminal here, so nothing was started." in done.stderr
    assert "/usr/local/bin/palpo-installer apply --answers FILE --yes" in done.stderr
    is_installed(fresh)


def test_a_line_that_was_cut_runs_nothing(fresh: BootedHost) -> None:
    """Cut anywhere, most of all in its last line: no program is started, whatever its name, and nothing is written."""
    script = (release() / "install.sh").read_bytes()
    seeded = random.Random(4)
    cuts = {seeded.randrange(len(script) - 1) for _ in range(CUTS)} | set(range(len(script) - 25, len(script) - 1))
    stand_ins = "mkdir /stand-ins && cd /stand-ins && for f in /usr/bin/* /usr/sbin/*; do ln -sf /told ${f##*/}; done"
    fresh.write("/told", '#!/bin/sh\necho "$0 $*" >>/started\n', 0o755)
    fresh.output(["sh", "-c", stand_ins])
    assert fresh.run(["env", "PATH=/stand-ins", "/bin/sh"], text="id\n").returncode == 0
    assert fresh.read("/started") == "/stand-ins/id \n"
    before = fresh.snapshot(LOOKED_AT)
    for cut in sorted(cuts):
        for shell in ("/bin/dash", "/bin/bash"):
            ended = fresh.run(["env", "PATH=/stand-ins", shell], text=script[:cut].decode())
            assert ended.stdout == "", cut
    assert fresh.read("/started") == "/stand-ins/id \n"
    assert not differences(before, fresh.snapshot(LOOKED_AT))


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_bundle_is_not_used(fresh: BootedHost, tmp_path: Path, damage: str) -> None:
    """It is named with its address, nothing of it is unpacked, and the host is as before."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(release(), elsewhere)
    for bundle in elsewhere.glob("*.tar.gz"):
        data = bundle.read_bytes()
        if damage == "missing":
            bundle.unlink()
        else:
            bundle.write_bytes(data[:100000] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    moved = Path(fresh.outside.output(["mktemp", "--directory"]).strip())
    copied = f"/proc/{fresh.outside.pid}/root{moved}"
    shutil.copytree(elsewhere, copied, dirs_exist_ok=True)
    serve(fresh, moved, 8001)
    before = fresh.snapshot(LOOKED_AT)
    failed = fresh.run(["sh", "-c", f"export PALPO_INSTALLER_URL={ELSEWHERE}; {LINES['curl']}"], timeout=120)
    assert failed.returncode == 1
    assert f"{ELSEWHERE}/palpo-installer-" in failed.stderr
    assert ("could not be fetched" if damage == "missing" else "its SHA-256 is not") in failed.stderr
    assert "nothing was installed" in failed.stderr
    assert not differences(before, fresh.snapshot(LOOKED_AT))


@pytest.mark.slow
def test_uninstalling_takes_back_what_was_set_up_first(fresh: BootedHost) -> None:
    """Without a terminal it stops and says the command; on one the program asks, and then nothing but keys is left."""
    line = f"curl -fsSL {ADDRESS}/install.sh | sh -s -- --uninstall"
    names.serve(fresh.outside)
    services.configure_nginx(fresh)
    fresh.output(["systemctl", "restart", "nginx"])
    before = fresh.snapshot(LOOKED_AT)
    fresh.output(["sh", "-c", LINES["curl"]], timeout=120)
    ways.prepare(fresh, None, "srv")
    applied = fresh.tool("apply", "--answers", ways.ANSWERS, "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    stopped = fresh.run(["sh", "-c", line])
    assert stopped.returncode == 1
    assert "First take it back: /usr/local/bin/palpo-installer uninstall --yes" in stopped.stderr
    is_installed(fresh)
    with connect(fresh, f"export {AS_PEOPLE}; {line}") as visit:
        visit.expect("What stays, and why", 60)
        visit.expect("Take all this back?")
        visit.press(b"y\r")
        visit.expect("Uninstalled: ", 60)
        visit.expect("Left as it is: /etc/palpo-installer", 60)
    assert 8448 not in {port for _, port in fresh.listening()}
    assert fresh.run(["sh", "-c", "command -v palpo-installer"]).returncode != 0
    left = differences(before, fresh.snapshot(LOOKED_AT))
    others = ("/root", "/etc/ssh", "/var/lib/systemd", "/var/lib/nginx")
    assert {path for path in left if not path.startswith(("/etc/palpo-installer/", *others))} == {
        "/etc/palpo-installer"
    }
