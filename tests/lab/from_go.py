"""Versions of Caddy that Debian does not have: built with Go once, and kept beside what else tests build."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import trees
from tests.lab.hosts import LabHost
from tests.lab.running import ENVIRONMENT, require_programs

DEBIANS = "2.6"
"""The one that is installed."""
INSTALLED = "/usr/bin/caddy"
RELEASES = {"2.7": "v2.7.6", "2.8": "v2.8.4", "2.9": "v2.9.1", "2.10": "v2.10.2"}
NEWEST = "2.10"
MODULE = "github.com/caddyserver/caddy/v2/cmd/caddy"
PLACES = f"{ENVIRONMENT['PATH']}:/usr/local/go/bin"
PARAMETERS = (
    pytest.param(DEBIANS, id=DEBIANS),
    pytest.param(NEWEST, id=NEWEST),
    *(pytest.param(each, id=each, marks=pytest.mark.slow) for each in RELEASES if each != NEWEST),
)
"""For a test: Debian's, the newest where it is built already, and with ``--slow`` all of them."""
SLOWLY = (DEBIANS, *(pytest.param(each, id=each, marks=pytest.mark.slow) for each in RELEASES))
"""For a test that takes long: Debian's, and with ``--slow`` all of them."""


def found(version: str) -> Path:
    """Return the program of a version; skip the test where it was not built yet."""
    if version == DEBIANS:
        require_programs("caddy")
        return Path(shutil.which("caddy", path=ENVIRONMENT["PATH"]) or "")
    program = trees.place(*_kept(version)) / "caddy"
    if not program.exists():
        pytest.skip(f"Caddy {version} is not built here; a run with --slow builds it")
    return program


def made(version: str) -> Path:
    """Return the program of a version, built first where it was not yet; skip the test where there is no Go."""
    if version == DEBIANS:
        return found(version)
    if not trees.place(*_kept(version)).is_dir() and shutil.which("go", path=PLACES) is None:
        pytest.skip(f"Caddy {version} has to be built, and there is no Go")
    return trees.kept(*_kept(version), lambda directory: _build(directory, RELEASES[version])) / "caddy"


def put(host: LabHost, program: Path) -> None:
    """Let a program be the Caddy of a host."""
    if program == Path(INSTALLED):
        return
    host.output(["install", "-m", "755", str(program), INSTALLED])
    assert is_caddy_of(host, program)


def is_caddy_of(host: LabHost, program: Path) -> bool:
    """Return whether a program is the Caddy of a host: those that Go built tell no version by themselves."""
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    return host.output(["sha256sum", INSTALLED]).startswith(digest)


def _kept(version: str) -> tuple[str, str]:
    return f"caddy-{version}", RELEASES[version]


def _build(directory: Path, release: str) -> None:
    """Build a release; which modules it takes, and from where, is as this machine's Go is told."""
    environment = {**os.environ, "PATH": PLACES, "GOBIN": str(directory), "GOTOOLCHAIN": "local"}
    command = ["go", "install", f"{MODULE}@{release}"]
    ended = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr}"
