"""HAProxy of newer Debians, for tests on this one: its program with the libraries of its own tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lab import services, trees
from tests.lab.hosts import LabHost
from tests.lab.running import require_programs, require_root

SUITES = ("trixie", "sid")
PROGRAMS = {"haproxy": "/usr/sbin/haproxy", "openssl": "/usr/bin/openssl"}
"""What is taken from there, by package: OpenSSL's own program does not go with a newer library."""
# A mirror's list of sid is good for a week only, which says nothing about who signed it.
ANY_DATE = '--aptopt=Acquire::Check-Valid-Until "false"'


def tree(suite: str) -> Path:
    """Return the tree of a suite that has HAProxy, and what that needs."""
    require_root()
    require_programs("mmdebstrap")

    def make(directory: Path) -> None:
        made = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            ANY_DATE,
            f"--include={','.join(PROGRAMS)}",
            suite,
            str(directory),
        ]
        subprocess.run(made, check=True, capture_output=True)

    return trees.kept(f"newer-haproxy-{suite}", repr((suite, *PROGRAMS)), make)


def libraries(tree: Path) -> Path:
    """Return where the libraries of a tree are, whatever the architecture is called."""
    (found,) = (tree / "usr/lib").glob("*-linux-gnu*")
    return found


def program(suite: str) -> tuple[str, ...]:
    """Return how HAProxy of a suite is run here, by the loader of its own tree."""
    there = tree(suite)
    own = libraries(there)
    (loader,) = own.glob("ld-linux*.so.*")
    return str(loader), "--library-path", str(own), f"{there}/usr/sbin/haproxy"


def start(host: LabHost, suite: str) -> None:
    """Let a throw-away host have HAProxy of a suite, beside a neighbour: programs of before do with newer libraries."""
    there = tree(suite)
    own = libraries(there)
    host.output(["cp", "--archive", "--remove-destination", f"{own}/.", f"/usr/lib/{own.name}/"])
    for path in PROGRAMS.values():
        host.output(["cp", "--remove-destination", f"{there}{path}", path])
    services.start_haproxy(host)
