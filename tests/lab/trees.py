"""What a booted host is made of, built once and kept: a Debian tree, wheels, the installed tool."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.hosts import CHECKOUT
from tests.lab.running import require_programs

SUITE = "bookworm"
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "ca-certificates",
    "curl",
    "iproute2",
    "nginx",
    "opendoas",
    "openssh-server",
    "openssl",
    "procps",
    "python3",
    "python3-venv",
    "sudo",
    "wget",
)
# Each would wait for a network, for the hour, or for a terminal that is not there.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-firstboot.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
)
FILES = {
    # Without one the first boot enables every unit of the presets.
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/hostname": "matrix\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\n",
}
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def cache() -> Path:
    """Return where built things are kept: PALPO_TEST_CACHE, or XDG's cache, or below /var/tmp."""
    own = os.environ.get("PALPO_TEST_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME")
    directory = Path(own or (f"{shared}/palpo-installer-lab" if shared else "/var/tmp/palpo-installer-lab"))
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    assert directory.stat().st_uid == os.geteuid(), f"{directory} is somebody else's"
    return directory


def place(kind: str, key: str) -> Path:
    """Return where a directory is kept, whether it is there or not."""
    return cache() / f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def kept(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return a kept directory, made first where there is none; one process makes it, others wait.

    Args:
        kind: what it holds; a newer one of the same kind replaces it after a day.
        key: everything it depends on.
        make: fills an empty directory.
    """
    directory = place(kind, key)
    with _alone(kind):
        if not directory.is_dir():
            half = cache() / f"{kind}.half"
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            make(half)
            half.touch()
            _forget_old(kind, half.stat().st_mtime)
            half.rename(directory)
    return directory


@contextmanager
def _alone(kind: str) -> Iterator[None]:
    with (cache() / f"{kind}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _forget_old(kind: str, now: float) -> None:
    for old in cache().glob(f"{kind}-*"):
        if now - old.stat().st_mtime > 24 * 3600:
            shutil.rmtree(old)


def with_packages(kind: str, further: Sequence[str]) -> Path:
    """Return a Debian tree of another kind: with further packages."""
    require_programs("mmdebstrap", "systemd-nspawn")
    packages = (*PACKAGES, *further)
    key = repr((SUITE, packages, MASKED, FILES))
    return kept(kind, key, lambda directory: _make_tree(directory, SUITE, packages))


def debian(suite: str = SUITE, packages: Sequence[str] = PACKAGES) -> Path:
    """Return a Debian tree with these packages, which boots within a second."""
    require_programs("mmdebstrap", "systemd-nspawn")
    key = repr((suite, packages, MASKED, FILES))
    return kept("debian", key, lambda directory: _make_tree(directory, suite, packages))


def _make_tree(directory: Path, suite: str, packages: Sequence[str]) -> None:
    # Where this machine is a Debian of that suite its own sources serve, else mmdebstrap's default.
    listed = ["apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"]
    sources = _output([*listed, "Created-By: Packages", "Origin: Debian", f"Codename: {suite}"])
    updates = _output([*listed, "Created-By: Packages", "Origin: Debian", f"Codename: {suite}-security"])
    mirror = ["-"] if sources else []
    include = f"--include={','.join(packages)}"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", include, suite, str(directory), *mirror]
    _output(command, sources + updates)
    for path, text in FILES.items():
        (directory / path).unlink(missing_ok=True)
        (directory / path).write_text(text)
    for unit in MASKED:
        (directory / "etc/systemd/system" / unit).unlink(missing_ok=True)
        (directory / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (directory / "etc/systemd/system/default.target").symlink_to("/lib/systemd/system/multi-user.target")


def wheelhouse(tree: Path) -> Path:
    """Return wheels of all that the installer needs to be built and to run, for the tree's Python."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    needed = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    return kept("wheels", repr((tree.name, needed)), lambda directory: _make_wheels(directory, tree, needed))


def _make_wheels(directory: Path, tree: Path, needed: Sequence[str]) -> None:
    binds = [f"--bind={directory}:/wheels"]
    for path in (AUTHORITIES, Path("/etc/pip.conf"), Path(os.environ.get("PIP_FIND_LINKS") or "/nowhere")):
        binds += [f"--bind-ro={path}"] if path.exists() else []
    names = [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]
    environment = [f"--setenv={name}={os.environ[name]}" for name in names]
    script = 'python3 -m venv /tmp/pip && exec /tmp/pip/bin/pip wheel --quiet --wheel-dir /wheels "$@"'
    flags = ["--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--resolv-conf=replace-host"]
    _output(["systemd-nspawn", *flags, f"--directory={tree}", *binds, *environment, "sh", "-c", script, "sh", *needed])


def release(address: str, interfaces: Sequence[str]) -> Path:
    """Return what ``.ci/release`` makes of this checkout, to be served at an address, for these Pythons."""
    key = repr((source_digest(), (CHECKOUT / ".ci/release").read_text(), address, interfaces))
    command = [sys.executable, str(CHECKOUT / ".ci/release"), "--url", address]
    command += [f"--for={interface}" for interface in interfaces]

    def make(directory: Path) -> None:
        _output([*command, str(directory)])

    return kept("release", key, make)


def source_digest() -> str:
    """Return a digest of everything of the checkout that gets installed."""
    digest = hashlib.sha256()
    for part in ("installer", "screens", "templates", "pyproject.toml", "install.sh", "README.md", "LICENSE"):
        whole = CHECKOUT / part
        for path in sorted(whole.rglob("*")) if whole.is_dir() else [whole]:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(CHECKOUT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _output(argv: Sequence[str], text: str = "") -> str:
    ended = subprocess.run(argv, check=False, input=text, capture_output=True, text=True)
    assert ended.returncode == 0, f"{' '.join(argv)} ended with {ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended.stdout
