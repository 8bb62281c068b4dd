"""HAProxy of other distributions, for tests on this one: its program with the libraries of its own tree."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab import services, trees
from tests.lab.hosts import LabHost
from tests.lab.running import require_programs, require_root

SUITES = ("jammy", "noble", "trixie", "sid")
"""Ubuntu 22.04 with HAProxy 2.4 and 24.04 with 2.8, Debian 13 with 3.0, and what Debian gets next."""
TOO_OLD = "bullseye"
"""Debian 11, with HAProxy 2.2."""
UBUNTU = ("jammy", "noble")
ARCHIVE = "http://archive.ubuntu.com/ubuntu"
PROGRAMS = {"haproxy": "/usr/sbin/haproxy", "openssl": "/usr/bin/openssl"}
"""What is taken from there, by package: OpenSSL's own program does not go with a newer library."""
# A mirror's list of sid is good for a week only, which says nothing about who signed it.
ANY_DATE = '--aptopt=Acquire::Check-Valid-Until "false"'


def tree(suite: str) -> Path:
    """Return the tree of a suite that has HAProxy, and what that needs."""
    packages = f"--include={','.join(PROGRAMS)}"
    sources = [f"deb {ARCHIVE} {each} main universe" for each in (suite, f"{suite}-updates")]

    def make(directory: Path) -> None:
        ubuntus = [f"--keyring={_ubuntus_keys()}", "--variant=minbase", packages, suite, str(directory), *sources]
        debians = ["--variant=minbase", ANY_DATE, packages, suite, str(directory)]
        _bootstrap(ubuntus if suite in UBUNTU else debians)

    return trees.kept(f"newer-haproxy-{suite}", repr((suite, *PROGRAMS)), make)


def _ubuntus_keys() -> Path:
    """Return the keys that Ubuntu signs with, as Debian has them in a package."""
    package = "ubuntu-archive-keyring"
    extracted = ["--variant=extract", f"--include={package}", "trixie"]
    there = trees.kept("ubuntu-keys", package, lambda directory: _bootstrap([*extracted, str(directory)]))
    return there / f"usr/share/keyrings/{package}.gpg"


def _bootstrap(arguments: Sequence[str]) -> None:
    require_root()
    require_programs("mmdebstrap")
    ended = subprocess.run(["mmdebstrap", "--quiet", *arguments], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, f"mmdebstrap {' '.join(arguments)}: {ended.stderr}"


def libraries(tree: Path) -> tuple[Path, ...]:
    """Return where the libraries of a tree are, whatever the architecture is called: one place since Debian 12."""
    places = [*(tree / "usr/lib").glob("*-linux-gnu*"), *(tree / "lib").glob("*-linux-gnu*")]
    return tuple(dict.fromkeys(each.resolve() for each in places))


def program(suite: str) -> tuple[str, ...]:
    """Return how HAProxy of a suite is run here, by the loader of its own tree."""
    there = tree(suite)
    return *_loading(there), f"{there}/usr/sbin/haproxy"


def start(host: LabHost, suite: str) -> None:
    """Let a throw-away host have HAProxy of a suite, beside a neighbour."""
    put(host, suite)
    services.start_haproxy(host)


def put(host: LabHost, suite: str) -> None:
    """Put HAProxy of a suite onto a throw-away host.

    Programs run with a C library that is newer than theirs, not with an older one: so the newer of the two stays.
    """
    there = tree(suite)
    newer = _is_newer(there)
    keeping = "--remove-destination" if newer else "--no-clobber"
    for own in libraries(there):
        host.output(["cp", "--archive", keeping, f"{own}/.", f"/usr/lib/{own.name}/"])
    for path in PROGRAMS.values() if newer else [PROGRAMS["haproxy"]]:
        host.output(["cp", "--remove-destination", f"{there}{path}", path])


def _loading(there: Path) -> tuple[str, ...]:
    """Return what runs a program of a tree with its own libraries; the loader's name says the architecture."""
    own = libraries(there)
    (loader,) = (found for directory in own for found in directory.glob("ld-linux*.so.*"))
    return str(loader), "--library-path", ":".join(map(str, own))


def _is_newer(there: Path) -> bool:
    """Return whether the C library of a tree is newer than this machine's."""
    (library,) = (found for directory in libraries(there) for found in directory.glob("libc.so.6"))
    said = subprocess.run([*_loading(there), str(library)], check=True, capture_output=True, text=True).stdout
    return _version(said) > _version(os.confstr("CS_GNU_LIBC_VERSION") or "")


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"(?:release version|^glibc) (\d+)\.(\d+)", text)
    assert found, text
    return tuple(map(int, found.groups()))
