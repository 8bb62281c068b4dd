"""What ``tests/run`` relies on: slow tests only on demand, and static checks that failed end the run with 1."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
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
"""


def run(directory: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
    """Run three small tests under the conftest; return the exit code and the lines printed."""
    (directory / "conftest.py").write_text(CONFTEST.read_text())
    (directory / "test_small.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--strict-markers", "-p", "no:cacheprovider", "-n", "2", *arguments]
    done = subprocess.run(command, check=False, cwd=directory, env=environment or {}, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(("arguments", "passed"), [((), "2 passed"), (("--slow",), "3 passed")])
def test_slow_tests_run_on_demand(tmp_path: Path, arguments: tuple[str, ...], passed: str) -> None:
    """Without ``--slow`` the slow ones are left out; the booted ones are not."""
    status, lines = run(tmp_path, *arguments)
    assert (status, passed in lines[-1]) == (0, True)


def test_failed_checks_fail_the_run(tmp_path: Path) -> None:
    """All tests pass, but a static check did not: exit 1, said above pytest's summary, which stays the last line."""
    status, lines = run(tmp_path, environment={"PALPO_CHECKS_FAILED": "1"})
    assert status == 1
    assert any("tests/check failed" in line for line in lines)
    assert "2 passed" in lines[-1]
