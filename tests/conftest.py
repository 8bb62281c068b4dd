"""What every test shares: the option ``--slow``, the markers, and the outcome of the static checks."""

from __future__ import annotations

import os

import pytest

CHECKS_FAILED = "PALPO_CHECKS_FAILED"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--slow``."""
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    config.addinivalue_line("markers", "slow: takes more than a minute; runs with --slow")
    config.addinivalue_line("markers", "booted: boots a Debian host with systemd; runs as root")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out unless they are asked for."""
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the run fail when ``tests/run`` says that a static check failed."""
    if os.environ.get(CHECKS_FAILED) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so where it is looked for, above the last line."""
    if os.environ.get(CHECKS_FAILED):
        terminalreporter.section("tests/check failed: see above", red=True)
