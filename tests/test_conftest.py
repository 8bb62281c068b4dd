"""What runs rely on: slow tests only on demand, static checks that failed end the run with 1, Ctrl-C can be tested."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = """
import pytest
def test_quick(): pass
@pytest.mark.slow
def test_slow(): pass
@pytest.mark.booted
def test_booted(): pass
def test_interrupted():
    import signal, subprocess
    assert subprocess.run(["/bin/sh", "-c", "kill -INT $$"]).returncode == -signal.SIGINT
"""


def run(
    directory: Path, *arguments: str, before: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Run small tests under the conftest, ``before`` in front of the command; return the exit code and the lines."""
    (directory / "conftest.py").write_text(CONFTEST.read_text())
    (directory / "test_small.py").write_text(TESTS)
    command = [
        *before,
        sys.executable,
        "-m",
        "pytest",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
        "-n",
        "2",
        *arguments,
    ]
    done = subprocess.run(command, check=False, cwd=directory, env=environment or {}, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(("arguments", "passed"), [((), "3 passed"), (("--slow",), "4 passed")])
def test_slow_tests_run_on_demand(tmp_path: Path, arguments: tuple[str, ...], passed: str) -> None:
    """Without ``--slow`` the slow ones are left out; the booted ones are not."""
    status, lines = run(tmp_path, *arguments)
    assert (status, passed in lines[-1]) == (0, True)


def test_ctrl_c_reaches_what_a_test_starts_in_the_background(tmp_path: Path) -> None:
    """SIGINT is ignored by what a script starts with an ampersand, and not by what its tests start."""
    script = '"$@" -n 0 & wait $!'
    status, lines = run(tmp_path, "-k", "interrupted", before=("/bin/sh", "-c", script, "sh"))
    assert (status, "1 passed" in lines[-1]) == (0, True), lines


def test_failed_checks_fail_the_run(tmp_path: Path) -> None:
    """All tests pass, but a static check did not: exit 1, said above pytest's summary, which stays the last line."""
    status, lines = run(tmp_path, environment={"PALPO_CHECKS_FAILED": "1"})
    assert status == 1
    assert any("tests/check failed" in line for line in lines)
    assert "3 passed" in lines[-1]
